"""The channel of features beside that of hashes: which rows are whose, and where to cut.

Features come from elsewhere (`replicate features`, or any program that writes rows of numbers).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.base.randomness import stream
from replicate.duplicates.cuts import FeatureCuts
from replicate.duplicates.cutting import widest
from replicate.duplicates.neighbours import Embedded, cosines_of, nearest_other, similar
from replicate.duplicates.proposing import BOTH, FEATURES, HASH, Proposed
from replicate.duplicates.search import MOST_PAIRS, Pairs, distances
from replicate.duplicates.sides import Side
from replicate.duplicates.transforms import TRANSFORMS

Index = npt.NDArray[np.int64]

_PROBES = 2000  # images that are held against all others of their set
_UNSURE = 0.1  # share of images that people may have to look at in vain
# Of the bits of a hash: of unrelated images half differ, and hardly ever so few in one of 8 ways.
_CLEAR = 5 / 16
_HINT = "Make them of the same folder: replicate features --models NAME --data FOLDER"


def embedded(side: Side, names: Sequence[str] | None, values: npt.NDArray[np.float32]) -> Embedded:
    """Which rows of features are those of a side's images.

    A row's name is an image's path, or the end of it: what `replicate features --data train` calls
    ``a/b.jpg`` is ``train/a/b.jpg`` here.

    Args:
        side: The images.
        names: The rows' names; None: the rows are in the order of the images.
        values: Shape (r, d).

    Raises:
        UsageError: No row is that of an image, one is that of several, or their number is wrong.
    """
    paths = side.hashes.paths
    if names is None:
        if len(values) != len(paths):
            raise UsageError(
                f"There are {len(values)} rows of features without names, and {len(paths)} images.",
                "Give a file that names its rows, such as replicate features writes.",
            )
        return Embedded(values, np.arange(len(paths), dtype=np.int64))
    place = {name: row for row, name in enumerate(names)}
    rows = np.array([_row(path, place) for path in paths], np.int64)
    used = rows[rows >= 0]
    if not len(used):
        example = f" ({names[0]!r}; the images are such as {paths[0]!r})" if names and paths else ""
        raise UsageError(f"No row of features is named as one of the images{example}.", _HINT)
    if len(np.unique(used)) < len(used):
        twice = names[int(used[np.argmax(np.bincount(used)[used])])]
        raise UsageError(f"The row of features {twice!r} is that of several images.", _HINT)
    return Embedded(values, rows)


def _row(path: str, place: dict[str, int]) -> int:
    parts = PurePath(path).parts
    for start in range(len(parts)):
        row = place.get("/".join(parts[start:]))
        if row is not None:
            return row
    return place.get(path, -1)


def measured_cuts(
    side: Side, features: Embedded, radius: int, seed: int, poor: Callable[[int], bool]
) -> FeatureCuts:
    """Where to cut, measured on a set whose images are taken to be different.

    Each image is held against all others of its set. Of the cosines of its nearest others 1 of 10
    may be unsure by mistake; a quarter of the way from the largest to 1 a pair is sure. Others
    that the hash calls near-duplicates are left out, and images with too little structure.

    Args:
        side: The images; those of the larger set measure best.
        features: Their features.
        radius: Bits within which hashes call images near-duplicates.
        seed: Chooses 2,000 of them, if there are more.
        poor: Whether the image at a place has too little structure.

    Raises:
        UsageError: There are fewer than two images with features.
    """
    there = np.flatnonzero(features.row >= 0)
    probed = np.sort(stream(seed, "duplicates", "features").permutation(there)[:_PROBES])
    other, cosine = nearest_other(features, probed)
    known = other >= 0
    probed, other, cosine = probed[known], other[known], cosine[known]
    alike = distances(side.hashes.hashes[probed], side.hashes.hashes[other]) <= radius
    pairs = zip(probed.tolist(), other.tolist(), strict=True)
    alike |= np.array([poor(one) or poor(two) for one, two in pairs], bool)
    if alike.all():
        raise UsageError(
            "There are no two different images with features to measure the cuts on.",
            "Say them: --features-sure 0.95 --features-unsure 0.85",
        )
    apart = 1.0 - cosine[~alike]
    sure = 1.0 - widest(apart, 0.0)
    return FeatureCuts(sure=sure, unsure=min(sure, 1.0 - widest(apart, _UNSURE)))


def with_features(
    proposed: Proposed,
    reference: Side,
    candidates: Side | None,
    features: tuple[Embedded, Embedded],
    cuts: FeatureCuts,
    most: int = MOST_PAIRS,
) -> Proposed:
    """What the hashes propose, and what features propose beside it.

    Args:
        proposed: What the hashes propose.
        reference: One side.
        candidates: The other; None for pairs within the first.
        features: Both sides' features; within one side, its own twice.
        cuts: From which cosine on features propose.
        most: How many pairs features may propose.

    Returns:
        The pairs of both, sorted by reference, then candidate, each with its cosine, and with the
        distance of its hashes even where that is beyond the radius.

    Raises:
        UsageError: The features are of different widths.
        GuardError: There are more pairs.
    """
    first, second = features
    pairs, other = proposed.pairs, candidates or reference
    alike = similar(first, None if candidates is None else second, cuts.unsure, most)
    m = len(other)
    new = ~np.isin(alike.reference * m + alike.candidate, pairs.reference * m + pairs.candidate)
    one, two = alike.reference[new], alike.candidate[new]
    distance, transform = _best(reference, other, one, two)
    every = np.concatenate(
        [
            np.stack([pairs.reference, pairs.candidate, pairs.distance, proposed.transform], 1),
            np.stack([one, two, distance, transform], axis=1),
        ]
    )
    cosine = np.concatenate(
        [cosines_of(first, second, pairs.reference, pairs.candidate), alike.cosine[new]]
    )
    by_hash = np.arange(len(every)) < len(pairs)
    found_by = np.where(by_hash, np.where(cosine >= cuts.unsure, BOTH, HASH), FEATURES)
    order = np.lexsort((every[:, 1], every[:, 0]))
    columns = [every[order, column] for column in range(4)]
    return replace(
        proposed,
        pairs=Pairs(*columns[:3]),
        transform=columns[3],
        found_by=found_by[order],
        cosine=cosine[order],
    )


def _best(reference: Side, candidates: Side, one: Index, two: Index) -> tuple[Index, Index]:
    """The distances of hashes, and in which position: as they are, unless a turn is clear."""
    own, others = reference.hashes, candidates.hashes
    plain = distances(own.hashes[one], others.hashes[two])
    if others.turned is None:
        return plain, np.zeros(len(one), np.int64)
    turned = np.stack(
        [distances(own.hashes[one], others.turned[two, place]) for place in range(len(TRANSFORMS))]
    )
    best = turned.min(axis=0)
    clear = (best <= _CLEAR * own.bits) & (best < plain)
    return np.where(clear, best, plain), np.where(clear, turned.argmin(axis=0) + 1, 0)
