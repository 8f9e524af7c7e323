"""All pairs of hashes within a Hamming radius: exact, never estimated.

Small sets are compared one with every other (the reference that the index is tested against);
larger ones go through the index of `replicate.duplicates.index`, which finds the same pairs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import GuardError, UsageError

Words = npt.NDArray[np.uint64]
Index = npt.NDArray[np.int64]
Found = npt.NDArray[np.int32]

_BLOCK = 1 << 20  # comparisons held at a time: 8 MiB of words, a few times that in all
_SMALL = 1 << 29  # words compared in about a second; loading the compiled index takes as long
MOST_PAIRS = 5_000_000  # 120 MB; pixels would need hours for as many


@dataclass(frozen=True)
class Pairs:
    """Pairs of images whose hashes are near each other, sorted by reference, then candidate.

    Attributes:
        reference: Index into the reference hashes, shape (p,).
        candidate: Index into the candidate hashes, shape (p,).
        distance: Number of bits that differ, shape (p,).
    """

    reference: Index
    candidate: Index
    distance: Index

    def __len__(self) -> int:
        return len(self.distance)

    def some(self, which: Any) -> "Pairs":
        """A selection of the pairs, by index, slice or flags."""
        return Pairs(self.reference[which], self.candidate[which], self.distance[which])


def popcount(words: Words) -> npt.NDArray[np.uint8]:
    """The number of ones in each word.

    >>> popcount(np.array([0, 7, 2**64 - 1], dtype=np.uint64)).tolist()
    [0, 3, 64]
    """
    if hasattr(np, "bitwise_count"):
        counts: npt.NDArray[np.uint8] = np.bitwise_count(words)
        return counts
    return _popcount_by_arithmetic(words)


def _popcount_by_arithmetic(words: Words) -> npt.NDArray[np.uint8]:
    """For numpy 1, which has no bit count: add up groups of 1, 2 and 4 bits."""
    masks = (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F)
    total = words
    for shift, mask in zip((1, 2, 4), masks, strict=True):
        kept = np.uint64(mask)
        total = (total & kept) + ((total >> np.uint64(shift)) & kept)
    return ((total * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.uint8)


def _rows(hashes: Words) -> Words:
    """Hashes as shape (n, words)."""
    return hashes.reshape(len(hashes), 1) if hashes.ndim == 1 else hashes


def distances(first: Words, second: Words) -> Index:
    """The number of differing bits of hashes taken side by side.

    Args:
        first: Shape (p,) or (p, words).
        second: The same shape.

    Returns:
        Shape (p,).
    """
    total: Index = popcount(_rows(first) ^ _rows(second)).sum(axis=1, dtype=np.int64)
    return total


def _check(reference: Words, candidates: Words, radius: int) -> None:
    if radius < 0:
        raise UsageError(f"The radius is {radius}.", "A radius is 0 bits or more.")
    widths = [_rows(hashes).shape[1] for hashes in (reference, candidates) if len(hashes)]
    if len(set(widths)) > 1:
        raise UsageError(
            f"Hashes of {64 * widths[0]} and of {64 * widths[1]} bits cannot be compared.",
            "Hash both sets with the same number of bits.",
        )


def pairs_within(reference: Words, candidates: Words, radius: int, most: int = MOST_PAIRS) -> Pairs:
    """Every pair of a reference and a candidate at most ``radius`` bits apart.

    Memory beside the hashes and the pairs themselves: a few tens of MiB for small sets; for
    large ones 12 bytes an image and 8 a word of its hash.

    Args:
        reference: Shape (n,) for 64 bits or (n, 4) for 256.
        candidates: Shape (m,) or (m, 4).
        radius: Bits that may differ, 0 or more.
        most: How many pairs there may be.

    Raises:
        UsageError: The radius is negative, or the hashes differ in length.
        GuardError: There are more pairs than that.

    >>> found = pairs_within(np.array([0, 255], np.uint64), np.array([1], np.uint64), 7)
    >>> list(zip(found.reference, found.candidate, found.distance))
    [(np.int64(0), np.int64(0), np.int64(1)), (np.int64(1), np.int64(0), np.int64(7))]
    """
    _check(reference, candidates, radius)
    return _joined(_search(_rows(reference), _rows(candidates), radius, most), radius, most)


def pairs_among(hashes: Words, radius: int, most: int = MOST_PAIRS) -> Pairs:
    """Every pair within one set at most ``radius`` bits apart, each once, no image with itself.

    Args:
        hashes: Shape (n,) or (n, 4).
        radius: Bits that may differ, 0 or more.
        most: How many pairs there may be.

    Returns:
        Pairs whose ``reference`` index is below their ``candidate`` index.

    Raises:
        UsageError: The radius is negative.
        GuardError: There are more pairs than ``most``.
    """
    _check(hashes, hashes, radius)
    return _joined(_search(_rows(hashes), None, radius, most), radius, most)


def _search(left: Words, right: Words | None, radius: int, most: int) -> Iterator[Found]:
    """Reference, candidate and distance of pairs, some at a time, in any order."""
    other = len(left) if right is None else len(right)
    if len(left) * other * left.shape[1] <= _SMALL:
        return _every(left, right, radius)
    # Imported late: it brings a compiler.
    from replicate.duplicates.index import search

    return search(left, right, radius, most)


def _every(left: Words, right: Words | None, radius: int) -> Iterator[Found]:
    """The same by comparing every hash with every other."""
    columns = left if right is None else right
    step = max(1, _BLOCK // max(1, min(len(columns), _BLOCK)))
    for row in range(0, len(left), step):
        for column in range(0 if right is not None else row, len(columns), _BLOCK):
            found = _block(left[row : row + step], columns[column : column + _BLOCK], radius)
            found[:, 0] += row
            found[:, 1] += column
            yield found if right is not None else found[found[:, 0] < found[:, 1]]


def _block(left: Words, right: Words, radius: int) -> Found:
    total = popcount(left[:, None, 0] ^ right[None, :, 0])
    if left.shape[1] > 1:
        total = total.astype(np.uint16)
        for word in range(1, left.shape[1]):
            total += popcount(left[:, None, word] ^ right[None, :, word])
    first, second = np.nonzero(total <= radius)
    return np.stack([first, second, total[first, second]], axis=1).astype(np.int32)


def _joined(parts: Iterator[Found], radius: int, most: int) -> Pairs:
    """All pairs in their order.

    Raises:
        GuardError: There are more than ``most``.
    """
    found: list[Found] = [np.zeros((0, 3), dtype=np.int32)]
    total = 0
    for part in parts:
        total += len(part)
        if total > most:
            raise GuardError(
                f"More than {most:,} pairs of images lie within {radius} bits of each other.",
                "Images with little structure crowd together: search within a smaller radius, "
                "or with hashes of 256 bits.",
            )
        found.append(part)
    every = np.concatenate(found)
    order = np.lexsort((every[:, 1], every[:, 0]))
    columns = [every[order, column].astype(np.int64) for column in range(3)]
    return Pairs(*columns)
