"""Clusters of near-duplicates, and which candidates to drop.

A component that holds a reference image goes whole. Of every other component one candidate
stays, and the rest go: by the paper's resolution the one of the class with the fewest good
candidates, or the first of an order that is handed in; or none stays.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]
_Node = tuple[bool, str]  # whether it is a reference image, and its id
_Step = tuple[float, _Node]  # how far the next image is, and which it is
# Which of a component's candidates stays: by the paper's rule, none, or that of the lowest rank.
Keep = Literal["fewest", "none"] | Mapping[str, float]


@dataclass(frozen=True)
class Edge:
    """A confirmed pair: a candidate, and a reference image or another candidate.

    Attributes:
        first: Id of the reference image, or of a candidate.
        second: Id of a candidate.
        first_is_reference: Whether ``first`` is a reference image.
        distance: How far apart they are; the nearest pair explains a drop best.
    """

    first: str
    second: str
    first_is_reference: bool
    distance: float


@dataclass(frozen=True)
class Drop:
    """A candidate that goes, and why.

    Attributes:
        image_id: The candidate.
        cause: ``reference`` (its component holds a reference image) or ``candidate``.
        because_of: The other image of the pair that explains the drop: the nearest reference
            image if it has one, else the nearest image on the way to it; where nothing stays, the
            nearest image.
        distance: That pair's distance.
        keeper: The candidate that stays in its stead, or None where the component goes whole.
        cluster: Id of its component: the smallest id in it.
    """

    image_id: str
    cause: str
    because_of: str
    distance: float
    keeper: str | None
    cluster: str


def components(n: int, first: Index, second: Index) -> Index:
    """The connected components of a graph, without recursion.

    Args:
        n: Number of nodes.
        first: One end of each edge, shape (e,), in [0, n).
        second: The other end, shape (e,).

    Returns:
        For each node the smallest node of its component, shape (n,).

    >>> components(4, np.array([3]), np.array([1])).tolist()
    [0, 1, 2, 1]
    """
    parent = list(range(n))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        one, two = root(a), root(b)
        if one != two:
            parent[max(one, two)] = min(one, two)
    return np.array([root(node) for node in range(n)], dtype=np.int64)


def resolve(
    candidates: Sequence[tuple[str, str]],
    edges: Sequence[Edge],
    settled: frozenset[str] = frozenset(),
    keep: Keep = "fewest",
) -> list[Drop]:
    """Which candidates to drop, each with the pair that caused it.

    Components are settled in the order of their smallest id; a class's count of good candidates
    goes down as its candidates are dropped. Ties between classes go to the class id, between
    candidates of one class or rank to the image id, so that the order of the input changes nothing.

    Args:
        candidates: (image id, class id) of every candidate; a candidate that was found for
            several classes is there once for each.
        edges: Confirmed pairs only.
        settled: Candidates that were kept before, when the pool was smaller; they stay (people
            may have labelled them), and of their components nothing else does.
        keep: Which one stays of a component with no reference image and none that was kept before:
            ``fewest``, the one of the class with the fewest good candidates; ``none``; or by image
            id a rank, of which the lowest stays.

    Returns:
        One drop an image, sorted by image id. A kept candidate stays for all its classes.
    """
    classes: dict[str, set[str]] = {}
    for image_id, class_id in candidates:
        classes.setdefault(image_id, set()).add(class_id)
    neighbours = _neighbours([edge for edge in edges if edge.second in classes])
    nodes = sorted(neighbours, key=lambda node: (node[1], node[0]))
    place = {node: i for i, node in enumerate(nodes)}
    ends = [
        (place[node], place[other]) for node, others in neighbours.items() for _, other in others
    ]
    joined = np.array(ends, dtype=np.int64).reshape(-1, 2)
    labels = components(len(nodes), joined[:, 0], joined[:, 1]).tolist()
    members: dict[int, list[_Node]] = {}
    for node, label in zip(nodes, labels, strict=True):
        members.setdefault(label, []).append(node)
    drops: list[Drop] = []
    undecided: list[list[_Node]] = []
    good = Counter(class_id for named in classes.values() for class_id in named)
    for _, component in sorted(members.items()):
        references = [node for node in component if node[0]]
        stay = [node for node in component if not node[0] and node[1] in settled]
        if references or stay:
            keeper = None if references else min(stay)[1]
            sources = [*references, *stay]
            drops += _settle(component, sources, keeper, neighbours, classes, good)
        else:
            undecided.append(component)
    for component in undecided:
        chosen = _chosen([image for _, image in component], classes, good, keep)
        sources = [] if chosen is None else [(False, chosen)]
        drops += _settle(component, sources, chosen, neighbours, classes, good)
    return sorted(drops, key=lambda drop: drop.image_id)


def _chosen(
    images: Sequence[str], classes: Mapping[str, set[str]], good: Counter[str], keep: Keep
) -> str | None:
    """The candidate that stays."""
    if keep == "none":
        return None
    if isinstance(keep, Mapping):
        return min(images, key=lambda image: (keep[image], image))
    return min(images, key=lambda image: min((good[c], c, image) for c in classes[image]))


def _settle(
    component: Sequence[_Node],
    sources: Sequence[_Node],
    keeper: str | None,
    neighbours: Mapping[_Node, Sequence[_Step]],
    classes: Mapping[str, set[str]],
    good: Counter[str],
) -> list[Drop]:
    """Drop everything in a component but its sources; their classes' counts go down."""
    if sources:
        steps = _first_steps(sources, neighbours)
    else:
        steps = {node: min(neighbours[node]) for node in component}
    cause = "reference" if any(is_reference for is_reference, _ in sources) else "candidate"
    cluster = min(node[1] for node in component)
    drops = []
    for node in component:
        if node in steps:
            distance, because_of = steps[node]
            drops.append(Drop(node[1], cause, because_of[1], distance, keeper, cluster))
            good.subtract(classes[node[1]])
    return drops


def _neighbours(edges: Sequence[Edge]) -> dict[_Node, list[_Step]]:
    """Who is joined to whom. An image in both sets is two nodes: one as reference, one not."""
    found: dict[_Node, list[_Step]] = {}
    for edge in edges:
        one, two = (edge.first_is_reference, edge.first), (False, edge.second)
        found.setdefault(one, []).append((edge.distance, two))
        found.setdefault(two, []).append((edge.distance, one))
    return found


def _first_steps(
    sources: Sequence[_Node], neighbours: Mapping[_Node, Sequence[_Step]]
) -> dict[_Node, _Step]:
    """For each node reached, the nearest neighbour one step closer to the sources.

    Nodes are reached in rounds (breadth first), so that the chain of explanations always ends
    at a source; within a round the smallest (distance, node) wins.
    """
    steps: dict[_Node, _Step] = {}
    seen = set(sources)
    border = sorted(sources)
    while border:
        best: dict[_Node, _Step] = {}
        for node in border:
            for distance, other in neighbours[node]:
                if other not in seen:
                    best[other] = min(best.get(other, (distance, node)), (distance, node))
        steps.update(best)
        seen.update(best)
        border = sorted(best)
    return steps
