"""What many models score on one test set: the input of an analysis."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """The scores of m models on one set.

    Attributes:
        name: The set.
        models: The models' names.
        score: Each model's score, a fraction (or another metric, where higher is better);
            shape (m,).
        n: The number of items behind each score; 0 where it is not known; shape (m,).
        items: The score of each item, in [0, 1] (bool: right or wrong), shape (n, m); None where
            only totals are known.
        classes: Each item's label, shape (n,); None where not known.
        groups: Each item's cluster (a writer, an owner), shape (n,); None where items are
            independent.
        weights: What each item counts in the score, summing to 1, shape (n,); None where all
            count the same.
        influence: How each item moves the score (of mean 0), shape (n, m), where that is no mean
            over items; see `measures`.
    """

    name: str
    models: tuple[str, ...]
    score: Floats
    n: npt.NDArray[np.int64]
    items: npt.NDArray[Any] | None = None
    classes: npt.NDArray[Any] | None = None
    groups: npt.NDArray[Any] | None = None
    weights: Floats | None = None
    influence: Floats | None = None

    @property
    def drawable(self) -> bool:
        """Whether items can be resampled."""
        return self.items is not None or self.influence is not None

    @property
    def binary(self) -> bool:
        """Whether every score counts right items: integer counts k of n."""
        if self.weights is not None or self.influence is not None:
            return False
        if self.items is not None:
            return self.items.dtype.kind == "b"
        counts = self.score * self.n
        return bool(
            np.all(self.n > 0)
            and np.all(np.abs(counts - np.round(counts)) < 1e-6)
            and np.all((self.score >= 0) & (self.score <= 1))
        )

    @property
    def correct(self) -> Floats:
        """The sum of each model's item scores; NaN where the number of items is not known."""
        total = np.where(self.n > 0, self.score * self.n, np.nan)
        return np.asarray(np.round(total) if self.binary else total, dtype=np.float64)

    def columns(self, names: tuple[str, ...]) -> "Scores":
        """The same set with these models only, in this order.

        >>> s = from_items("x", ("a", "b"), np.array([[True, False], [True, True]]))
        >>> s.columns(("b",)).score.tolist()
        [0.5]
        """
        at = [self.models.index(name) for name in names]
        items = None if self.items is None else self.items[:, at]
        return Scores(
            self.name, names, self.score[at], self.n[at], items, self.classes, self.groups,
            self.weights, None if self.influence is None else self.influence[:, at],
        )  # fmt: skip

    def rows(self, keep: npt.NDArray[Any]) -> "Scores":
        """The same set with these items only (a mask or indices).

        Raises:
            UsageError: There are no per-item scores.
        """
        if self.items is None or self.influence is not None:
            raise UsageError(f"{self.name} has no per-item scores to choose from.")
        classes = None if self.classes is None else self.classes[keep]
        groups = None if self.groups is None else self.groups[keep]
        return from_items(self.name, self.models, self.items[keep], classes, groups)


def from_items(
    name: str,
    models: tuple[str, ...],
    items: npt.NDArray[Any],
    classes: npt.NDArray[Any] | None = None,
    groups: npt.NDArray[Any] | None = None,
) -> Scores:
    """Scores of a set whose items are known.

    Args:
        name: The set.
        models: The models' names, m of them.
        items: Shape (n, m), bool or in [0, 1].
        classes: Labels, shape (n,).
        groups: Clusters, shape (n,).

    Raises:
        UsageError: Shapes do not fit, there is no item, or a score is outside [0, 1].

    >>> from_items("x", ("a",), np.array([[True], [False]])).score.tolist()
    [0.5]
    """
    if items.ndim != 2 or items.shape[1] != len(models) or items.shape[0] == 0:
        raise UsageError(f"{name} needs scores of the shape (items, models), at least one item.")
    if items.dtype.kind != "b":
        items = np.asarray(items, dtype=np.float64)
        if items.size and not (items.min() >= 0 and items.max() <= 1):
            raise UsageError(f"Per-item scores of {name} must lie between 0 and 1.")
        if np.isin(items, (0.0, 1.0)).all():
            items = items.astype(np.bool_)
    for what in (classes, groups):
        if what is not None and what.shape != (items.shape[0],):
            raise UsageError(f"{name} needs one class and one group for each of its items.")
    n = np.full(len(models), items.shape[0], dtype=np.int64)
    score = items.mean(axis=0, dtype=np.float64)
    return Scores(name, models, score, n, items, classes, groups)


def mean_per_class(scores: Scores) -> Scores:
    """The same set with the mean over classes of each class's share as the score.

    Rare classes then count as much as frequent ones; in balanced sets it is the accuracy.

    Raises:
        UsageError: Items or their classes are not known.

    >>> right = np.array([[True], [True], [True], [False]])
    >>> mean_per_class(from_items("x", ("a",), right, np.array([0, 0, 0, 1]))).score.tolist()
    [0.5]
    """
    if scores.items is None or scores.classes is None:
        raise UsageError(f"The mean over classes needs the items and labels of {scores.name}.")
    _, member, size = np.unique(scores.classes, return_inverse=True, return_counts=True)
    weights = 1 / (len(size) * size[member])
    score = weights @ scores.items.astype(np.float64)
    return Scores(
        scores.name, scores.models, score, scores.n, scores.items, scores.classes, scores.groups,
        weights,
    )  # fmt: skip
