"""All pairs of hashes within a Hamming radius: exact, by comparing every one with every one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError

Words = npt.NDArray[np.uint64]
Index = npt.NDArray[np.int64]

_BLOCK = 1 << 20  # comparisons held at a time: 8 MiB of words, a few times that in all


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


def pairs_within(reference: Words, candidates: Words, radius: int) -> Pairs:
    """Every pair of a reference and a candidate at most ``radius`` bits apart.

    Memory beside the pairs themselves is a few tens of MiB, whatever the sizes; time grows with
    their product.

    Args:
        reference: Shape (n,) for 64 bits or (n, 4) for 256.
        candidates: Shape (m,) or (m, 4).
        radius: Bits that may differ, 0 or more.

    Raises:
        UsageError: The radius is negative, or the hashes differ in length.

    >>> found = pairs_within(np.array([0, 255], np.uint64), np.array([1], np.uint64), 7)
    >>> list(zip(found.reference, found.candidate, found.distance))
    [(np.int64(0), np.int64(0), np.int64(1)), (np.int64(1), np.int64(0), np.int64(7))]
    """
    _check(reference, candidates, radius)
    left, right = _rows(reference), _rows(candidates)
    parts: list[tuple[Index, Index, Index]] = []
    step = max(1, _BLOCK // max(1, min(len(right), _BLOCK)))
    for row in range(0, len(left), step):
        for column in range(0, len(right), _BLOCK):
            found = _block(left[row : row + step], right[column : column + _BLOCK], radius)
            parts.append((found[0] + row, found[1] + column, found[2]))
    return _joined(parts)


def pairs_among(hashes: Words, radius: int) -> Pairs:
    """Every pair within one set at most ``radius`` bits apart, each once, no image with itself.

    Args:
        hashes: Shape (n,) or (n, 4).
        radius: Bits that may differ, 0 or more.

    Returns:
        Pairs whose ``reference`` index is below their ``candidate`` index.
    """
    _check(hashes, hashes, radius)
    rows = _rows(hashes)
    parts: list[tuple[Index, Index, Index]] = []
    step = max(1, _BLOCK // max(1, min(len(rows), _BLOCK)))
    for row in range(0, len(rows), step):
        for column in range(row, len(rows), _BLOCK):
            found = _block(rows[row : row + step], rows[column : column + _BLOCK], radius)
            first, second = found[0] + row, found[1] + column
            once = first < second
            parts.append((first[once], second[once], found[2][once]))
    return _joined(parts)


def _block(left: Words, right: Words, radius: int) -> tuple[Index, Index, Index]:
    total = popcount(left[:, None, 0] ^ right[None, :, 0])
    if left.shape[1] > 1:
        total = total.astype(np.int64)
        for word in range(1, left.shape[1]):
            total += popcount(left[:, None, word] ^ right[None, :, word])
    first, second = np.nonzero(total <= radius)
    return first, second, total[first, second].astype(np.int64)


def _joined(parts: list[tuple[Index, Index, Index]]) -> Pairs:
    none: Index = np.zeros(0, dtype=np.int64)
    columns = [np.concatenate([none, *(part[i] for part in parts)]) for i in range(3)]
    order = np.lexsort((columns[1], columns[0]))
    return Pairs(columns[0][order], columns[1][order], columns[2][order])
