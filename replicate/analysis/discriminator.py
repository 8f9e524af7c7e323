"""Name That Dataset: can a classifier tell the original's images from the new ones?

Torralba and Efros (2011), "Unbiased Look at Dataset Bias". A new set made by the same process
as the original should be hard to tell from it. A classifier that tells them apart says that
something differs, not what: JPEG quality or size alone give a set away, so these are to be
matched first. Two controls show that the measuring works: halves of one set must not be told
apart (negative), and a difference that was put there must be found (positive).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from replicate.analysis.intervals import Interval
from replicate.analysis.logistic import Standardised, choose_penalty, fit_logistic, grouped_folds
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
PLANTED = 1.0  # standard deviations along one random direction: the positive control


@dataclass(frozen=True)
class Auc:
    """How well scores tell two sets apart.

    Attributes:
        auc: P(score of a new item > score of an original one), ties counted half.
        interval: Its interval (groups as units); None with fewer than two groups on a side.
        n: Items of the two sets.
        n_groups: Groups of the two sets.
    """

    auc: float
    interval: Interval | None
    n: tuple[int, int]
    n_groups: tuple[int, int]


@dataclass(frozen=True)
class Discrimination:
    """The question and its two controls.

    Attributes:
        new: Original against new.
        negative: One random half of the original's groups against the other: 0.5 if all is well.
        positive: The original against a copy of other halves in which every feature vector was
            moved by one standard deviation along one random direction: well above 0.5.
        folds: Folds of the cross-validation.
        penalty: λ chosen in each fold, for original against new.
    """

    new: Auc
    negative: Auc
    positive: Auc
    folds: int
    penalty: tuple[float, ...]


def tell_apart(
    original: npt.ArrayLike,
    new: npt.ArrayLike,
    seed: int,
    *,
    groups_original: npt.ArrayLike | None = None,
    groups_new: npt.ArrayLike | None = None,
    folds: int = 5,
    level: float = 0.95,
) -> Discrimination:
    """Train a linear classifier on frozen features to tell the sets apart, and test it held out.

    Regularised logistic regression on standardised features, λ from a grid by inner folds,
    groups (of near-duplicates, owners, writers) never split over folds; the sets are brought to
    the same number of items so that neither is guessed for its size.

    Args:
        original: Features, shape (n, d).
        new: Features of the new set, shape (m, d).
        seed: The seed of the folds and the controls.
        groups_original: Each original item's group; by default each by itself.
        groups_new: Each new item's.
        folds: Folds of the outer cross-validation.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: Shapes do not fit, a feature is not a number, or there are too few groups.

    >>> rng = np.random.default_rng(0)
    >>> found = tell_apart(rng.normal(size=(60, 2)), rng.normal(2, 1, size=(60, 2)), 1)
    >>> found.new.auc > 0.9, found.negative.interval.contains(0.5)
    (True, True)
    """
    a, b = _features(original, "original"), _features(new, "new set")
    if a.shape[1] != b.shape[1]:
        raise UsageError(
            f"The original has {a.shape[1]} features and the new set {b.shape[1]}.",
            "Make both with the same model.",
        )
    left = _groups(groups_original, len(a), "original")
    right = _groups(groups_new, len(b), "new set")
    keep_a, keep_b = _balanced(left, right, seed)
    a, left, b, right = a[keep_a], left[keep_a], b[keep_b], right[keep_b]
    found, penalty = _told(a, left, b, right, seed, "new", folds, level)
    one, two = _halves(left, seed)
    rest = (a[one], left[one], a[two], left[two])
    negative, _ = _told(*rest, seed, "negative", folds, level)
    direction = stream(seed, "planted").normal(size=a.shape[1])
    direction = direction * (PLANTED / float(np.linalg.norm(direction)))
    moved = rest[2] + direction * Standardised.of(a).scale
    positive, _ = _told(rest[0], rest[1], moved, rest[3], seed, "positive", folds, level)
    return Discrimination(found, negative, positive, folds, penalty)


def _features(values: npt.ArrayLike, what: str) -> Floats:
    x = np.asarray(values, np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise UsageError(f"The features of the {what} need the shape (items, features).")
    if not np.isfinite(x).all():
        raise UsageError(f"A feature of the {what} is not a number (NaN or infinite).")
    return x


def _groups(values: npt.ArrayLike | None, n: int, what: str) -> npt.NDArray[np.int64]:
    if values is None:
        return np.arange(n, dtype=np.int64)
    given = np.asarray(values)
    if given.shape != (n,):
        raise UsageError(f"The {what} needs one group for each of its {n} items.")
    return np.asarray(np.unique(given, return_inverse=True)[1], dtype=np.int64)


def _balanced(
    left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Items to keep, whole groups first dropped at random from the larger set."""
    kept = []
    for name, side, size in (("original", left, len(right)), ("new", right, len(left))):
        order = stream(seed, "balance", name).permutation(int(side.max()) + 1)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        at = np.lexsort((np.arange(len(side)), rank[side]))[: min(len(side), size)]
        kept.append(np.sort(at))
    return kept[0], kept[1]


def _halves(
    groups: npt.NDArray[np.int64], seed: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    half = grouped_folds(groups, 2, seed, "halves")
    return half == 0, half == 1


def _told(
    a: Floats,
    left: npt.NDArray[np.int64],
    b: Floats,
    right: npt.NDArray[np.int64],
    seed: int,
    name: str,
    folds: int,
    level: float,
) -> tuple[Auc, tuple[float, ...]]:
    x = np.concatenate([a, b])
    y = np.repeat(np.array([0, 1]), [len(a), len(b)])
    group = np.concatenate([left, right + left.max() + 1])
    # Folds are made for each set by itself, so that both are in every fold.
    fold = np.concatenate(
        [grouped_folds(side, folds, seed, name, i) for i, side in enumerate((left, right))]
    )
    score, penalties = np.empty(len(x)), []
    for part in range(folds):
        train, test = fold != part, fold == part
        inner = np.where(fold > part, fold - 1, fold)[train]
        penalty = choose_penalty(x[train], y[train], inner, GRID, 2)[0]
        scaled = Standardised.of(x[train])
        fitted = fit_logistic(scaled(x[train]), y[train], penalty, n_classes=2)
        odds = fitted.scores(scaled(x[test]))
        # Folds differ in offset: within a fold the ranks say all.
        score[test] = special.ndtri(
            (stats.rankdata(odds[:, 1] - odds[:, 0]) - 0.5) / int(test.sum())
        )
        penalties.append(penalty)
    return auc(score, y, group, level), tuple(penalties)


def auc(
    scores: npt.ArrayLike, labels: npt.ArrayLike, groups: npt.ArrayLike, level: float = 0.95
) -> Auc:
    """The area under the ROC curve, with an interval that knows of groups.

    With V(i) the share of the other set's items that item i stands on the right side of, the
    variance is that of the two sets' means of V (DeLong et al. 1988), with items of one group
    summed before their squares (Obuchowski 1997). Ends are made on the logit scale.

    Args:
        scores: Higher means label 1, shape (n,).
        labels: 0 or 1, shape (n,).
        groups: Each item's group, shape (n,).
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: One of the labels is missing.

    >>> auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], [0, 1, 2, 3]).auc
    0.75
    """
    s, y, g = np.asarray(scores, np.float64), np.asarray(labels), np.asarray(groups)
    low, high = s[y == 0], s[y == 1]
    if not (low.size and high.size):
        raise UsageError("An area under a curve needs items of both sets.")
    rank = stats.rankdata(s)
    above = (rank[y == 1] - stats.rankdata(high)) / low.size
    below = 1 - (rank[y == 0] - stats.rankdata(low)) / high.size
    area = float(above.mean())
    variance, sizes = 0.0, []
    for share, member in ((below, g[y == 0]), (above, g[y == 1])):
        kinds, at = np.unique(member, return_inverse=True)
        sizes.append(len(kinds))
        sums = np.bincount(at, share - area)
        if len(kinds) > 1:
            variance += float((sums**2).sum()) / share.size**2 * len(kinds) / (len(kinds) - 1)
    n_groups = (sizes[0], sizes[1])
    if min(sizes) < 2:
        return Auc(area, None, (low.size, high.size), n_groups)
    inside = min(max(area, 0.5 / len(s)), 1 - 0.5 / len(s))
    freedom = min(sizes) - 1
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * np.sqrt(variance)
    half /= inside * (1 - inside)
    ends = special.expit(special.logit(inside) + np.array([-half, half]))
    interval = Interval(min(float(ends[0]), area), max(float(ends[1]), area), level)
    return Auc(area, interval, (low.size, high.size), n_groups)
