"""The index finds exactly the pairs that comparing every hash with every other finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.base.errors import GuardError
from replicate.duplicates import index, search
from replicate.duplicates.index import Part, plan
from replicate.duplicates.search import pairs_among, pairs_within


def _uniform(random: np.random.Generator, n: int, words: int) -> np.ndarray:
    return random.integers(0, 2**64, (n, words), dtype=np.uint64)


def _clustered(random: np.random.Generator, n: int, words: int) -> np.ndarray:
    """A few centres, and some bits flipped."""
    hashes = _uniform(random, 3, words)[random.integers(0, 3, n)]
    for _ in range(int(random.integers(0, 12 * words))):
        places = random.integers(0, 64 * words, n)
        hashes[np.arange(n), places >> 6] ^= np.uint64(1) << (places & 63).astype(np.uint64)
    return hashes


def _all_equal(random: np.random.Generator, n: int, words: int) -> np.ndarray:
    return np.repeat(_uniform(random, 1, words), n, axis=0)


def _all_even(random: np.random.Generator, n: int, words: int) -> np.ndarray:
    """As pHash has them: half of the bits are ones, the first is one; distances are even."""
    flags = np.zeros((n, 64 * words), dtype=bool)
    for row in flags:
        row[0] = True
        row[1 + random.permutation(64 * words - 1)[: 32 * words - 1]] = True
    return np.packbits(flags, axis=1).view(">u8").astype(np.uint64)


def _one_bucket(random: np.random.Generator, n: int, words: int) -> np.ndarray:
    """Most bits alike in most hashes, so that whole buckets are crowded."""
    hashes = _uniform(random, n, words)
    hashes[random.random(n) < 0.8] &= np.uint64(0xFFFF)
    return hashes


KINDS = (_uniform, _clustered, _all_equal, _all_even, _one_bucket)


@pytest.fixture
def by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_SMALL", 0)
    monkeypatch.setattr(index, "_CHUNK", 5000)


def _every(first: np.ndarray, second: np.ndarray | None, radius: int) -> np.ndarray:
    found = np.concatenate(list(search._every(first, second, radius)))
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _table(pairs: search.Pairs) -> np.ndarray:
    return np.stack([pairs.reference, pairs.candidate, pairs.distance], axis=1)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    words=st.sampled_from([1, 4]),
    sizes=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    share=st.floats(0, 1),
    parts=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
def test_the_index_finds_what_comparing_all_finds(
    kind: object, words: int, sizes: tuple[int, int], share: float, parts: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    first, second = (kind(random, n, words) for n in sizes)  # type: ignore[operator]
    # Some are planted near each other, at the radius and one beyond.
    radius = round(share * (24 if words == 1 else 80))
    for place in range(min(sizes) // 2):
        flags = np.zeros(64 * words, dtype=bool)
        flags[random.permutation(64 * words)[: radius + place % 2]] = True
        second[place] = first[place] ^ np.packbits(flags).view(">u8").astype(np.uint64)
    planned = _cut(index._differing(first, second), parts, radius)
    patch = pytest.MonkeyPatch()
    with patch.context() as changed:
        changed.setattr(search, "_SMALL", 0)
        changed.setattr(index, "_CHUNK", 2000)
        changed.setattr(index, "plan", lambda *_: planned)
        changed.setattr(index, "_checked", lambda parts, *_: parts)
        assert np.array_equal(
            _table(pairs_within(first, second, radius)), _every(first, second, radius)
        )
        both = np.concatenate([first, second])
        changed.setattr(index, "plan", lambda *_: _cut(index._differing(both, both), parts, radius))
        assert np.array_equal(_table(pairs_among(both, radius)), _every(both, None, radius))


def _cut(bits: tuple[int, ...], number: int, radius: int) -> list[Part]:
    """Any number of parts, whatever it costs, of 12 bits at most."""
    number = min(max(number, -(-len(bits) // 12)), len(bits))
    if number == 0:
        return [Part((), 0)]
    sizes = [len(bits) // number + (i < len(bits) % number) for i in range(number)]
    limits = index._limits(sizes, radius) if radius < len(bits) else sizes
    ends = np.cumsum(sizes).tolist()
    return [
        Part(bits[end - size : end], limit)
        for size, end, limit in zip(sizes, ends, limits, strict=True)
        if limit >= 0
    ]


@settings(max_examples=40, deadline=None)
@given(
    n_bits=st.integers(0, 256),
    radius=st.integers(0, 100),
    sizes=st.tuples(st.integers(1, 10**7), st.integers(1, 10**7)),
)
def test_every_plan_keeps_the_pigeonhole_guarantee(
    n_bits: int, radius: int, sizes: tuple[int, int]
) -> None:
    parts = plan(tuple(range(n_bits)), radius, *sizes)
    if parts != [Part((), 0)]:
        assert sum(part.limit + 1 for part in parts) == radius + 1
        used = [bit for part in parts for bit in part.bits]
        assert len(used) == len(set(used)) and set(used) <= set(range(n_bits))
        assert all(len(part.bits) <= 21 for part in parts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("words", "radius"), [(1, 6), (4, 20)])
def test_thousands_through_the_plan_that_is_really_made(
    by_index: None, kind: object, words: int, radius: int
) -> None:
    random = np.random.default_rng(7)
    first, second = kind(random, 3000, words), kind(random, 500, words)  # type: ignore[operator]
    second[:100] = first[:100]
    assert np.array_equal(
        _table(pairs_within(first, second, radius)), _every(first, second, radius)
    )
    assert np.array_equal(_table(pairs_among(second, radius)), _every(second, None, radius))


def test_crowded_hashes_are_compared_one_with_every_other() -> None:
    random = np.random.default_rng(1)
    crowded = _one_bucket(random, 3000, 1)
    parts = plan(index._differing(crowded, crowded), 10, 10**6, 10**6)
    assert len(parts) > 1
    assert index._checked(parts, crowded, crowded) == [Part((), 0)]
    even = _uniform(random, 3000, 1)
    assert index._checked(parts, even, even) == parts


def test_the_index_refuses_as_early(by_index: None) -> None:
    same = np.full((30_000, 4), 5, dtype=np.uint64)
    with pytest.raises(GuardError, match="More than 100,000 pairs"):
        pairs_within(same, same, 3, most=100_000)
    with pytest.raises(GuardError, match="More than 100,000 pairs"):
        pairs_among(same, 3, most=100_000)
