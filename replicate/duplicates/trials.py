"""What the search finds of known near-duplicates of the user's own images, and finds by mistake.

Every image is edited in every way of `edits.EDITS`; originals and edits go through hash and
pixels as files would. Images that are handed in are taken to be different from each other: if
there are near-duplicates among them, they count as mistakes, and the cuts come out too strict.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.errors import UsageError
from replicate.base.images import grey
from replicate.duplicates.cuts import SURE, UNSURE, Cuts
from replicate.duplicates.cutting import cuts_from
from replicate.duplicates.edits import EDITS
from replicate.duplicates.evidence import Evidence, Look, compare, joined, look
from replicate.duplicates.hashing import Words, phash_greys
from replicate.duplicates.proposing import NAMES, nearest_position, positions
from replicate.duplicates.search import distances

Index = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]

_HARDEST = 500  # pairs of different images, nearest by their hash, whose pixels are compared
_WIDEST = 24  # radii that the curve shows


@dataclass(frozen=True)
class Edited:
    """What became of one edit of every image.

    Attributes:
        distance: Bits between each original and its edit, the best of the positions that are
            sought, shape (n,).
        verdicts: How many of those within the radius are sure, unsure, different.
    """

    distance: Index
    verdicts: Mapping[str, int]

    def recall(self, radius: int) -> float:
        """The share that the hash proposes, in [0, 1]."""
        return float((self.distance <= radius).mean())


@dataclass(frozen=True)
class Trial:
    """All that was measured.

    Attributes:
        n: Images.
        bits: Of the hash.
        radius: At which pixels were asked.
        transforms: Whether flips and turns were sought, among different images too.
        edits: By the edit's name.
        n_different: Pairs of different images.
        different: How many of them lie within each radius 0, 1, …, shape (radii,).
        mistakes: Of the different pairs nearest by their hash, how many are sure, unsure,
            different by their pixels.
        cuts: The cuts that follow, with which pixels decided.
    """

    n: int
    bits: int
    radius: int
    transforms: bool
    edits: Mapping[str, Edited]
    n_different: int
    different: Index
    mistakes: Mapping[str, int]
    cuts: Cuts

    def as_dict(self) -> dict[str, Any]:
        """All figures as JSON values."""
        radii = range(len(self.different))
        return {
            "n_images": self.n,
            "bits": self.bits,
            "radius": self.radius,
            "transforms": self.transforms,
            "edits": {
                name: {
                    "recall": edited.recall(self.radius),
                    "sure": edited.verdicts.get(SURE, 0) / self.n,
                    "sure_or_unsure": sum(edited.verdicts.get(v, 0) for v in (SURE, UNSURE))
                    / self.n,
                    "recall_by_radius": [edited.recall(radius) for radius in radii],
                }
                for name, edited in self.edits.items()
            },
            "n_different_pairs": self.n_different,
            "false_matches_by_radius": self.different.tolist(),
            "hardest_different_pairs": dict(self.mistakes),
            "cuts": self.cuts.as_dict(),
        }


def trial(
    images: Sequence[Image.Image],
    radius: int,
    bits: int = 64,
    cuts: Cuts | None = None,
    progress: Progress | None = None,
    transforms: bool = False,
) -> Trial:
    """Measure on images.

    Args:
        images: Different images, RGB or grey; two or more.
        radius: Of the search, in bits.
        bits: 64 or 256.
        cuts: Where pixels are cut. Left out: worked out from what is measured.
        progress: Told how many edits are done, and of how many.
        transforms: Whether flips and turns are sought: each pair of different images, too, is
            then compared in the position in which its hashes are nearest, as the search does.

    Raises:
        UsageError: There are fewer than two images.
    """
    if len(images) < 2:
        raise UsageError("A trial needs two different images or more.", "Name a folder of images.")
    greys = [grey(image) for image in images]
    looks, own = [look(one) for one in greys], phash_greys(greys, bits)
    first, second = np.triu_indices(len(images), 1)
    position, apart = nearest_position(own[first], positions(greys, bits, transforms)[second])
    hardest = np.argsort(apart, kind="stable")[:_HARDEST]
    laid = [looks[second[k]].turned(NAMES[position[k]]) for k in hardest]
    false = compare([looks[first[k]] for k in hardest], laid)
    true: dict[str, tuple[Index, Evidence, Flags]] = {}
    for done, (name, edit) in enumerate(EDITS.items()):
        true[name] = _edited(
            [grey(edit(image)) for image in images], looks, own, bits, radius, transforms
        )
        if progress is not None:
            progress(done + 1, len(EDITS))
    cuts = cuts or cuts_from(joined([evidence for _, evidence, _ in true.values()]), false)
    return Trial(
        n=len(images),
        bits=bits,
        radius=radius,
        transforms=transforms,
        edits={
            name: Edited(distance, _counts(evidence.some(proposed), cuts))
            for name, (distance, evidence, proposed) in true.items()
        },
        n_different=len(apart),
        different=np.cumsum(np.bincount(apart, minlength=bits + 1)[: _WIDEST * bits // 64 + 1]),
        mistakes=_counts(false, cuts),
        cuts=cuts,
    )


def _edited(
    edits: list[Pixels], looks: list[Look], own: Words, bits: int, radius: int, transforms: bool
) -> tuple[Index, Evidence, Flags]:
    """Distances of edits, evidence of those that are near in any position, which are proposed.

    Pixels compare what lies on each other, so that an edit that was flipped says where to cut
    whether or not flips are sought; only what the search proposes is found.
    """
    every = positions(edits, bits, True)
    best, nearest = nearest_position(own, every)
    distance = nearest if transforms else distances(own, every[:, 0])
    near = np.flatnonzero(nearest <= radius)
    back = [look(edits[i]).turned(NAMES[best[i]]) for i in near]
    return distance, compare([looks[i] for i in near], back), distance[near] <= radius


def _counts(evidence: Evidence, cuts: Cuts) -> dict[str, int]:
    return dict(Counter(cuts.verdicts(evidence).tolist()))
