"""Resampling a set's items many times, for all models at once, as one matrix product.

A resample is a row of weights W (how often each item was drawn); the sums of all models' scores
in all resamples are W·Z, with Z the scores (items × models). Two things make it fast: items on
which all models agree alike share one row of Z (*patterns*), and the draws are counted in
compiled code, two from each random 64-bit word, in as many threads as there are cores.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from replicate.base.errors import UsageError
from replicate.base.randomness import stream
from replicate.base.resources import usable_cores

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
_CHUNK_CELLS = 16_000_000
_AT_ONCE = 500_000  # draws that are counted together without a compiler
_WORTH_COMPILING = 30_000_000  # draws; fewer are counted before a compiler would be loaded


@dataclass(frozen=True)
class Design:
    """What is drawn in a resample, and from where.

    Attributes:
        start: For each draw, the first unit that it may take; shape (draws,).
        size: For each draw, how many units it may take from there on; shape (draws,).
        unit_of: The unit of each item, shape (items,): an item itself, or its group.
        n_units: The number of units.
    """

    start: Index
    size: Index
    unit_of: Index
    n_units: int


def plain_design(n: int) -> Design:
    """Every item may be drawn, as many as there are.

    >>> plain_design(3).size.tolist()
    [3, 3, 3]
    """
    return Design(np.zeros(n, np.int64), np.full(n, n), np.arange(n), n)


def stratified_design(classes: npt.ArrayLike, fewer: bool = False) -> Design:
    """Each class keeps its share of the items.

    Where all classes have the same number of items c (a balanced set, c ≥ 2), c − 1 are drawn
    from each: drawing c would give a variance that is too small by (c − 1)/c (Rao and Wu 1988).

    Args:
        classes: Each item's class, shape (n,).
        fewer: Draw one fewer from each class of two or more, balanced or not; the caller then
            weighs classes by what is drawn.

    >>> design = stratified_design(["a", "b", "a", "b", "a", "b"])
    >>> design.size.tolist(), design.start.tolist(), design.unit_of.tolist()
    ([3, 3, 3, 3], [0, 0, 3, 3], [0, 3, 1, 4, 2, 5])
    """
    _, code = np.unique(np.asarray(classes), return_inverse=True)
    sizes = np.bincount(code)
    unit_of = np.empty(code.size, np.int64)
    unit_of[np.argsort(code, kind="stable")] = np.arange(code.size)
    balanced = sizes.min() == sizes.max() and sizes.min() > 1
    drawn = np.where((sizes > 1) & (fewer | balanced), sizes - 1, sizes)
    start = np.cumsum(sizes) - sizes
    return Design(np.repeat(start, drawn), np.repeat(sizes, drawn), unit_of, int(code.size))


def grouped_design(groups: npt.ArrayLike) -> Design:
    """Whole groups are drawn (a cluster bootstrap), one fewer than there are if there are few.

    >>> grouped_design(["x", "y", "x"]).unit_of.tolist()
    [0, 1, 0]
    """
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    count = int(code.max()) + 1
    if count < 2:
        raise UsageError("A cluster bootstrap needs at least two groups.")
    draws = count - 1  # the same correction as in balanced strata
    return Design(np.zeros(draws, np.int64), np.full(draws, count), code.astype(np.int64), count)


def is_balanced(classes: npt.ArrayLike) -> bool:
    """Whether all classes have the same number of items, at least two.

    >>> is_balanced([0, 1, 0, 1]), is_balanced([0, 1, 1]), is_balanced([0, 1])
    (True, False, False)
    """
    sizes = np.unique(np.asarray(classes), return_counts=True)[1]
    return bool(sizes.size and sizes.min() == sizes.max() and sizes.min() > 1)


def resampled_means(
    items: npt.NDArray[Any], design: Design, resamples: int, seed: int, *names: str | int
) -> Floats:
    """The mean score of every model in every resample.

    Args:
        items: bool, or scores in [0, 1]; shape (items, models).
        design: What is drawn.
        resamples: How many resamples.
        seed: The study's seed.
        *names: What the resampling is for; other names are other resamples.

    Returns:
        Shape (resamples, models). Right and wrong are summed exactly, so that the result does
        not depend on the number of threads.

    >>> drawn = resampled_means(np.eye(4, 2) > 0, plain_design(4), 500, 1, "x")
    >>> drawn.shape, bool(abs(drawn.mean() - 0.25) < 0.03)
    ((500, 2), True)
    """
    binary = items.dtype.kind == "b"
    kind = np.float32 if binary else np.float64
    cell, sums, sizes = _patterns(items, design, kind)
    out = np.empty((resamples, items.shape[1]))
    rows = max(1, min(resamples, _CHUNK_CELLS // max(len(design.start), len(sums))))
    tasks = [(first, min(rows, resamples - first)) for first in range(0, resamples, rows)]
    start, size = design.start.astype(np.uint64), design.size.astype(np.uint64)
    count_draws = _count_plainly
    if resamples * len(start) >= _WORTH_COMPILING:
        count_draws = _counter()
        count_draws(  # compiled here, before there are threads
            np.zeros(1, np.uint64), start[:1], size[:1], cell, np.zeros((1, len(sums)), dtype=kind)
        )

    def work(task: tuple[int, int]) -> None:
        first, count = task
        words = count * ((len(start) + 1) // 2)
        generator = stream(seed, "bootstrap-images", *names, first)
        raw = generator.bit_generator.random_raw(words)
        weights = np.zeros((count, len(sums)), dtype=kind)
        count_draws(raw, start, size, cell, weights)
        total = weights @ sizes
        out[first : first + count] = (weights @ sums) / total[:, None].astype(np.float64)

    # numba and numpy release the interpreter. BLAS must not bring threads of its own to ours:
    # together they would be more than there are cores, and wait for each other.
    threads = min(usable_cores(), len(tasks), 8)
    with threadpool_limits(1), ThreadPoolExecutor(max_workers=threads) as pool:
        list(pool.map(work, tasks))
    return out


def _patterns(
    items: npt.NDArray[Any], design: Design, kind: Any
) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any], npt.NDArray[Any]]:
    """The row of sums that each unit belongs to, the sums, and the number of items in each."""
    if design.n_units < len(items):  # groups
        sums = np.zeros((design.n_units, items.shape[1]), dtype=kind)
        np.add.at(sums, design.unit_of, items.astype(kind))
        sizes = np.bincount(design.unit_of, minlength=design.n_units).astype(kind)
        return np.arange(design.n_units, dtype=np.int32), sums, sizes
    place = np.empty(design.n_units, np.int64)
    place[design.unit_of] = np.arange(design.n_units)  # unit → item
    if items.dtype.kind != "b":
        cell = place.astype(np.int32)
        return cell, items.astype(kind), np.ones(len(items), dtype=kind)
    packed = np.ascontiguousarray(np.packbits(items, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, example, code = np.unique(keys, return_index=True, return_inverse=True)
    cell = code.ravel()[place].astype(np.int32)
    return cell, items[example].astype(kind), np.ones(len(example), dtype=kind)


def _count_plainly(raw: Any, start: Any, size: Any, cell: Any, weights: Any) -> None:
    """The same counts as `_count`, by numpy, some rows at a time."""
    rows, cells = weights.shape
    words = raw.reshape(rows, -1)
    at_once = max(1, _AT_ONCE // max(1, len(start)))
    for first in range(0, rows, at_once):
        block = words[first : first + at_once]
        halves = np.stack([block & np.uint64(0xFFFFFFFF), block >> np.uint64(32)], axis=2)
        parts = halves.reshape(len(block), -1)[:, : len(start)]
        unit = start + ((parts * size) >> np.uint64(32))
        place = cell[unit.astype(np.int64)] + np.arange(len(block))[:, None] * cells
        counts = np.bincount(place.ravel(), minlength=len(block) * cells)
        weights[first : first + at_once] += counts.reshape(len(block), cells)


@cache
def _counter() -> Any:
    # Imported late: only a large bootstrap needs a compiler.
    from numba import njit

    try:
        return njit(nogil=True, cache=True)(_count)
    except RuntimeError:  # nowhere to keep compiled code: an installation that nobody may write to
        return njit(nogil=True)(_count)


def _count(raw: Any, start: Any, size: Any, cell: Any, weights: Any) -> None:  # pragma: no cover
    """Count draws: two from each 64-bit word, each within its stretch of units (compiled)."""
    draws = len(start)
    words = (draws + 1) // 2
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    for row in range(weights.shape[0]):
        base = row * words
        for i in range(draws):
            word = raw[base + (i >> 1)]
            part = (word >> half) if i & 1 else (word & low)
            unit = start[i] + ((part * size[i]) >> half)
            weights[row, cell[unit]] += 1
