"""Scores that are no mean over items: macro-F1, area under the curve; and what each item moves.

Resampling such a score for a whole zoo is one matrix product as for accuracies, once it is written
as a sum over items: with ψ(i) the influence of item i (how the score changes with i's weight), a
resample with weights w has about score + mean of w·ψ. The variance of that is DeLong's for areas
(DeLong et al. 1988) and the delta method's for F1; the infinitesimal jackknife (Efron 1982).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.roc import placements
from replicate.analysis.scores import Scores
from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]
Metric = Literal["accuracy", "mean-per-class", "macro-f1", "auc"]
OF_PREDICTIONS: tuple[Metric, ...] = ("macro-f1", "auc")  # not of right and wrong alone


@dataclass(frozen=True)
class Measure:
    """A score and its items' influence.

    Attributes:
        value: The score, in [0, 1].
        influence: ψ, shape (n,), of mean 0.
    """

    value: float
    influence: Floats


def macro_f1(predicted: npt.ArrayLike, labels: npt.ArrayLike) -> Measure:
    """The mean over the labels' classes of F1 = 2·TP / (predicted + labelled).

    A class that is never predicted has an F1 of 0. As scikit-learn's ``f1_score`` with
    ``average="macro"`` and the classes that labels have as ``labels``.

    Args:
        predicted: Class ids, shape (n,); ids that no label has are wrong.
        labels: The right ones, shape (n,).

    Raises:
        UsageError: There is no item, or not one of either for each.

    >>> round(macro_f1([0, 0, 1, 1], [0, 1, 1, 1]).value, 4)
    0.7333
    """
    p, y = np.asarray(predicted), np.asarray(labels)
    if p.shape != y.shape or y.ndim != 1 or y.size == 0:
        raise UsageError("F1 needs one prediction and one label for each item.")
    kinds, member, size = np.unique(y, return_inverse=True, return_counts=True)
    at = np.minimum(np.searchsorted(kinds, p), len(kinds) - 1)
    known = kinds[at] == p
    called = np.bincount(at[known], minlength=len(kinds))
    right = known & (at == member)
    both = called + size
    f1 = 2 * np.bincount(member[right], minlength=len(kinds)) / both
    share = len(y) / (both * len(kinds))
    influence = (2 * right - f1[member]) * share[member]
    influence -= np.where(known, f1[at] * share[at], 0)
    return Measure(float(f1.mean()), influence)


def macro_auc(scores: npt.ArrayLike, labels: npt.ArrayLike) -> Measure:
    """The area under the ROC curve; with several classes the mean of each against the rest.

    As scikit-learn's ``roc_auc_score``, with ``multi_class="ovr"`` and ``average="macro"``.

    Args:
        scores: Shape (n, 1), of the larger of two labels; or (n, k), a column for each of the k
            labels in order.
        labels: Shape (n,).

    Raises:
        UsageError: Labels are all alike, or columns do not fit them.

    >>> macro_auc([[0.1], [0.4], [0.35], [0.8]], [0, 0, 1, 1]).value
    0.75
    """
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    kinds = np.unique(y)
    if len(kinds) < 2:
        raise UsageError("An area under a curve needs items of two classes.")
    fits = s.ndim == 2 and len(s) == len(y)
    if not fits or s.shape[1] not in ({1, 2} if len(kinds) == 2 else {len(kinds)}):
        raise UsageError("An area under a curve needs a score of every class for each item.")
    positive = y[:, None] == (kinds[1:] if s.shape[1] == 1 else kinds)[None, :]
    placed = placements(s, positive)
    size = positive.sum(axis=0)
    area = np.where(positive, placed, 0).sum(axis=0) / size
    share = len(y) / np.where(positive, size, len(y) - size)
    influence = ((placed - area) * share).mean(axis=1)
    return Measure(float(area.mean()), influence)


def measured(
    name: str,
    measures: Mapping[str, Measure],
    labels: npt.NDArray[Any],
    right: Mapping[str, npt.NDArray[Any]],
) -> Scores:
    """A set's scores by such a measure.

    Args:
        name: The set.
        measures: Each model's.
        labels: Each item's class.
        right: Model → which items are right, of all models or of none: for what else is asked.
    """
    models, n = tuple(sorted(measures)), len(labels)
    items = np.stack([right[m] for m in models], axis=1) if right and models else None
    return Scores(
        name, models, np.array([measures[m].value for m in models]),
        np.full(len(models), n, dtype=np.int64), items, labels,
        influence=np.stack([measures[m].influence for m in models], axis=1) if models
        else np.zeros((n, 0)),
    )  # fmt: skip


def moved(score: Floats, change: Floats, n: int) -> Floats:
    """Resampled scores from the mean influence of each resample, on the logit scale.

    There they stay within (0, 1), and intervals near 1 are as long downwards as they should be.

    Args:
        score: Shape (m,).
        change: Mean influence in each resample, shape (resamples, m).
        n: The number of items.

    >>> moved(np.array([0.5, 0.99]), np.array([[0.01, 0.02]]), 1000).round(3).tolist()
    [[0.51, 0.999]]
    """
    inside = np.clip(score, 0.5 / n, 1 - 0.5 / n)
    return np.asarray(special.expit(special.logit(inside) + change / (inside * (1 - inside))))
