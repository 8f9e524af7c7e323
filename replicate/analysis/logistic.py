"""Multinomial logistic regression with an L2 penalty: linear probes and discriminators."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Logistic:
    """A fitted model: log odds of class c are x·weights[:, c] + intercept[c].

    Attributes:
        weights: Shape (features, classes).
        intercept: Shape (classes,).
        penalty: λ.
        converged: Whether the solver reached its tolerance.
    """

    weights: Floats
    intercept: Floats
    penalty: float
    converged: bool

    def scores(self, features: npt.ArrayLike) -> Floats:
        """Log odds up to a constant of each row; shape (n, classes)."""
        return np.asarray(features, np.float64) @ self.weights + self.intercept

    def predict(self, features: npt.ArrayLike) -> Codes:
        """The likeliest class of each row; shape (n,)."""
        return np.asarray(self.scores(features).argmax(axis=1), dtype=np.int64)


def fit_logistic(
    features: npt.ArrayLike,
    classes: npt.ArrayLike,
    penalty: float,
    *,
    n_classes: int | None = None,
    start: Logistic | None = None,
    iterations: int = 1000,
) -> Logistic:
    """Fit by L-BFGS: minimise mean cross-entropy + λ/2·‖weights‖²; the intercept is free.

    In scikit-learn's words C = 1 / (n·λ). The problem is convex, so there is one answer.

    Args:
        features: Shape (n, d).
        classes: Codes 0 … k − 1, shape (n,).
        penalty: λ > 0.
        n_classes: k; by default the largest code and one.
        start: Where to begin: the fit at a neighbouring λ saves most of the work.
        iterations: The most that the solver may take.

    Raises:
        UsageError: Shapes do not fit, fewer than two classes, or λ is not positive.

    >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> found = fit_logistic(x, [0, 0, 1, 1], 0.01)
    >>> found.predict([[-3.0], [3.0]]).tolist()
    [0, 1]
    """
    x, y = np.asarray(features, np.float64), np.asarray(classes, np.int64)
    if x.ndim != 2 or y.shape != (len(x),) or len(x) == 0:
        raise UsageError("A regression needs features (n, d) and one class for each of n items.")
    if not penalty > 0:
        raise UsageError("The penalty of a regression is a number above 0.")
    k = int(y.max()) + 1 if n_classes is None else n_classes
    if k < 2 or len(np.unique(y)) < 2:
        raise UsageError("A regression needs items of two classes at least.")
    n, d = x.shape
    at = np.arange(n)

    def objective(flat: Floats) -> tuple[float, Floats]:
        weights, intercept = flat[: d * k].reshape(d, k), flat[d * k :]
        scores = x @ weights + intercept
        total = special.logsumexp(scores, axis=1)
        share = np.exp(scores - total[:, None])
        loss = float((total - scores[at, y]).mean() + penalty / 2 * (weights**2).sum())
        share[at, y] -= 1
        share /= n
        slope = x.T @ share + penalty * weights
        return loss, np.concatenate([slope.ravel(), share.sum(axis=0)])

    begin = np.zeros(d * k + k)
    if start is not None and start.weights.shape == (d, k):
        begin = np.concatenate([start.weights.ravel(), start.intercept])
    result = optimize.minimize(
        objective, begin, jac=True, method="L-BFGS-B",
        options={"maxiter": iterations, "maxfun": 2 * iterations, "gtol": 1e-7, "ftol": 1e-12,
                 "maxcor": 20},
    )  # fmt: skip
    weights, intercept = result.x[: d * k].reshape(d, k), result.x[d * k :]
    return Logistic(weights, intercept - intercept.mean(), penalty, bool(result.success))


@dataclass(frozen=True)
class Standardised:
    """Features moved and scaled by the mean and spread of a training set.

    Attributes:
        mean: Shape (d,).
        scale: Shape (d,); 1 where a feature never changes.
    """

    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, features: npt.ArrayLike) -> "Standardised":
        """From a training set, shape (n, d).

        >>> Standardised.of([[0.0, 1.0], [2.0, 1.0]])([[4.0, 1.0]]).tolist()
        [[3.0, 0.0]]
        """
        x = np.asarray(features, np.float64)
        spread = x.std(axis=0)
        return cls(x.mean(axis=0), np.where(spread > 1e-12, spread, 1.0))

    def __call__(self, features: npt.ArrayLike) -> Floats:
        """The same features, moved and scaled."""
        return (np.asarray(features, np.float64) - self.mean) / self.scale


def grouped_folds(groups: npt.ArrayLike, folds: int, seed: int, *names: str | int) -> Codes:
    """Folds of about equal size that never split a group.

    Groups come in random order, the large ones first, each to the fold with the fewest items.

    Args:
        groups: Each item's group, shape (n,).
        folds: How many, at least 2 and at most the number of groups.
        seed: The seed of the order.
        *names: What it is for.

    Raises:
        UsageError: There are fewer groups than folds.

    >>> grouped_folds(["a", "a", "b", "c"], 2, 0).tolist()
    [0, 0, 1, 1]
    """
    kinds, member = np.unique(np.asarray(groups), return_inverse=True)
    if folds < 2 or len(kinds) < folds:
        raise UsageError(
            f"{len(kinds)} groups cannot be split into {folds} folds.",
            "Take fewer folds, at least 2, or give finer groups.",
        )
    size = np.bincount(member)
    order = stream(seed, "folds", *names).permutation(len(kinds))
    order = order[np.argsort(-size[order], kind="stable")]
    load, fold = np.zeros(folds, dtype=np.int64), np.empty(len(kinds), dtype=np.int64)
    for group in order:
        fold[group] = int(load.argmin())
        load[fold[group]] += size[group]
    return np.asarray(fold[member], dtype=np.int64)


def choose_penalty(
    features: npt.ArrayLike,
    classes: npt.ArrayLike,
    fold: npt.ArrayLike,
    grid: Sequence[float],
    n_classes: int | None = None,
) -> tuple[float, dict[float, float]]:
    """The λ of a grid with the best held-out accuracy; ties go to the larger λ.

    Args:
        features: Shape (n, d); standardised within each training part.
        classes: Codes, shape (n,).
        fold: Each item's fold, shape (n,).
        grid: Values of λ.
        n_classes: k; by default the largest code and one.

    Returns:
        λ, and each λ's held-out accuracy.

    Raises:
        UsageError: The grid is empty.

    >>> x = np.arange(8.0)[:, None]
    >>> choose_penalty(x, x[:, 0] > 3, np.arange(8) % 2, [1e-4, 1e2])[0]  # both are all right
    100.0
    """
    if not grid:
        raise UsageError("There is no penalty to choose from.")
    x, y = np.asarray(features, np.float64), np.asarray(classes, np.int64)
    at = np.asarray(fold, np.int64)
    k = int(y.max()) + 1 if n_classes is None else n_classes
    right = dict.fromkeys(sorted(grid, reverse=True), 0)
    for part in np.unique(at):
        train, test = at != part, at == part
        scaled = Standardised.of(x[train])
        inside, outside = scaled(x[train]), scaled(x[test])
        found: Logistic | None = None
        for penalty in right:  # from strong to weak, each from where the last one ended
            found = fit_logistic(inside, y[train], penalty, n_classes=k, start=found)
            right[penalty] += int((found.predict(outside) == y[test]).sum())
    best = max(right, key=lambda penalty: (right[penalty], penalty))
    return best, {penalty: count / len(y) for penalty, count in right.items()}
