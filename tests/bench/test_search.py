"""All pairs within a radius, 1.33 million against a million, beside faiss on the same hashes.

Run with ``pytest -n0 -s tests/bench/test_search.py --benchmark-only``. Both get one thread. faiss
is asked a few thousand of the queries, and its time is scaled to all of them: it compares each
query with every hash, so that its time is the same for each. The processor's time: what else runs
does not count.
"""

import subprocess
import sys
from time import process_time

import faiss
import numpy as np
import pytest

from replicate.base.randomness import stream
from replicate.duplicates.index import search

N_QUERIES, N_REFERENCES, ASKED, PLANTED = 1_330_000, 1_000_000, 2000, 1000
LIMIT_MIB = 1024

# Memory is that of a process of its own, from its start to its end, hashes included.
IN_ITS_OWN_PROCESS = """
import resource
import numpy as np
from replicate.duplicates.search import pairs_within
random = np.random.default_rng(1)
first = random.integers(0, 2**64, ({n}, {words}), dtype=np.uint64)
second = random.integers(0, 2**64, ({m}, {words}), dtype=np.uint64)
pairs_within(first, second, {radius})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def _hashes(words: int, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Random hashes; some queries are references with just so many bits flipped, or one more."""
    random = stream(1, "bench-search", words)
    references = random.integers(0, 2**64, (N_REFERENCES, words), dtype=np.uint64)
    queries = random.integers(0, 2**64, (N_QUERIES, words), dtype=np.uint64)
    for place in range(PLANTED):
        flags = np.zeros(64 * words, dtype=bool)
        flags[random.permutation(64 * words)[: radius + place % 2]] = True
        flipped = np.packbits(flags).view(">u8").astype(np.uint64)
        queries[place] = references[place] ^ flipped
    return references, queries


@pytest.mark.parametrize(("words", "radius", "floor"), [(1, 10, 25), (4, 31, 40)])
def test_the_index_beside_faiss(benchmark, words: int, radius: int, floor: int) -> None:
    references, queries = _hashes(words, radius)
    list(search(references[:2000], queries[:2000], radius, 10**6, threads=1))  # compiled
    found = []
    begin = process_time()
    benchmark.pedantic(
        lambda: found.extend(search(references, queries, radius, 10**7, threads=1)), rounds=1
    )
    ours = process_time() - begin
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexBinaryFlat(64 * words)
    flat.add(references.astype(">u8").view(np.uint8).reshape(N_REFERENCES, -1))
    asked = queries[:ASKED].astype(">u8").view(np.uint8).reshape(ASKED, -1)
    begin = process_time()
    limits, distances, ids = flat.range_search(asked, radius + 1)  # faiss's radius is strict
    theirs = (process_time() - begin) * N_QUERIES / ASKED
    rows = np.concatenate(found)
    rows = rows[rows[:, 1] < ASKED]
    expected = np.stack(
        [ids, np.repeat(np.arange(ASKED), np.diff(limits.astype(np.int64))), distances], axis=1
    )
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, expected.astype(int).tolist()))
    assert len(rows) >= PLANTED // 2
    code = IN_ITS_OWN_PROCESS.format(n=N_REFERENCES, m=N_QUERIES, words=words, radius=radius)
    memory = int(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    )
    print(
        f"\n{N_QUERIES:,} × {N_REFERENCES:,}, {64 * words} bits, radius {radius}, one thread: "
        f"{ours:.1f} s; faiss IndexBinaryFlat {theirs:.0f} s (from {ASKED:,} queries): "
        f"{theirs / ours:.0f} times as fast (floor {floor}); "
        f"{sum(map(len, found)):,} pairs; {memory} MiB in all, of which the hashes are "
        f"{references.nbytes + queries.nbytes >> 20} MiB"
    )
    benchmark.extra_info.update(faiss=theirs, ratio=theirs / ours, mebibytes=memory)
    assert theirs / ours >= floor
    assert memory < LIMIT_MIB
