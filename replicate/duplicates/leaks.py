"""The pairs of two sides, or within one: what the hashes propose, and what the images say."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.duplicates.cuts import DIFFERENT, LOW_STRUCTURE, SURE, UNSURE, Cuts
from replicate.duplicates.evidence import Evidence, Look, Looks, apart, compare
from replicate.duplicates.search import MOST_PAIRS, Pairs, pairs_among, pairs_within
from replicate.duplicates.sides import Side, comparable
from replicate.duplicates.transforms import NONE, TRANSFORMS

UNCONFIRMED = "unconfirmed"
_RANK = {SURE: 0, UNSURE: 1, UNCONFIRMED: 2, DIFFERENT: 3}
_NAMES = (NONE, *TRANSFORMS)
_CHUNK_VALUES = 1 << 22  # pixels of images held ready at a time
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Leak:
    """A pair within the radius.

    Attributes:
        reference: The reference image; within one side, the earlier image.
        candidate: The other.
        distance: Differing bits of the hashes, the candidate transformed.
        transform: What to do to the candidate so that it lies on the reference: ``none`` or one
            of `replicate.duplicates.transforms.TRANSFORMS`.
        distance256: Differing bits of the 256-bit pHashes; None if the images were not seen.
        ssim: Structural similarity at 256×256; None likewise.
        dssim: (1 - ssim) / 2, in [0, 1]; None likewise.
        squared: Mean squared difference at 256×256, in [0, 1]; None likewise.
        squared32: Mean squared difference at 32×32, in [0, 1]; None likewise.
        moved: What brightness, contrast and a move of up to a pixel leave of the difference at
            32×32, in [0, 1]; None likewise.
        low_structure: Whether one of the images has too little structure for a hash to tell it
            apart from others; None if that is not known.
        verdict: ``sure``, ``unsure``, ``different``, or ``unconfirmed``: the images were not seen.
    """

    reference: str
    candidate: str
    distance: int
    transform: str
    distance256: int | None = None
    ssim: float | None = None
    dssim: float | None = None
    squared: float | None = None
    squared32: float | None = None
    moved: float | None = None
    low_structure: bool | None = None
    verdict: str = UNCONFIRMED

    def as_dict(self) -> dict[str, Any]:
        """The pair as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Proposed:
    """Pairs that the hashes propose, as indices, each with its best transform.

    Attributes:
        pairs: The pairs, sorted by reference, then candidate.
        transform: For each the place in ``(NONE, *TRANSFORMS)``, shape (p,).
    """

    pairs: Pairs
    transform: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pairs)

    def some(self, which: Any) -> "Proposed":
        """A selection of the pairs, by index, slice or flags."""
        return Proposed(self.pairs.some(which), self.transform[which])


def propose(
    reference: Side, candidates: Side | None, radius: int, transforms: bool, most: int = MOST_PAIRS
) -> Proposed:
    """What the hashes propose: exact, every pair within the radius.

    Args:
        reference: One side.
        candidates: The other; None for pairs within the first.
        radius: Bits that may differ.
        transforms: Whether flips and quarter turns count too. One side at least must have kept
            the hashes of its turned images.
        most: How many pairs there may be.

    Raises:
        UsageError: The hashes were made in different ways, or none kept its turned ones.
        GuardError: There are more pairs.
    """
    one, two = reference.hashes, (candidates or reference).hashes
    comparable(one, two)
    first = (
        pairs_among(one.hashes, radius, most)
        if candidates is None
        else pairs_within(one.hashes, two.hashes, radius, most)
    )
    found = [np.stack([first.reference, first.candidate, first.distance], axis=1)]
    if transforms:
        for place, name in enumerate(TRANSFORMS):
            found.append(_turned(one, two, place, name, radius, most, candidates is None))
    rows = np.concatenate(found)
    which = np.repeat(np.arange(len(found)), [len(some) for some in found])
    # A picture that is like its own mirror image is found twice: the nearest way counts.
    order = np.lexsort((which, rows[:, 2], rows[:, 1], rows[:, 0]))
    rows, which = rows[order], which[order]
    best = np.ones(len(rows), dtype=bool)
    best[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=1)
    rows = rows[best]
    return Proposed(Pairs(rows[:, 0], rows[:, 1], rows[:, 2]), which[best])


def _turned(
    one: Any, two: Any, place: int, name: str, radius: int, most: int, within: bool
) -> npt.NDArray[np.int64]:
    if two.turned is not None:
        hashes = (one.hashes, two.turned[:, place])
    elif one.turned is not None:
        # To turn the reference back is the same; only quarter turns are not their own inverse.
        back = {"rotate_90": "rotate_270", "rotate_270": "rotate_90"}.get(name, name)
        hashes = (one.turned[:, TRANSFORMS.index(back)], two.hashes)
    else:
        raise UsageError(
            "Neither side holds the hashes of flipped and turned images.",
            "Give a folder of images, or search without them: --no-transforms",
        )
    found = pairs_within(
        np.ascontiguousarray(hashes[0]), np.ascontiguousarray(hashes[1]), radius, most
    )
    rows = np.stack([found.reference, found.candidate, found.distance], axis=1)
    return rows[rows[:, 0] < rows[:, 1]] if within else rows


def leaks(
    proposed: Proposed,
    reference: Side,
    candidates: Side,
    looks: Looks | None,
    cuts: Cuts,
    progress: Progress,
    different: bool = True,
) -> list[Leak]:
    """The pairs, confirmed as far as there are images to look at, the surest first.

    Args:
        proposed: What the hashes propose.
        reference: One side.
        candidates: The other, or the same.
        looks: Gives images; None: nothing is confirmed.
        cuts: Where the comparisons are cut.
        progress: Told how many pairs are done, and of how many.
        different: Whether pairs that the images rule out are handed back too.
    """
    found: list[Leak] = []
    step = 1024 if looks is None else max(1, _CHUNK_VALUES // int(np.prod(looks.scale.whole)))
    for start in range(0, len(proposed), step):
        some = proposed.some(slice(start, start + step))
        found += _looked_at(some, reference, candidates, looks, cuts, different)
        if looks is not None:
            progress(min(start + step, len(proposed)), len(proposed))
    return sorted(found, key=_order)


def _looked_at(
    proposed: Proposed,
    reference: Side,
    candidates: Side,
    looks: Looks | None,
    cuts: Cuts,
    different: bool,
) -> Iterator[Leak]:
    """Some of the pairs, in their order."""
    places: list[int] = []
    first: list[Look] = []
    second: list[Look] = []
    if looks is not None:
        places, first, second = turned_looks(proposed, reference, candidates, looks)
    ruled_out: list[int] = []
    if not different and cuts.by_moved_alone and places:
        # Tiny images have pairs by the million: what one distance rules out is not compared on.
        near = apart(first, second) <= cuts.different_moved
        ruled_out = [place for place, stays in zip(places, near, strict=True) if not stays]
        kept = np.flatnonzero(near).tolist()
        places = [places[i] for i in kept]
        first, second = ([some[i] for i in kept] for some in (first, second))
    evidence = compare(first, second)
    verdicts = cuts.verdicts(evidence).tolist()
    if not different:
        ruled_out += [
            p for p, verdict in zip(places, verdicts, strict=True) if verdict == DIFFERENT
        ]
    row_of = {place: row for row, place in enumerate(places)}
    pairs = proposed.pairs
    names = [_named(reference, pairs.reference), _named(candidates, pairs.candidate)]
    poor = _either_poor(reference, candidates, pairs)
    for place in sorted(set(range(len(pairs))) - set(ruled_out)):
        row = row_of.get(place)
        leak = Leak(
            names[0][place],
            names[1][place],
            int(pairs.distance[place]),
            _NAMES[proposed.transform[place]],
            low_structure=None if poor is None else bool(poor[place]),
        )
        yield leak if row is None else _told(leak, evidence, row, verdicts[row])


def _named(side: Side, places: npt.NDArray[np.int64]) -> list[str]:
    return [side.hashes.paths[place] for place in places]


def _either_poor(reference: Side, candidates: Side, pairs: Pairs) -> npt.NDArray[np.bool_] | None:
    """Whether one image of a pair has too little structure, as far as that is known."""
    flags = [
        poor[places]
        for poor, places in (
            (_poor(reference), pairs.reference),
            (_poor(candidates), pairs.candidate),
        )
        if poor is not None
    ]
    return np.logical_or.reduce(flags) if flags else None


def turned_looks(
    proposed: Proposed, reference: Side, candidates: Side, looks: Looks
) -> tuple[list[int], list[Look], list[Look]]:
    """The images of pairs, as far as they can be looked at, the candidates transformed.

    Args:
        proposed: The pairs.
        reference: One side.
        candidates: The other, or the same.
        looks: Gives images.

    Returns:
        Places of pairs, their reference images, and their candidates.
    """
    pairs = proposed.pairs
    places: list[int] = []
    first: list[Look] = []
    second: list[Look] = []
    there = reference.on_disk[pairs.reference] & candidates.on_disk[pairs.candidate]
    for place in np.flatnonzero(there).tolist():
        one = looks.get(reference.hashes.paths[pairs.reference[place]])
        two = looks.get(candidates.hashes.paths[pairs.candidate[place]])
        if one is not None and two is not None:
            places.append(place)
            first.append(one)
            turn = proposed.transform[place]
            second.append(two.turned(_NAMES[turn]) if turn else two)
    return places, first, second


def _told(leak: Leak, evidence: Evidence, row: int, verdict: str) -> Leak:
    return replace(
        leak,
        distance256=int(evidence.distance256[row]),
        ssim=round(float(evidence.ssim[row]), 6),
        dssim=round(float(evidence.dssim[row]), 6),
        squared=round(float(evidence.squared[row]), 8),
        squared32=round(float(evidence.squared32[row]), 8),
        moved=round(float(evidence.moved[row]), 8),
        low_structure=bool(evidence.low_structure[row]),
        verdict=verdict,
    )


def _poor(side: Side) -> npt.NDArray[np.bool_] | None:
    structure = side.hashes.structure
    return None if structure is None else structure < LOW_STRUCTURE


def _order(leak: Leak) -> tuple[Any, ...]:
    bits = leak.distance256 if leak.distance256 is not None else 4 * leak.distance
    return (_RANK[leak.verdict], bits, leak.distance, leak.reference, leak.candidate)


def summary(found: list[Leak]) -> dict[str, int]:
    """How many pairs there are of each verdict."""
    return dict(sorted(Counter(leak.verdict for leak in found).items()))


def n_poor(side: Side) -> int | None:
    """How many images of a side have too little structure; None if that is not known."""
    poor = _poor(side)
    return None if poor is None else int(poor.sum())
