"""The pairs that hashes propose, of two sides or within one, and their images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.duplicates.evidence import Look, Looks
from replicate.duplicates.hashing import Words, frequencies, phash_low
from replicate.duplicates.search import MOST_PAIRS, Pairs, distances, pairs_among, pairs_within
from replicate.duplicates.sides import Side, comparable
from replicate.duplicates.transforms import NONE, TRANSFORMS, turned_hashes

Index = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]

NAMES = (NONE, *TRANSFORMS)
HASH, FEATURES, BOTH = "hash", "features", "hash and features"  # what proposes a pair


@dataclass(frozen=True)
class Proposed:
    """Pairs that hashes or features propose, as indices, each with its best transform.

    Attributes:
        pairs: The pairs, sorted by reference, then candidate.
        transform: For each the place in ``(NONE, *TRANSFORMS)``, shape (p,).
        found_by: What proposes it, shape (p,): ``hash``, ``features`` or ``hash and features``;
            None: all by the hash.
        cosine: Of the images' features, shape (p,), not a number where an image has none; None:
            there are no features.
    """

    pairs: Pairs
    transform: npt.NDArray[np.int64]
    found_by: npt.NDArray[np.str_] | None = None
    cosine: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    def some(self, which: Any) -> "Proposed":
        """A selection of the pairs, by index, slice or flags."""
        kept = [None if one is None else one[which] for one in (self.found_by, self.cosine)]
        return Proposed(self.pairs.some(which), self.transform[which], *kept)


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
            second.append(two.turned(NAMES[turn]) if turn else two)
    return places, first, second


def positions(greys: Sequence[Pixels], bits: int, transforms: bool) -> Words:
    """The pHashes of pictures as they are and, if those are sought, in all other positions.

    Args:
        greys: Grey pictures.
        bits: 64 or 256.
        transforms: Whether flips and quarter turns are sought.

    Returns:
        Shape (n, 1) or (n, 8), in the order of ``NAMES``; with 256 bits of 4 words each.
    """
    low = frequencies(greys, bits)
    plain = phash_low(low)[:, None]
    return np.concatenate([plain, turned_hashes(low)], axis=1) if transforms else plain


def nearest_position(own: Words, every: Words) -> tuple[Index, Index]:
    """The position in which each pair's hashes are nearest, and how many bits differ then.

    Args:
        own: Hashes of one side, a row a pair.
        every: The other side's in its positions, as `positions` has them.

    Returns:
        Places in ``NAMES`` (the first of equals, as in `propose`), and bits, each of shape (p,).
    """
    apart = np.stack([distances(own, every[:, k]) for k in range(every.shape[1])])
    return apart.argmin(axis=0), apart.min(axis=0)
