"""The compiled loops of the index search. Imported only when a search is large enough for them.

All take hashes as rows of 64-bit words, and give the same whatever the machine.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from replicate.base.compiled import compiled

BLOCK = 2048  # reference hashes gathered at a time: with their ids they stay in the nearest cache
_FIRST_ROOM = 1024  # pairs that a call has room for before it needs more


def _population(_context: Any, word: Any) -> Any:  # noqa: ARG001 - numba's names
    """The number of ones in a word: one instruction of the processor."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


_ones: Any = intrinsic(_population)


@compiled
def keys_of(hashes: Any, bits: Any) -> Any:
    """Some bits of every hash as one number: shape (n,).

    Args:
        hashes: Shape (n, words).
        bits: Which bits, 0 the highest of the first word; 32 at most.
    """
    keys = np.zeros(len(hashes), dtype=np.uint32)
    for i in range(len(hashes)):
        key = np.uint64(0)
        for bit in bits:
            word = hashes[i, bit >> 6]
            key = (key << np.uint64(1)) | ((word >> np.uint64(63 - (bit & 63))) & np.uint64(1))
        keys[i] = np.uint32(key)
    return keys


@compiled
def bucket_order(keys: Any, n_keys: Any) -> Any:
    """A stable counting sort: where each key's items start, shape (n_keys + 1,), and the order."""
    starts = np.zeros(n_keys + 1, dtype=np.int32)
    for key in keys:
        starts[key + 1] += 1
    for key in range(n_keys):
        starts[key + 1] += starts[key]
    place = starts[:-1].copy()
    order = np.empty(len(keys), dtype=np.int32)
    for i in range(len(keys)):
        order[place[keys[i]]] = i
        place[keys[i]] += 1
    return starts, order


@compiled
def work_of(keys: Any, starts: Any, masks: Any) -> Any:
    """How many reference hashes each query is compared with: shape (n,); equal keys adjoin."""
    work = np.zeros(len(keys), dtype=np.int64)
    for i in range(len(keys)):
        if i > 0 and keys[i] == keys[i - 1]:
            work[i] = work[i - 1]
            continue
        for mask in masks:
            near = keys[i] ^ mask
            work[i] += starts[near + 1] - starts[near]
    return work


@compiled
def _room(found: Any) -> Any:
    larger = np.empty((2 * len(found), 3), dtype=np.int32)
    larger[: len(found)] = found
    return larger


@compiled
def _any_near(query: Any, block: Any, filled: Any, radius: Any) -> Any:
    """Whether any gathered hash may be near: counts ones in the first two words, all at once."""
    near = np.uint64(0)
    limit = np.uint64(radius)
    if len(query) == 1:
        word = query[0]
        row = block[0]
        for j in range(filled):
            near += np.uint64(_ones(word ^ row[j]) <= limit)
    else:
        one, two = query[0], query[1]
        first, second = block[0], block[1]
        for j in range(filled):
            near += np.uint64(_ones(one ^ first[j]) + _ones(two ^ second[j]) <= limit)
    return near > 0


@compiled
def _earlier(query: Any, block: Any, j: Any, part: Any, masks: Any, limits: Any) -> Any:
    """Whether an earlier part of the hash finds the pair too."""
    for before in range(part):
        apart = np.uint64(0)
        for word in range(len(query)):
            apart += _ones((query[word] ^ block[word, j]) & masks[before, word])
        if np.int64(apart) <= limits[before]:
            return True
    return False


@compiled
def join(
    queries: Any,
    query_ids: Any,
    query_keys: Any,
    references: Any,
    reference_ids: Any,
    starts: Any,
    flips: Any,
    part: Any,
    masks: Any,
    limits: Any,
    radius: Any,
    same: Any,
    most: Any,
) -> Any:
    """The pairs that one part of the hash finds first.

    Args:
        queries: Hashes of queries in the order of their keys, shape (n, words).
        query_ids: Their indices, shape (n,).
        query_keys: Their keys, shape (n,).
        references: Reference hashes in the order of their keys, shape (m, words).
        reference_ids: Their indices, shape (m,).
        starts: Where each key's references start, shape (keys + 1,).
        flips: What to flip in a key to get the keys that are near enough.
        part: Which part of the hash the keys are.
        masks: The bits of every part, shape (parts, words).
        limits: How many bits may differ in each part, shape (parts,).
        radius: How many bits may differ in all.
        same: Whether queries and references are one set: each pair once, none with itself.
        most: Stop when there are more pairs than this.

    Returns:
        Reference, query, distance: shape (pairs, 3), in no particular order.
    """
    words = queries.shape[1]
    found = np.empty((_FIRST_ROOM, 3), dtype=np.int32)
    count = 0
    block = np.empty((words, BLOCK), dtype=np.uint64)
    ids = np.empty(BLOCK, dtype=np.int32)
    first = 0
    while first < len(queries):
        key = query_keys[first]
        last = first + 1
        while last < len(queries) and query_keys[last] == key:
            last += 1
        filled = 0
        flip = 0
        near = key ^ flips[0]
        place = starts[near]
        while flip < len(flips):
            # Gather neighbouring buckets until the block is full or there are no more.
            if place == starts[near + 1] or (same and near < key):
                flip += 1
                if flip < len(flips):
                    near = key ^ flips[flip]
                    place = starts[near]
            else:
                take = min(starts[near + 1] - place, BLOCK - filled)
                for j in range(take):
                    for word in range(words):
                        block[word, filled + j] = references[place + j, word]
                    ids[filled + j] = reference_ids[place + j]
                filled += take
                place += take
            if filled < BLOCK and flip < len(flips):
                continue
            for i in range(first, last):
                if not _any_near(queries[i], block, filled, radius):
                    continue
                for j in range(filled):
                    apart = np.uint64(0)
                    for word in range(words):
                        apart += _ones(queries[i, word] ^ block[word, j])
                    if np.int64(apart) > radius:
                        continue
                    if same and ids[j] >= query_ids[i]:
                        # Within one bucket a pair is met from both sides, in others once.
                        inside = np.uint64(0)
                        for word in range(words):
                            inside |= (queries[i, word] ^ block[word, j]) & masks[part, word]
                        if inside == 0:
                            continue
                    if _earlier(queries[i], block, j, part, masks, limits):
                        continue
                    if count == len(found):
                        found = _room(found)
                    swap = same and ids[j] > query_ids[i]
                    found[count, 0] = query_ids[i] if swap else ids[j]
                    found[count, 1] = ids[j] if swap else query_ids[i]
                    found[count, 2] = np.int32(apart)
                    count += 1
                    if count > most:
                        return found[:count].copy()
            filled = 0
        first = last
    return found[:count].copy()
