"""Bootstrap intervals of lines and gaps: over images, over models, and over both.

The three answer different questions, so every interval carries its label:

- ``images``: had other images been drawn into both sets, for these models;
- ``models``: had other models of this kind been scored, on these images;
- ``both``: had both been otherwise. Its deviations are those over models plus those over images,
  the latter less the part that belongs to single models: that part is in the scatter of the
  models already. (Drawing both at once, the pigeonhole bootstrap of Owen 2007, counts it thrice.)

A resample of images is a row of weights W, and all models' resampled accuracies are one matrix
product, W·Z/n, with Z the right answers (images × models): the same resample for all models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from replicate.analysis.fits import SCALES, Scale, clip_accuracy, to_scale
from replicate.analysis.intervals import Interval
from replicate.analysis.joint import joined, shared_part, small_sample_factor
from replicate.analysis.resampling import (
    grouped_design,
    plain_design,
    resampled_means,
    stratified_design,
)
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]
Kind = Literal["models", "images", "both"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LEAST_MODELS = 4


@dataclass(frozen=True)
class Resamples:
    """Resampled accuracies of a zoo on one set.

    Attributes:
        observed: The accuracies themselves, fractions; shape (models,).
        accuracy: The resampled accuracies; shape (resamples, models).
        n_images: How many images the set has, or each model was scored on.
    """

    observed: Floats
    accuracy: Floats
    n_images: int | npt.NDArray[np.int64]

    def columns(self, at: npt.ArrayLike) -> "Resamples":
        """The same resamples of some of the models, given by mask or index."""
        chosen = np.asarray(at)
        chosen = chosen if chosen.dtype.kind == "b" else chosen.astype(np.int64)
        n = self.n_images[chosen] if isinstance(self.n_images, np.ndarray) else self.n_images
        return Resamples(self.observed[chosen], self.accuracy[:, chosen], n)


@dataclass(frozen=True)
class LineInterval:
    """Percentile intervals of a line's slope and intercept.

    Attributes:
        scale: The scale of the line.
        kind: What was resampled: ``models``, ``images`` or ``both``.
        slope: The interval of the slope.
        intercept: The interval of the intercept.
        n_resamples: Resamples that a line could be fitted to.
        n_degenerate: Resamples in which all models had one original accuracy; left out.
    """

    scale: Scale
    kind: Kind
    slope: Interval
    intercept: Interval
    n_resamples: int
    n_degenerate: int


@dataclass(frozen=True)
class GapInterval:
    """The mean accuracy gap of a zoo, original − new, with a percentile interval.

    Attributes:
        kind: What was resampled: ``models``, ``images`` or ``both``.
        estimate: The mean gap over the models, a fraction.
        interval: Its interval.
    """

    kind: Kind
    estimate: float
    interval: Interval


@dataclass(frozen=True)
class ReplicationBootstrap:
    """All bootstrap intervals of one new set against the original.

    Attributes:
        lines: One a scale and kind, in the order of ``SCALES`` and ``KINDS``; without those
            for which every resample is degenerate (all models alike on the original).
        gaps: One a kind, in the order of ``KINDS``.
    """

    lines: tuple[LineInterval, ...]
    gaps: tuple[GapInterval, ...]


def image_resamples(
    correct: npt.ArrayLike,
    seed: int,
    *names: str | int,
    classes: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    resamples: int = 1000,
) -> Resamples:
    """Resample a set's images with replacement, the same way for all models.

    Args:
        correct: True where a model is right, or scores in [0, 1]; shape (images, models).
        seed: The study's seed.
        *names: What the resampling is for, such as the set's name; sets need different names
            to be resampled independently.
        classes: Each image's class (numbers or text); each class then keeps its number of
            images (a stratified bootstrap). Without it all images are one stratum.
        groups: Each image's cluster; whole clusters are then drawn, and classes not regarded.
        resamples: How many resamples.

    Raises:
        UsageError: Wrong shapes, no image, no model or no resample.

    >>> import numpy as np
    >>> drawn = image_resamples(np.eye(4, 2), 1, "original", resamples=500)
    >>> drawn.accuracy.shape, drawn.observed.tolist()
    ((500, 2), [0.25, 0.25])
    """
    right = np.asarray(correct)
    if right.ndim != 2 or 0 in right.shape or resamples < 1:
        raise UsageError("Resampling needs predictions of the shape (images, models).")
    n_images = right.shape[0]
    if right.dtype.kind != "b":
        right = right.astype(np.float64)
        if np.isin(right, (0.0, 1.0)).all():
            right = right.astype(np.bool_)
    design = plain_design(n_images)
    if groups is not None:
        design = grouped_design(_one_each(groups, n_images, "group"))
    elif classes is not None:
        design = stratified_design(_one_each(classes, n_images, "class"))
    accuracy = resampled_means(right, design, resamples, seed, *names)
    return Resamples(right.mean(axis=0, dtype=np.float64), accuracy, n_images)


def class_mean_resamples(
    correct: npt.NDArray[Any],
    classes: npt.ArrayLike,
    seed: int,
    *names: str | int,
    resamples: int = 1000,
) -> Resamples:
    """Resample within classes, for the mean over classes of each class's mean.

    One item fewer than there are is drawn from each class, so that variances within classes have
    the right size however small these are (Rao and Wu 1988).

    Args:
        correct: True where a model is right, or scores in [0, 1]; shape (images, models).
        classes: Each image's class.
        seed: The study's seed.
        *names: What the resampling is for.
        resamples: How many resamples.

    >>> right = np.array([[True], [False], [True], [True]])
    >>> class_mean_resamples(right, [0, 0, 1, 1], 1, "x", resamples=9).observed.tolist()
    [0.75]
    """
    labels = _one_each(classes, len(correct), "class")
    _, member, size = np.unique(labels, return_inverse=True, return_counts=True)
    drawn = np.maximum(size - 1, 1)
    weight = 1 / (len(size) * drawn[member])
    scale = float(weight.max())
    design = stratified_design(labels, fewer=True)
    scaled = correct * (weight / scale)[:, None]
    means = resampled_means(scaled, design, resamples, seed, *names)
    observed = (1 / (len(size) * size[member])) @ correct.astype(np.float64)
    return Resamples(observed, means * scale * int(drawn.sum()), len(correct))


def _one_each(values: npt.ArrayLike, n_images: int, what: str) -> npt.NDArray[Any]:
    labels = np.asarray(values)
    if labels.shape != (n_images,):
        raise UsageError(f"There must be one {what} an image.")
    return labels


def replication_bootstrap(
    original: Resamples,
    new: Resamples,
    seed: int,
    *names: str | int,
    level: float = 0.95,
    fitted: npt.ArrayLike | None = None,
    scales: Sequence[Scale] = SCALES,
) -> ReplicationBootstrap:
    """Intervals of the mean gap and of the lines on all scales, for each kind of resampling.

    Models are paired: a resample of models takes the same ones on both sets. Images of the two
    sets are resampled independently. A zoo is a small sample: intervals over models and over
    both are widened as Student's t is against the normal (Hesterberg 2015).

    Args:
        original: The original's resamples (``image_resamples``).
        new: The new set's, of the same models in the same order and as many resamples.
        seed: The study's seed.
        *names: What this is for, such as the new set's name.
        level: The confidence level, in (0, 1).
        fitted: True for the models that lines are fitted on (the baseline models), shape
            (models,); without it all of them. Mean gaps are of all models.
        scales: The scales to fit lines on.

    Raises:
        UsageError: The two do not fit each other, or there are fewer than two models.

    >>> import numpy as np
    >>> right = np.random.default_rng(0).random((300, 5)) < np.linspace(0.6, 0.9, 5)
    >>> a, b = (image_resamples(right, 1, side, resamples=200) for side in ("old", "new"))
    >>> result = replication_bootstrap(a, b, 1, "demo")
    >>> [gap.kind for gap in result.gaps], result.gaps[1].interval.contains(0.0)
    (['models', 'images', 'both'], True)
    """
    if original.accuracy.shape != new.accuracy.shape or original.accuracy.shape[1] < 2:
        raise UsageError("Both sets need resamples of the same models, at least two.")
    resamples, n_models = original.accuracy.shape
    generator = stream(seed, "bootstrap-models", *names)
    everyone = np.ones(n_models, bool)
    on_line = everyone if fitted is None else np.asarray(fitted, bool)
    # How often each model was drawn; the gap is of all models, the line of those it is fitted on.
    gap_weights = _model_weights(generator, resamples, everyone)
    line_weights = _model_weights(generator, resamples, on_line)
    lines: list[LineInterval] = []
    for scale in scales:
        sides = [
            (on_scale(side.observed[None, :], side.n_images, scale)[:, on_line],
             on_scale(side.accuracy, side.n_images, scale)[:, on_line])
            for side in (original, new)
        ]  # fmt: skip
        lines += _line_intervals(sides[0], sides[1], line_weights[:, on_line], scale, level)
    gap = original.observed - new.observed
    by_model = gap_weights @ gap / n_models
    by_image = (original.accuracy - new.accuracy).mean(axis=1)
    noise = original.accuracy - new.accuracy - gap
    shared = shared_part(by_image, noise, np.ones((n_models, 1)), np.full(n_models, 1 / n_models))
    wide = small_sample_factor(n_models, 1, level)
    estimate = float(gap.mean())
    values = {
        "models": by_model,
        "images": by_image,
        "both": joined(estimate, by_model, wide, by_image, shared),
    }
    gaps = [
        GapInterval(kind, estimate, _percentile(values[kind], level, _wide(kind, wide)))
        for kind in KINDS
    ]
    return ReplicationBootstrap(tuple(lines), tuple(gaps))


def _wide(kind: Kind, wide: float) -> float:
    return wide if kind == "models" else 1.0


def _model_weights(
    generator: np.random.Generator, resamples: int, on_line: npt.NDArray[np.bool_]
) -> Floats:
    weights = np.zeros((resamples, on_line.size))
    count = int(on_line.sum())
    if count:
        weights[:, on_line] = generator.multinomial(
            count, np.full(count, 1 / count), size=resamples
        )
    return weights


def on_scale(accuracy: Floats, n_images: int | npt.NDArray[np.int64], scale: Scale) -> Floats:
    """Accuracies on a scale, clipped so that 0 and 1 have a place there.

    >>> on_scale(np.array([0.5, 1.0]), 50, "probit").round(3).tolist()
    [0.0, 2.326]
    """
    if scale == "linear":
        return accuracy
    within = np.clip(accuracy, 0.0, 1.0)  # single precision may overshoot 1 by a rounding
    return to_scale(clip_accuracy(within, n_images).values, scale)


def _line_intervals(
    original: tuple[Floats, Floats],
    new: tuple[Floats, Floats],
    weights: Floats,
    scale: Scale,
    level: float,
) -> list[LineInterval]:
    """The intervals of each kind of one scale's line, for the models that it is fitted on.

    Args:
        original: On the scale: observed, shape (1, m), and resampled, shape (resamples, m).
        new: Likewise.
        weights: How often each model is drawn, shape (resamples, m).
        scale: The scale.
        level: The confidence level.
    """
    (u, u_drawn), (v, v_drawn) = original, new
    if u.shape[1] < 2:
        return []
    by_model = resampled_lines(
        np.broadcast_to(u, weights.shape), np.broadcast_to(v, weights.shape), weights
    )
    by_image = resampled_lines(u_drawn, v_drawn, np.ones(u_drawn.shape))
    observed = resampled_lines(u, v, np.ones(u.shape))
    wide = small_sample_factor(u.shape[1], 2, level)
    both = [np.full(len(weights), np.nan)] * 2
    if np.isfinite(observed[0][0]):
        du = (u - u.mean())[0]
        slopes = du / (du @ du)
        noise = (v_drawn - v) - observed[0][0] * (u_drawn - u)
        design = np.stack([np.ones(du.size), du], axis=1)
        both = [
            joined(
                float(observed[i][0]),
                by_model[i],
                wide,
                by_image[i],
                shared_part(by_image[i][np.isfinite(by_image[i])], noise, design, influence),
            )
            for i, influence in enumerate((slopes, 1 / du.size - u.mean() * slopes))
        ]
    values = {"models": by_model, "images": by_image, "both": both}
    found = []
    for kind in KINDS:
        slope, intercept = values[kind]
        good = np.isfinite(slope)
        if good.any():
            ends = [_percentile(x[good], level, _wide(kind, wide)) for x in (slope, intercept)]
            found.append(
                LineInterval(scale, kind, ends[0], ends[1], int(good.sum()), int((~good).sum()))
            )
    return found


def resampled_lines(u: Floats, v: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The weighted least-squares line of every resample.

    Args:
        u: The original's accuracies on a scale, shape (resamples, models).
        v: The new set's, likewise.
        weights: How often each model counts, likewise.

    Returns:
        Slopes and intercepts, shape (resamples,); NaN where all models have one accuracy.

    >>> slope, intercept = resampled_lines(*(np.array([[0.0, 1.0, 2.0]]) for _ in "ab"),
    ...                                    np.ones((1, 3)))
    >>> slope.tolist(), intercept.tolist()
    ([1.0], [0.0])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights.sum(axis=1, keepdims=True)
        mean_u = (weights * u).sum(axis=1, keepdims=True) / total
        du = u - mean_u
        weighted = weights * du
        spread = (weighted * du).sum(axis=1)
        slope = np.where(spread > 1e-12, (weighted * v).sum(axis=1) / spread, np.nan)
        intercept = (weights * v).sum(axis=1) / total[:, 0] - slope * mean_u[:, 0]
    return slope, intercept


def _percentile(values: Floats, level: float, wide: float = 1.0) -> Interval:
    """The percentile interval, its distances from the median stretched by a factor."""
    tail = (1 - level) / 2
    low, middle, high = np.quantile(values, [tail, 0.5, 1 - tail])
    return Interval(
        float(middle - wide * (middle - low)), float(middle + wide * (high - middle)), level
    )
