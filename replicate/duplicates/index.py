"""Exact search within a radius by multi-index hashing (Norouzi, Punjani and Fleet, 2012).

The bits of a hash are dealt to m parts, and part i is allowed tᵢ differing bits, such that the
sum of (tᵢ + 1) is radius + 1. If every part of a pair differed in more than its tᵢ bits, the pair
would differ in more than radius bits: so each pair that is sought is found by one part at least,
in a bucket whose key is that part's bits with at most tᵢ of them flipped. Nothing is missed and
nothing is estimated; a pair that several parts find is given by the first of them.

Bits that are the same in every hash (pHash's first bit is always 1) say nothing and go to no
part. One part is worked on at a time, so that memory beside the hashes is one sorted copy of
them, with ids, and the table of one part's buckets (8 MiB at most).
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb, inf
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.resources import usable_cores

Words = npt.NDArray[np.uint64]
Found = npt.NDArray[np.int32]

_MOST_KEY_BITS = 21
_CHUNK = 1 << 29  # comparisons between two looks at the number of pairs: about a quarter second
_TRIED = 4096  # queries that say how full the buckets really are
# What a plan costs: nanoseconds of comparing two words, of copying a hash into a block, of
# looking into a bucket, and of sorting a hash into its bucket. Only their ratios matter.
_COMPARE, _COPY, _LOOK, _SORT = 0.4, 2.0, 4.0, 60.0


@dataclass(frozen=True)
class Part:
    """Some bits of the hash, and how many of them may differ.

    Attributes:
        bits: Which, 0 the highest bit of the first word.
        limit: How many may differ, 0 or more.
    """

    bits: tuple[int, ...]
    limit: int

    @cached_property
    def flips(self) -> npt.NDArray[np.uint32]:
        """What to flip in a key to get every key within the limit; nothing comes first."""
        ones = [1 << i for i in range(len(self.bits))]
        return np.array(
            [sum(some) for size in range(self.limit + 1) for some in combinations(ones, size)],
            dtype=np.uint32,
        )


def plan(bits: tuple[int, ...], radius: int, n_references: int, n_queries: int) -> list[Part]:
    """How to cut a hash into parts so that the search costs least.

    Args:
        bits: The bits that differ anywhere, in order.
        radius: How many bits may differ, 0 or more.
        n_references: How many reference hashes there are.
        n_queries: How many queries.

    Returns:
        The parts. One part without bits means that every hash is compared with every other.

    >>> [(len(part.bits), part.limit) for part in plan(tuple(range(64)), 10, 10**6, 10**6)]
    [(16, 2), (16, 2), (16, 2), (16, 1)]
    """
    words = 1 if max(bits, default=0) < 64 else 2
    best, parts = words * _COMPARE * n_references * n_queries, [Part((), 0)]
    fewest = -(-len(bits) // _MOST_KEY_BITS)
    for number in range(max(1, fewest), min(len(bits), radius + 1 + fewest) + 1):
        sizes = [len(bits) // number + (i < len(bits) % number) for i in range(number)]
        limits = _limits(sizes, radius)
        costs = [
            _cost(size, limit, n_references, n_queries, words)
            for size, limit in zip(sizes, limits, strict=True)
        ]
        if sum(costs) < best:
            ends = np.cumsum(sizes).tolist()
            best, parts = (
                sum(costs),
                [
                    Part(bits[end - size : end], limit)
                    for size, end, limit in zip(sizes, ends, limits, strict=True)
                    if limit >= 0
                ],
            )
    return parts


def _limits(sizes: list[int], radius: int) -> list[int]:
    """Limits whose (limit + 1) add up to radius + 1, each next bit where it costs least."""
    limits = [-1] * len(sizes)
    for _ in range(radius + 1):
        steps = [
            comb(size, limit + 1) / 2**size if limit < size else inf
            for size, limit in zip(sizes, limits, strict=True)
        ]
        limits[steps.index(min(steps))] += 1
    return limits


def _cost(size: int, limit: int, n_references: int, n_queries: int, words: int) -> float:
    if limit < 0:
        return 0.0
    if limit >= size:
        return inf
    flips = sum(comb(size, i) for i in range(limit + 1))
    keys = min(2**size, n_queries)
    near = flips * n_references / 2**size
    total: float = (
        _SORT * (n_references + n_queries)
        + keys * (flips * _LOOK + near * words * _COPY)
        + n_queries * near * words * _COMPARE
    )
    return total


def search(
    references: Words, queries: Words | None, radius: int, most: int, threads: int | None = None
) -> Iterator[Found]:
    """Every pair within the radius, in no particular order, some at a time.

    Args:
        references: Shape (n, words); below 2^31 of them.
        queries: Shape (m, words); None: pairs within the references, each once, the smaller
            index first.
        radius: How many bits may differ, 0 or more.
        most: Stop soon after there are more pairs than this.
        threads: Default: one for each processor core that this process may use.

    Yields:
        Reference index, query index, distance: shape (pairs, 3).
    """
    same = queries is None
    sought = references if queries is None else queries
    if not len(references) or not len(sought):
        return
    bits = _differing(references, sought)
    parts = _checked(plan(bits, radius, len(references), len(sought)), references, sought)
    masks = np.zeros((len(parts), references.shape[1]), dtype=np.uint64)
    for row, part in enumerate(parts):
        for bit in part.bits:
            masks[row, bit >> 6] |= np.uint64(1 << (63 - (bit & 63)))
    limits = np.array([part.limit for part in parts], dtype=np.int64)
    total = 0
    at_once = threads or usable_cores()
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        for number, part in enumerate(parts):
            how = (part.flips, number, masks, limits, radius, same, most)
            for found in _one_part(pool, at_once, references, sought, part, how):
                total += len(found)
                yield found
                if total > most:
                    return


def _one_part(
    pool: ThreadPoolExecutor,
    at_once: int,
    references: Words,
    queries: Words,
    part: Part,
    how: tuple[Any, ...],
) -> Iterator[Found]:
    """The pairs that one part finds first, a stretch of queries at a time."""
    from replicate.duplicates.kernels import bucket_order, join, keys_of, work_of

    bits = np.array(part.bits, dtype=np.int64)
    starts, order = bucket_order(keys_of(references, bits), 2 ** len(bits))
    bucketed = references[order]
    keys = keys_of(queries, bits)
    by_key = np.argsort(keys, kind="stable").astype(np.int32)
    keys, asked = keys[by_key], queries[by_key]
    ends = _chunks(work_of(keys, starts, part.flips))
    waiting: deque[Future[Found]] = deque()
    try:
        for first, last in zip([0, *ends[:-1]], ends, strict=True):
            some = slice(first, last)
            stretch = (asked[some], by_key[some], keys[some])
            waiting.append(pool.submit(join, *stretch, bucketed, order, starts, *how))
            if len(waiting) > at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _chunks(work: npt.NDArray[np.int64]) -> list[int]:
    """Ends of stretches of queries that hold about so much work each."""
    done = np.cumsum(work)
    steps = np.arange(_CHUNK, int(done[-1]) + _CHUNK, _CHUNK)
    ends = np.minimum(np.searchsorted(done, steps) + 1, len(work))
    return [int(end) for end in np.unique(np.append(ends, len(work)))]


def _differing(references: Words, queries: Words) -> tuple[int, ...]:
    """The bits that are not the same in every hash."""
    every = np.bitwise_and.reduce(references, axis=0) & np.bitwise_and.reduce(queries, axis=0)
    some = np.bitwise_or.reduce(references, axis=0) | np.bitwise_or.reduce(queries, axis=0)
    flags = np.unpackbits((every ^ some).astype(">u8").view(np.uint8))
    return tuple(np.flatnonzero(flags).tolist())


def _checked(parts: list[Part], references: Words, queries: Words) -> list[Part]:
    """The parts, unless these hashes crowd so few buckets that comparing all costs less."""
    from replicate.duplicates.kernels import bucket_order, keys_of, work_of

    tried = np.ascontiguousarray(queries[:: max(1, len(queries) // _TRIED)])
    work = 0.0
    for part in parts:
        bits = np.array(part.bits, dtype=np.int64)
        starts, _ = bucket_order(keys_of(references, bits), 2 ** len(bits))
        work += float(work_of(np.sort(keys_of(tried, bits)), starts, part.flips).mean())
    return parts if work <= len(references) else [Part((), 0)]
