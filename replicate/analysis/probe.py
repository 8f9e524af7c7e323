"""Linear probes: how much of a task a model's frozen features hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.analysis.intervals import Interval, clopper_pearson
from replicate.analysis.logistic import (
    Standardised,
    choose_penalty,
    fit_logistic,
    grouped_folds,
)
from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]
GRID = tuple(float(10.0**power) for power in range(-6, 3))


@dataclass(frozen=True)
class Probe:
    """A linear probe on a test set.

    Attributes:
        n: Test items.
        correct: Right at top-1.
        interval: Clopper–Pearson of the accuracy.
        mean_per_class: Mean over classes of each class's accuracy.
        average_precision: Mean over classes of the 11-point interpolated average precision, as
            VOC 2007 has it.
        penalty: λ, chosen by folds of the training set.
        by_penalty: λ → held-out accuracy on the training set.
        at_edge: Whether λ lies at an end of the grid.
    """

    n: int
    correct: int
    interval: Interval
    mean_per_class: float
    average_precision: float
    penalty: float
    by_penalty: dict[float, float]
    at_edge: bool

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return self.correct / self.n


def linear_probe(
    train: npt.ArrayLike,
    train_classes: npt.ArrayLike,
    test: npt.ArrayLike,
    test_classes: npt.ArrayLike,
    seed: int,
    *,
    groups: npt.ArrayLike | None = None,
    grid: Sequence[float] = GRID,
    folds: int = 5,
    level: float = 0.95,
) -> Probe:
    """Fit multinomial logistic regression on frozen features, λ chosen on the training set alone.

    Source: Kornblith, Shlens and Le (2019), "Do Better ImageNet Models Transfer Better?": L-BFGS,
    an L2 penalty from a logarithmic grid.

    Args:
        train: Features, shape (n, d).
        train_classes: Codes 0 … k − 1, shape (n,).
        test: Features, shape (m, d).
        test_classes: Codes, shape (m,).
        seed: The seed of the folds.
        groups: Each training item's group, which folds never split.
        grid: Values of λ.
        folds: How many folds.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: Shapes do not fit, a test class is not in the training set, or there is no
            test item.

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(60) % 3
    >>> x = np.eye(3)[y] + 0.1 * rng.normal(size=(60, 3))
    >>> linear_probe(x[:40], y[:40], x[40:], y[40:], 1).correct
    20
    """
    x, z = np.asarray(train, np.float64), np.asarray(test, np.float64)
    y, t = np.asarray(train_classes, np.int64), np.asarray(test_classes, np.int64)
    if x.ndim != 2 or z.ndim != 2 or x.shape[1] != z.shape[1] or t.shape != (len(z),):
        raise UsageError("A probe needs features of one width on both sides, and a class for each.")
    if len(z) == 0:
        raise UsageError("There is no test item to probe.")
    if not np.isin(t, y).all():
        raise UsageError("The test set has a class that the training set does not have.")
    k = int(y.max()) + 1
    fold = grouped_folds(np.arange(len(x)) if groups is None else groups, folds, seed, "probe")
    penalty, by_penalty = choose_penalty(x, y, fold, grid, k)
    scaled = Standardised.of(x)
    fitted = fit_logistic(scaled(x), y, penalty, n_classes=k)
    scores = fitted.scores(scaled(z))
    right = scores.argmax(axis=1) == t
    correct = int(right.sum())
    return Probe(
        n=len(z),
        correct=correct,
        interval=clopper_pearson(correct, len(z), level),
        mean_per_class=float(np.mean([right[t == c].mean() for c in np.unique(t)])),
        average_precision=mean_average_precision(scores, t),
        penalty=penalty,
        by_penalty=by_penalty,
        at_edge=penalty in (min(grid), max(grid)) and len(grid) > 1,
    )


def mean_average_precision(scores: npt.ArrayLike, classes: npt.ArrayLike) -> float:
    """The mean over classes of the 11-point interpolated average precision.

    For each class items are ranked by its score; at recalls 0, 0.1 … 1 the largest precision at
    that recall or beyond is taken, and averaged. Source: Everingham et al. (2010), "The PASCAL
    Visual Object Classes (VOC) Challenge", section 3.4.1.

    Args:
        scores: Shape (n, k).
        classes: Codes, shape (n,); classes without an item are left out.

    >>> mean_average_precision([[0.9, 0.1], [0.2, 0.8]], [0, 1])
    1.0
    """
    s, y = np.asarray(scores, np.float64), np.asarray(classes, np.int64)
    found = []
    for c in np.unique(y):
        order = np.argsort(-s[:, c], kind="stable")
        hit = (y[order] == c).astype(np.float64)
        precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
        recall = np.cumsum(hit) / hit.sum()
        best = np.maximum.accumulate(precision[::-1])[::-1]
        at = [np.flatnonzero(recall >= r / 10 - 1e-12)[0] for r in range(11)]
        found.append(float(best[at].mean()))
    return float(np.mean(found))
