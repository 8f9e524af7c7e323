"""Linear discriminants, cross-validated for many labellings of the same items at once.

Which set an item is from can be permuted; the features stay. A ridge regression on labels of ±1
(for two sets a regularised linear discriminant) then shares its factorisation among all
labellings, so that a permutation test costs little more than one cross-validation.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import linalg
from threadpoolctl import threadpool_limits

from replicate.analysis.logistic import Standardised
from replicate.base.resources import usable_cores

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
_WORTH_THREADS = 100_000  # features of all items


def relabelled(
    groups: npt.ArrayLike, fold: npt.ArrayLike, count: int, generator: np.random.Generator
) -> Floats:
    """Labels of ±1 at random: whole groups, each fold halved by items.

    In each fold the groups come in random order, the largest first, each to the side with fewer
    items. Where all groups of a fold are of one size, every labelling with equal sides is equally
    likely: the permutation distribution of the null hypothesis.

    Args:
        groups: Each item's group, shape (n,); a group is in one fold.
        fold: Each item's fold, shape (n,).
        count: How many labellings.
        generator: Where they come from.

    Returns:
        Shape (n, count).

    >>> made = relabelled([0, 0, 1, 1, 2, 3], [0, 0, 0, 0, 1, 1], 9, np.random.default_rng(0))
    >>> bool((made[0] == made[1]).all()), np.abs(made.sum(axis=0)).max()
    (True, np.float64(0.0))
    """
    _, first, member = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    where, size = np.asarray(fold)[first], np.bincount(member)
    side = np.empty((len(first), count))
    for part in np.unique(where):
        inside = np.flatnonzero(where == part)
        inside = inside[np.argsort(-size[inside], kind="stable")]
        luck = generator.random((len(inside), count))
        # Random within each size: the sequence of sizes is the same for all labellings.
        order = inside[np.lexsort((luck, np.repeat(-size[inside][:, None], count, 1)), axis=0)]
        ahead = np.zeros(count)
        coin = np.where(generator.random((len(inside), count)) < 0.5, -1.0, 1.0)
        for row, flip in zip(order, coin, strict=True):
            chosen = np.where(ahead == 0, flip, -np.sign(ahead))
            side[row, np.arange(count)] = chosen
            ahead += chosen * size[row[0]]
    return side[member]


def held_out_scores(
    features: Floats, signs: Floats, fold: Index, grid: Sequence[float]
) -> tuple[Floats, Floats]:
    """Every item's score by a discriminant that was trained on the other folds.

    Ridge regression on standardised features: minimise mean squared error + λ·‖weights‖²; each
    labelling's λ in each fold has the best accuracy in an inner cross-validation over the folds
    that are left (ties go to the larger λ). An inner fit serves two outer folds.

    Args:
        features: Shape (n, d).
        signs: −1 or 1, shape (n, labellings).
        fold: Each item's fold 0 … k − 1, shape (n,), k ≥ 3.
        grid: Values of λ.

    Returns:
        Scores of shape (n, labellings), and λ of shape (k, labellings).
    """
    folds, ladder = int(fold.max()) + 1, np.sort(np.asarray(grid, np.float64))[::-1]
    parts = [np.flatnonzero(fold == k) for k in range(folds)]

    def called_right(pair: tuple[int, int]) -> Floats:
        """Right calls in either fold of the pair, shape (2, λ, labellings)."""
        train = np.flatnonzero(~np.isin(fold, pair))
        found = np.empty((2, len(ladder), signs.shape[1]))
        for at, fitted in enumerate(_ladder(features, signs, train, ladder)):
            for row, test in enumerate(parts[k] for k in pair):
                found[row, at] = ((fitted(test) > 0) == (signs[test] > 0)).sum(axis=0)
        return found

    def outer(k: int) -> Floats:
        found = np.empty((len(parts[k]), signs.shape[1]))
        train = np.flatnonzero(fold != k)
        for at, fitted in enumerate(_ladder(features, signs, train, ladder)):
            chosen = np.flatnonzero(best[k] == at)
            if chosen.size:
                found[:, chosen] = fitted(parts[k])[:, chosen]
        return found

    right = np.zeros((folds, len(ladder), signs.shape[1]))
    scores = np.empty(signs.shape)
    pairs = list(combinations(range(folds), 2))
    threads = min(usable_cores(), folds) if features.size > _WORTH_THREADS else 1
    # BLAS must not bring threads of its own to ours: they would wait for each other.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        for (one, two), found in zip(pairs, pool.map(called_right, pairs), strict=True):
            right[one] += found[1]  # one stays outside, two was the inner test
            right[two] += found[0]
        best = right.argmax(axis=1)
        for part, found in zip(parts, pool.map(outer, range(folds)), strict=True):
            scores[part] = found
    return scores, ladder[best]


class _Fitted:
    """One λ's fit to all labellings: called with items, it gives their scores."""

    def __init__(self, features: Floats, scaled: Standardised, weights: Floats, mean: Floats):
        self.features, self.scaled, self.weights, self.mean = features, scaled, weights, mean

    def __call__(self, items: Index) -> Floats:
        return np.asarray(self.scaled(self.features[items]) @ self.weights + self.mean)


def _ladder(features: Floats, signs: Floats, train: Index, ladder: Floats) -> Iterator[_Fitted]:
    scaled = Standardised.of(features[train])
    inside, mean = scaled(features[train]), signs[train].mean(axis=0)
    n, d = inside.shape
    if d <= n:
        square, target = inside.T @ inside / n, inside.T @ (signs[train] - mean) / n
    else:  # the same weights by n equations instead of d
        square, target = inside @ inside.T / n, (signs[train] - mean) / n
    for penalty in ladder:
        shifted = square + penalty * np.eye(len(square))
        weights = linalg.cho_solve(linalg.cho_factor(shifted, check_finite=False), target)
        yield _Fitted(features, scaled, weights if d <= n else inside.T @ weights, mean)
