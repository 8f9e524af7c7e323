"""Name That Dataset: can a classifier tell the original's images from the new ones?

Torralba and Efros (2011), "Unbiased Look at Dataset Bias". A new set made by the same process
as the original should be hard to tell from it. A classifier that tells them apart says that
something differs, not what: JPEG quality or size alone give a set away, so these are to be
matched first. Two controls show that the measuring works: halves of one set must not be told
apart (negative), and a difference that was put there must be found (positive).

What training adds to the error of a cross-validated area is as large as what testing does: near
0.5 the fits of the folds share what chance put into the data, and variances that take them as
fixed (DeLong's) are about half of the truth (Bengio and Grandvalet 2004: no unbiased estimate
exists within one cross-validation). Here it is measured where it can be: on permuted labels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.intervals import Interval
from replicate.analysis.logistic import Standardised, grouped_folds
from replicate.analysis.relabelled import held_out_scores, relabelled
from replicate.analysis.roc import placements
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]
GRID = (0.03, 0.3, 3.0, 30.0, 300.0)
PLANTED = 1.0  # standard deviations along one random direction: the positive control


@dataclass(frozen=True)
class Told:
    """How well a classifier that is trained on part of two sets tells the rest apart.

    Attributes:
        auc: The mean over folds of P(score of a new item > score of an original one), ties
            counted half.
        interval: The interval of what such classifiers have on average on fresh items, with as
            many to train on as one of these: it knows of items, groups and of the training. None
            with fewer than two groups on a side.
        p: One-sided: how often labels that mean nothing give so large an area, (1 + those that
            do) / (1 + permutations). At most 0.05 in 5 % of sets that are alike.
        n: Items of the two sets.
        n_groups: Groups of the two sets.
        penalty: λ chosen in each fold.
    """

    auc: float
    interval: Interval | None
    p: float
    n: tuple[int, int]
    n_groups: tuple[int, int]
    penalty: tuple[float, ...]


@dataclass(frozen=True)
class Discrimination:
    """The question and its two controls.

    Attributes:
        new: Original against new.
        negative: One random half of the original's groups against the other: 0.5 if all is well.
        positive: The original against a copy of other halves in which every feature vector was
            moved by one standard deviation along one random direction: well above 0.5.
        folds: Folds of the cross-validation.
        permutations: Permuted labellings behind each p and each interval.
    """

    new: Told
    negative: Told
    positive: Told
    folds: int
    permutations: int


@dataclass(frozen=True)
class Design:
    """How sets are told apart.

    Attributes:
        folds: Folds of the outer cross-validation, at least 3.
        permutations: How often whole groups' labels are permuted within the folds, at least 20.
        level: The confidence level, in (0, 1).
    """

    folds: int = 5
    permutations: int = 500
    level: float = 0.95


def tell_apart(
    original: npt.ArrayLike,
    new: npt.ArrayLike,
    seed: int,
    *,
    groups_original: npt.ArrayLike | None = None,
    groups_new: npt.ArrayLike | None = None,
    design: Design = Design(),
) -> Discrimination:
    """Tell the sets apart, and two controls: halves of the original, and a planted difference.

    Args:
        original: Features, shape (n, d).
        new: Features of the new set, shape (m, d).
        seed: The seed of the folds, the permutations and the controls.
        groups_original: Each original item's group; by default each by itself.
        groups_new: Each new item's. A group is of one set: a name that both sets have stands for
            two groups.
        design: Folds, permutations and level.

    Raises:
        UsageError: Shapes do not fit, a feature is not a number, or there are too few groups.

    >>> rng = np.random.default_rng(0)
    >>> found = tell_apart(rng.normal(size=(60, 2)), rng.normal(2, 1, size=(60, 2)), 1)
    >>> found.new.auc > 0.9, found.new.p < 0.01, found.negative.interval.contains(0.5)
    (True, True, True)
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
    one, two = _halves(left, seed)
    direction = stream(seed, "planted").normal(size=a.shape[1])
    direction = direction * (PLANTED / float(np.linalg.norm(direction)))
    moved = a[two] + direction * Standardised.of(a).scale
    return Discrimination(
        told(a, left, b, right, seed, "new", design),
        told(a[one], left[one], a[two], left[two], seed, "negative", design),
        told(a[one], left[one], moved, left[two], seed, "positive", design),
        design.folds,
        design.permutations,
    )


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


def told(
    a: Floats,
    left: npt.NDArray[np.int64],
    b: Floats,
    right: npt.NDArray[np.int64],
    seed: int,
    name: str,
    design: Design,
) -> Told:
    """Train a linear classifier on frozen features to tell two sets apart, and test it held out.

    A ridge regression on the sets' labels with standardised features, λ from a grid by inner
    folds, groups (of near-duplicates, owners, writers) never split over folds.

    Args:
        a: Features of one set, shape (n, d).
        left: Each item's group, shape (n,), numbered from 0.
        b: Features of the other, of about as many items.
        right: Each item's group.
        seed: The seed.
        name: What is compared; other names have other folds and permutations.
        design: Folds, permutations and level.

    Raises:
        UsageError: There are fewer groups than folds, or the design is out of range.
    """
    folds, count = design.folds, design.permutations
    if folds < 3 or count < 20:
        raise UsageError("Telling sets apart takes at least 3 folds and 20 permutations.")
    x = np.concatenate([a, b])
    group = np.concatenate([left, right + left.max() + 1])
    # Folds are made for each set by itself, so that both are in every fold.
    fold = np.concatenate(
        [grouped_folds(side, folds, seed, name, i) for i, side in enumerate((left, right))]
    )
    label = np.repeat(np.array([-1.0, 1.0]), [len(a), len(b)])
    others = relabelled(group, fold, count, stream(seed, "permuted", name))
    signs = np.column_stack([label, others])
    scores, penalty = held_out_scores(x, signs, fold, GRID)
    area, variance = _areas(scores, signs > 0, fold, group)
    at_least = int((area[1:] >= area[0] - 1e-12).sum())
    sides = (len(np.unique(left)), len(np.unique(right)))
    return Told(
        float(area[0]),
        _interval(area, variance, _freedom(left, right), design.level) if min(sides) > 1 else None,
        (1 + at_least) / (1 + count),
        (len(a), len(b)),
        sides,
        tuple(float(each) for each in penalty[:, 0]),
    )


def _areas(
    scores: Floats,
    positive: npt.NDArray[np.bool_],
    fold: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """The area of every labelling, and its variance for given fits.

    Scores of different folds are never compared. The variance is DeLong's, that of the two sides'
    mean placements, with items of one group summed before their squares (Obuchowski 1997).
    """
    parts = [fold == k for k in range(int(fold.max()) + 1)]
    placed = np.empty(scores.shape)
    area = np.zeros(scores.shape[1])
    for part in parts:
        placed[part] = placements(scores[part], positive[part])
        ups = positive[part]
        area += np.where(ups, placed[part], 0).sum(axis=0) / ups.sum(axis=0) / len(parts)
    order = np.argsort(group, kind="stable")
    start = np.flatnonzero(np.diff(group[order], prepend=-1))
    size = np.where(positive, positive.sum(axis=0), (~positive).sum(axis=0))
    sums = np.add.reduceat(((placed - area) / size)[order], start, axis=0)
    mine = positive[order][start]  # the side of each group
    variance = np.zeros(scores.shape[1])
    for side in (mine, ~mine):
        count = side.sum(axis=0)
        variance += np.where(side, sums**2, 0).sum(axis=0) * count / np.maximum(count - 1, 1)
    return area, variance


def _freedom(*sides: npt.NDArray[np.int64]) -> float:
    """Degrees of freedom of a variance between groups: those of as many groups of one size.

    >>> _freedom(np.arange(10), np.arange(10)), round(_freedom(np.array([0, 1, 2, 2, 2, 2])), 2)
    (18.0, 0.26)
    """
    squares = [np.bincount(side).astype(np.float64) ** 2 for side in sides]
    return float(sum(x.sum() ** 2 / (x**2).sum() - 1 for x in squares))


def _interval(area: Floats, variance: Floats, freedom: float, level: float) -> Interval:
    """The interval of the first labelling's area, from all labellings' areas and variances.

    With r the variance of the areas of permuted labels over the mean of what is expected for
    given fits, the variance at area A is expected × (1 + (r − 1)·4A(1 − A)): the whole of what
    training adds at 0.5, none at 1, where fits no longer differ in their order. Ends solve
    |A − θ| = t·√V(θ) with V(θ) in proportion to θ(1 − θ), as Wilson's do for a share, and t
    Student's for the number of groups, few large ones counting as few. All of it was chosen by
    simulation (tests/bench/test_name_that_dataset.py).
    """
    a, fixed = float(area[0]), float(variance[1:].mean())
    inside = max(a * (1 - a), 1e-12)
    # Sets that are told apart in every fold leave no variance: at least half of that at 0.5.
    own = max(float(variance[0]), 2 * fixed * inside)
    ratio = max(float(area[1:].var(ddof=1)) / fixed, 1.0) if fixed > 0 else 1.0
    total = own * (1 + (ratio - 1) * 4 * a * (1 - a))
    wide = float(special.stdtrit(max(freedom, 1.0), (1 + level) / 2))
    spread = wide**2 * total / inside
    middle = (a + spread / 2) / (1 + spread)
    half = np.sqrt(spread * (a * (1 - a) + spread / 4)) / (1 + spread)
    return Interval(max(float(middle - half), 0.0), min(float(middle + half), 1.0), level)
