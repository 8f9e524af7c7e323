"""What the search finds of known near-duplicates of the user's own images, and finds by mistake.

Every image is edited in every way of `named_edits`; originals and edits go through hash and
pixels as files would. Images that are handed in are taken to be different from each other: if
there are near-duplicates among them, they count as mistakes, and the cuts come out too strict.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.errors import UsageError
from replicate.base.images import grey
from replicate.base.resample import resize
from replicate.duplicates.confirm import SURE, UNSURE
from replicate.duplicates.evidence import Cuts, Evidence, Look, compare, look
from replicate.duplicates.hashing import low_frequencies, phash_low
from replicate.duplicates.named_edits import EDITS
from replicate.duplicates.search import distances
from replicate.duplicates.transforms import NONE, TRANSFORMS, turned_hashes

Index = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

_HARDEST = 500  # pairs of different images, nearest by their hash, whose pixels are compared
_MARGIN = (
    0.75  # of the nearest different pair's distance: a sample never holds the nearest there is
)
_MOST_SURE_BITS = 64  # of 256: unrelated images are 128 apart, give or take 8
_WIDEST = 24  # radii that the curve shows
_NOT_SURE = Cuts(0, 1.0, 0.0, 256, -1.0, 1.0)


@dataclass(frozen=True)
class Edited:
    """What became of one edit of every image.

    Attributes:
        distance: Bits between each original and its edit, the best position, shape (n,).
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
) -> Trial:
    """Measure on images.

    Args:
        images: Different images, RGB or grey; two or more.
        radius: Of the search, in bits.
        bits: 64 or 256.
        cuts: Where pixels are cut. Left out: worked out from what is measured.
        progress: Told how many edits are done, and of how many.

    Raises:
        UsageError: There are fewer than two images.
    """
    if len(images) < 2:
        raise UsageError("A trial needs two different images or more.", "Name a folder of images.")
    looks = [look(grey(image)) for image in images]
    own = _hashes(images, bits)
    first, second = np.triu_indices(len(images), 1)
    apart = np.concatenate(
        [distances(own[[i] * (len(own) - i - 1)], own[i + 1 :]) for i in range(len(own) - 1)]
    )
    hardest = np.argsort(apart, kind="stable")[:_HARDEST]
    false = [compare(looks[first[k]], looks[second[k]], _NOT_SURE) for k in hardest]
    true: dict[str, tuple[Index, list[Evidence]]] = {}
    for done, (name, edit) in enumerate(EDITS.items()):
        true[name] = _edited([edit(image) for image in images], looks, own, bits, radius)
        if progress is not None:
            progress(done + 1, len(EDITS))
    found = [one for _, evidence in true.values() for one in evidence]
    cuts = cuts or cuts_from(found, false)
    return Trial(
        n=len(images),
        bits=bits,
        radius=radius,
        edits={
            name: Edited(distance, _counts(evidence, cuts))
            for name, (distance, evidence) in true.items()
        },
        n_different=len(apart),
        different=np.cumsum(np.bincount(apart, minlength=bits + 1)[: _WIDEST * bits // 64 + 1]),
        mistakes=_counts(false, cuts),
        cuts=cuts,
    )


def _edited(
    edits: list[Image.Image], looks: list[Look], own: Any, bits: int, radius: int
) -> tuple[Index, list[Evidence]]:
    low = _low(edits, bits)
    every = np.concatenate([phash_low(low)[:, None], turned_hashes(low)], axis=1)
    apart = np.stack([distances(own, every[:, k]) for k in range(8)])
    best, distance = apart.argmin(axis=0), apart.min(axis=0)
    names = (NONE, *TRANSFORMS)
    evidence = [
        compare(looks[i], look(grey(edits[i])).turned(names[best[i]]), _NOT_SURE)
        for i in np.flatnonzero(distance <= radius)
    ]
    return distance, evidence


def _low(images: Sequence[Image.Image], bits: int) -> npt.NDArray[np.float64]:
    side = int(bits**0.5)
    size = (4 * side, 4 * side)
    return low_frequencies(np.stack([resize(grey(image), size) for image in images]), side)


def _hashes(images: Sequence[Image.Image], bits: int) -> Any:
    return phash_low(_low(images, bits))


def _counts(evidence: Sequence[Evidence], cuts: Cuts) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in evidence:
        verdict = one.cut(cuts)
        counts[verdict] = counts.get(verdict, 0) + 1
    return counts


def cuts_from(true: Sequence[Evidence], false: Sequence[Evidence]) -> Cuts:
    """Where to cut: what is sure lies well this side of every different pair that was seen.

    And what is different lies beyond 99 of 100 near-duplicates that the hash proposes, by bits
    and at 32×32, and has a similarity that 99 of 100 different pairs stay within.

    Args:
        true: Near-duplicates that were planted and that the hash proposes.
        false: Pairs of different images, the nearest by their hash.
    """
    told = [one for one in false if not one.low_structure]
    sure_bits = min([_MARGIN * one.distance256 for one in told] + [_MOST_SURE_BITS])
    sure_ssim = 1.0 - _MARGIN * (1.0 - max((one.ssim for one in told), default=0.0))
    sure_moved = _MARGIN * min((one.moved for one in told), default=0.1)
    seen = [one for one in true if not one.low_structure]
    far = [
        float(np.quantile([getattr(one, name) for one in seen], 0.99)) if seen else 0.0
        for name in ("distance256", "moved")
    ]
    # A crop has no more SSIM than another photo: only one that others hardly reach counts.
    usual = float(np.quantile([one.ssim for one in told], 0.99)) if told else 0.0
    return Cuts(
        sure_bits=int(sure_bits),
        sure_ssim=round(sure_ssim, 3),
        sure_moved=round(sure_moved, 4),
        different_bits=max(int(far[0]), int(sure_bits)),
        different_ssim=round(min(usual, sure_ssim), 3),
        different_moved=round(max(far[1], sure_moved), 4),
    )
