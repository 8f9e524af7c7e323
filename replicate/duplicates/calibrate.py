"""Thresholds that are measured, not guessed.

Known near-duplicates are made from the reference images by a function that is handed in; images
known to be different are handed in too, or else each image is held against all others of its set.
Both go the whole way, through hash and pixels. The threshold is three times what the planted
near-duplicates need (real ones have a longer tail than any sample of planted ones), but never
more than what keeps to the share of different images that may be dropped by mistake.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.base.randomness import stream
from replicate.duplicates.confirm import Thresholds, moved_a_little
from replicate.duplicates.hashing import phash_stack
from replicate.duplicates.search import distances, pairs_within

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Edit = Callable[[Pixels, np.random.Generator], Pixels]

_MARGIN = 3.0  # of the threshold over the farthest planted near-duplicate
_CLEAR = 0.9  # share of the planted near-duplicates that count as clear ones
_CHUNK = 4096


@dataclass(frozen=True)
class Calibration:
    """What was measured, and the thresholds that follow.

    Attributes:
        sure: Pixel distance up to which a pair is a near-duplicate.
        different: Pixel distance above which a pair is none.
        radius: The hash radius that it holds for, in bits.
        n_planted: How many near-duplicates were planted.
        recall: Share of them that hash and pixels together find, in [0, 1].
        hash_recall: Share of them that the hash proposes at that radius.
        needed: The largest pixel distance of a planted near-duplicate that the hash proposes.
        clear: Nine of ten planted near-duplicates are nearer than this to their originals.
        needed_radius: The largest hash distance of a planted near-duplicate, in bits.
        n_different: How many different images were tried.
        false_rate: Share of them that would be dropped, in [0, 1].
        allowed: The widest threshold that keeps to the allowed share.
    """

    sure: float
    different: float
    radius: int
    n_planted: int
    recall: float
    hash_recall: float
    needed: float
    clear: float
    needed_radius: int
    n_different: int
    false_rate: float
    allowed: float

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds alone."""
        return Thresholds(self.sure, self.different)

    def as_dict(self) -> dict[str, Any]:
        """All figures, JSON-serialisable."""
        return asdict(self)


def calibrate(
    reference: Pixels,
    edit: Edit,
    different: Pixels | None = None,
    *,
    radius: int,
    seed: int,
    bits: int = 64,
    max_false: float = 0.01,
    sample: int = 300,
    probes: int = 2000,
) -> Calibration:
    """Find the pixel threshold on the user's own images.

    Args:
        reference: Prepared reference images, shape (n, height, width), n ≥ 1.
        edit: Makes near-duplicates: takes prepared images of shape (k, height, width) and a
            random generator, gives edited and again prepared ones, of the same shape.
        different: Prepared images, none of which is a near-duplicate of a reference image,
            shape (m, height, width). Left out: reference images, each against all the others.
        radius: Hash distance up to which pairs are proposed, in bits.
        seed: The study's seed; it chooses the planted images and drives the edits.
        bits: 64 or 256.
        max_false: Share of different images that may be dropped, in [0, 1).
        sample: How many reference images are edited, at most.
        probes: How many reference images stand in for different ones, at most.

    Raises:
        UsageError: There are no images, or a share or a shape is wrong.
    """
    if len(reference) == 0 or (len(reference) == 1 if different is None else not len(different)):
        raise UsageError(
            "Calibration needs reference images and different images; one of them is empty.",
            "Name at least two sets of images, or give a threshold.",
        )
    if not 0.0 <= max_false < 1.0:
        raise UsageError(f"A share of {max_false} is not in [0, 1).", "Use a share such as 0.01.")
    random = stream(seed, "duplicates", "calibrate")
    chosen = np.sort(random.permutation(len(reference))[:sample])
    own = reference[chosen]
    planted = edit(own, random)
    bits_apart = distances(phash_stack(own, bits), phash_stack(planted, bits))
    pixels_apart = moved_a_little(own, planted)
    proposed = bits_apart <= radius
    needed = float(pixels_apart[proposed].max(initial=0.0))
    clear = float(np.quantile(pixels_apart[proposed], _CLEAR)) if proposed.any() else 0.0
    if different is None:
        nearest = _nearest_other(reference, radius, bits, clear, random, probes)
    else:
        nearest = nearest_distance(reference, different, radius=radius, bits=bits)
    allowed = widest_threshold(nearest, max_false)
    sure = min(_MARGIN * needed, allowed)
    return Calibration(
        sure=sure,
        different=max(needed, sure),
        radius=radius,
        n_planted=len(planted),
        recall=float((proposed & (pixels_apart <= sure)).mean()),
        hash_recall=float(proposed.mean()),
        needed=needed,
        clear=clear,
        needed_radius=int(bits_apart.max(initial=0)),
        n_different=len(nearest),
        false_rate=_share(nearest, sure),
        allowed=allowed,
    )


def tightened(
    calibration: Calibration,
    images: Pixels,
    *,
    seed: int,
    bits: int = 64,
    max_false: float = 0.01,
    probes: int = 2000,
) -> Calibration:
    """The calibration for pairs within another set, whose images may be more alike.

    Each image is held against all others of the set; the threshold only ever gets smaller.

    Args:
        calibration: What was measured on the reference images.
        images: Prepared images of the other set, shape (m, height, width).
        seed: The study's seed.
        bits: 64 or 256.
        max_false: Share of its images that may be dropped by mistake, in [0, 1).
        probes: How many of them are looked at, at most.
    """
    random = stream(seed, "duplicates", "tightened")
    nearest = _nearest_other(images, calibration.radius, bits, calibration.clear, random, probes)
    allowed = widest_threshold(nearest, max_false)
    sure = min(calibration.sure, allowed)
    return replace(
        calibration,
        sure=sure,
        allowed=allowed,
        n_different=len(nearest),
        false_rate=_share(nearest, sure),
    )


def _share(nearest: Floats, threshold: float) -> float:
    return float((nearest <= threshold).mean()) if len(nearest) else 0.0


def _nearest_other(
    images: Pixels, radius: int, bits: int, clear: float, random: np.random.Generator, probes: int
) -> Floats:
    """Distances of a set's images to the nearest other one, without those that are copies.

    A set may hold copies of its own images. Whatever is as near as a clear near-duplicate is
    taken for one, and left out: it says nothing about different images.
    """
    itself = np.sort(random.permutation(len(images))[:probes])
    nearest = nearest_distance(images, images[itself], radius=radius, bits=bits, itself=itself)
    return nearest[nearest > clear]


def nearest_distance(
    reference: Pixels,
    images: Pixels,
    *,
    radius: int,
    bits: int = 64,
    itself: npt.NDArray[np.int64] | None = None,
) -> Floats:
    """Each image's pixel distance to the nearest reference image that the hash proposes.

    Args:
        reference: Prepared images, shape (n, height, width).
        images: Prepared images, shape (m, height, width).
        radius: Hash distance up to which pairs are proposed, in bits.
        bits: 64 or 256.
        itself: For each image its own index among the references, which does not count.

    Returns:
        Shape (m,); infinite where the hash proposes none.
    """
    pairs = pairs_within(phash_stack(reference, bits), phash_stack(images, bits), radius)
    nearest = np.full(len(images), np.inf)
    for start in range(0, len(pairs), _CHUNK):
        one = pairs.reference[start : start + _CHUNK]
        two = pairs.candidate[start : start + _CHUNK]
        if itself is not None:
            other = one != itself[two]
            one, two = one[other], two[other]
        np.minimum.at(nearest, two, moved_a_little(reference[one], images[two]))
    return nearest


def widest_threshold(nearest: Floats, max_false: float) -> float:
    """The largest threshold in [0, 1] that at most so large a share of distances lies within.

    Args:
        nearest: Distances of different images, shape (m,); infinite ones are never dropped.
        max_false: Share that may lie at or below the threshold, in [0, 1).

    >>> widest_threshold(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) < 0.2
    True
    >>> widest_threshold(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) > 0.1999
    True
    """
    if len(nearest) == 0:
        return 1.0
    spared = int(np.floor(max_false * len(nearest) + 1e-9))
    first_too_many = float(np.sort(nearest)[spared])
    return float(np.clip(np.nextafter(first_too_many, -np.inf), 0.0, 1.0))
