"""Whether the order of the models survived: rank correlations, rank changes, inversions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.analysis.intervals import mcnemar_midp
from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RankChange:
    """One model's place on both sets; 1 is best, equal accuracies share the better place.

    Attributes:
        name: The model.
        original: Its place on the original.
        new: Its place on the new set.
        change: original − new: positive when the model climbed.
    """

    name: str
    original: int
    new: int
    change: int


@dataclass(frozen=True)
class Inversion:
    """Two models whose order differs between the sets.

    Attributes:
        better: The model that is ahead on the original.
        worse: The model that is ahead on the new set.
        p_original: McNemar mid-p of their difference on the original.
        p_new: McNemar mid-p of their difference on the new set.
        p_adjusted: The larger of both, after Holm's correction over all pairs of models.
        resolved: Whether p_adjusted is at most 1 − level: both orders are real.
    """

    better: str
    worse: str
    p_original: float
    p_new: float
    p_adjusted: float
    resolved: bool


@dataclass(frozen=True)
class Inversions:
    """All inverted pairs of a zoo.

    Attributes:
        n_pairs: The number of pairs of models.
        n_inverted: Pairs whose order on the new set is the opposite of the original's.
        n_resolved: Inverted pairs that chance on neither set explains.
        pairs: The inverted pairs, the most significant first.
    """

    n_pairs: int
    n_inverted: int
    n_resolved: int
    pairs: tuple[Inversion, ...]


def _pair(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape or first.size < 2:
        raise UsageError("A rank correlation needs two lists of the same length, at least two.")
    return first, second


def average_ranks(values: npt.ArrayLike) -> Floats:
    """Ranks from 1 (smallest) upwards; equal values share the mean of their ranks.

    >>> average_ranks([0.3, 0.1, 0.3]).tolist()
    [2.5, 1.0, 2.5]
    """
    array = np.asarray(values, dtype=np.float64)
    _, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Spearman's rank correlation, in [−1, 1]; NaN where one list is all equal.

    Raises:
        UsageError: The lists differ in length or have fewer than two values.

    >>> round(spearman([1, 2, 3, 4], [1, 3, 2, 4]), 3)
    0.8
    """
    first, second = _pair(x, y)
    u, v = average_ranks(first), average_ranks(second)
    u, v = u - u.mean(), v - v.mean()
    scale = float(np.sqrt((u @ u) * (v @ v)))
    return float(u @ v) / scale if scale > 0 else float("nan")


def kendall_tau_b(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Kendall's τ_b, which corrects for ties, in [−1, 1]; NaN where one list is all equal.

    Raises:
        UsageError: The lists differ in length or have fewer than two values.

    >>> round(kendall_tau_b([1, 2, 3, 4], [1, 3, 2, 4]), 4)
    0.6667
    """
    first, second = _pair(x, y)
    s = np.sign(first[:, None] - first[None, :])
    t = np.sign(second[:, None] - second[None, :])
    scale = float(np.sqrt((s * s).sum() * (t * t).sum()))
    return float((s * t).sum()) / scale if scale > 0 else float("nan")


def places(accuracy: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Places from 1 (best) downwards; equal accuracies share the better place.

    >>> places([0.9, 0.8, 0.9]).tolist()
    [1, 3, 1]
    """
    values = np.asarray(accuracy, dtype=np.float64)
    better = values[None, :] > values[:, None]
    return np.asarray(better.sum(axis=1) + 1, dtype=np.int64)


def rank_changes(
    names: Sequence[str], original: npt.ArrayLike, new: npt.ArrayLike
) -> tuple[RankChange, ...]:
    """Each model's place on the original and on the new set, the original's best first.

    Args:
        names: The models.
        original: Their accuracies on the original.
        new: Their accuracies on the new set.

    Raises:
        UsageError: The lists differ in length.

    >>> [(r.name, r.original, r.new, r.change) for r in rank_changes("ab", [0.9, 0.8], [0.6, 0.7])]
    [('a', 1, 2, -1), ('b', 2, 1, 1)]
    """
    first, second = _pair(original, new)
    if len(names) != first.size:
        raise UsageError("There must be one accuracy a model.")
    before, after = places(first), places(second)
    rows = [
        RankChange(name, int(a), int(b), int(a - b))
        for name, a, b in zip(names, before, after, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (row.original, row.name)))


def holm(p_values: npt.ArrayLike) -> Floats:
    """p-values adjusted for their number by Holm's step-down method (1979).

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def inversions(
    names: Sequence[str],
    correct_original: npt.ArrayLike,
    correct_new: npt.ArrayLike,
    level: float = 0.95,
) -> Inversions:
    """Which pairs of models change places, and which of these changes chance cannot explain.

    A pair is *resolved* when McNemar's mid-p test finds the two models different on both sets.
    Its p-value is the larger of both sides' (an intersection-union test), 1 for a pair that is
    not inverted, corrected by Holm over all pairs of the zoo.

    Args:
        names: The models, m of them.
        correct_original: True where a model is right; shape (images of the original, m).
        correct_new: The same for the new set; shape (images of the new set, m).
        level: 1 − the family-wise error that is accepted, in (0, 1).

    Raises:
        UsageError: The shapes do not fit the names.

    >>> import numpy as np
    >>> a, b = np.arange(100) < 90, np.arange(100) < 60
    >>> found = inversions("ab", np.stack([a, b], 1), np.stack([b, a], 1))
    >>> found.n_pairs, found.n_inverted, found.n_resolved
    (1, 1, 1)
    """
    original, new = np.asarray(correct_original, bool), np.asarray(correct_new, bool)
    count = len(names)
    if original.ndim != 2 or new.ndim != 2 or {original.shape[1], new.shape[1]} != {count}:
        raise UsageError("Predictions must have the shape (images, models), one column a model.")
    i, j = np.triu_indices(count, k=1)
    only_first = [_only_first(side) for side in (original, new)]
    ahead = [np.sign(d[i, j] - d[j, i]) for d in only_first]
    p_original, p_new = (mcnemar_midp(d[i, j], d[j, i]) for d in only_first)
    inverted = ahead[0] * ahead[1] < 0
    adjusted = holm(np.where(inverted, np.maximum(p_original, p_new), 1.0))
    found = []
    for k in np.flatnonzero(inverted):
        first, second = (i[k], j[k]) if ahead[0][k] > 0 else (j[k], i[k])
        p = float(adjusted[k])
        found.append(
            Inversion(
                names[int(first)],
                names[int(second)],
                float(p_original[k]),
                float(p_new[k]),
                p,
                p <= 1 - level,
            )
        )
    found.sort(key=lambda pair: (pair.p_adjusted, pair.p_original + pair.p_new, pair.better))
    return Inversions(len(i), len(found), sum(pair.resolved for pair in found), tuple(found))


def _only_first(correct: npt.NDArray[np.bool_]) -> Floats:
    """[i, j]: on how many images model i is right and model j is wrong."""
    # Counts stay below 2^24, so single precision sums them exactly.
    right = correct.astype(np.float32)
    both = (right.T @ right).astype(np.float64)
    return np.asarray(both.diagonal()[:, None] - both, dtype=np.float64)
