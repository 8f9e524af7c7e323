"""Bootstrap intervals of lines and gaps: over images, over models, and over both.

The three answer different questions, so every interval carries its label:

- ``images``: had other images been drawn into both sets, for these models;
- ``models``: had other models of this kind been scored, on these images;
- ``both``: had both been otherwise. It errs on the long side: a model that is drawn twice brings
  its own image noise twice (the pigeonhole bootstrap, Owen 2007).

A resample of images is a row of weights W, and all models' resampled accuracies are one matrix
product, W·Z/n, with Z the right answers (images × models): the same resample for all models.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from replicate.analysis.fits import SCALES, Scale, clip_accuracy, to_scale
from replicate.analysis.intervals import Interval
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]
Kind = Literal["models", "images", "both"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_BATCH_CELLS = 2_000_000


@dataclass(frozen=True)
class Resamples:
    """Resampled accuracies of a zoo on one set.

    Attributes:
        observed: The accuracies themselves, fractions; shape (models,).
        accuracy: The resampled accuracies; shape (resamples, models).
        n_images: How many images the set has.
    """

    observed: Floats
    accuracy: Floats
    n_images: int


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
    resamples: int = 1000,
) -> Resamples:
    """Resample a set's images with replacement, the same way for all models.

    Args:
        correct: True where a model is right; shape (images, models).
        seed: The study's seed.
        *names: What the resampling is for, such as the set's name; sets need different names
            to be resampled independently.
        classes: Each image's class (numbers or text); each class then keeps its number of
            images (a stratified bootstrap). Without it all images are one stratum.
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
    labels = np.zeros(n_images, np.int64) if classes is None else np.asarray(classes)
    if labels.shape != (n_images,):
        raise UsageError("There must be one class an image.")
    _, code = np.unique(labels, return_inverse=True)
    order = np.argsort(code, kind="stable")
    sizes = np.bincount(code)
    # For each place of the sorted images: where its class begins, and how many it has.
    size = np.repeat(sizes, sizes)
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    z = right[order].astype(np.float32)
    generator = stream(seed, "bootstrap-images", *names)
    accuracy = np.empty((resamples, right.shape[1]))
    step = max(1, _BATCH_CELLS // n_images)
    for first in range(0, resamples, step):
        rows = min(step, resamples - first)
        drawn = start + (generator.random((rows, n_images)) * size).astype(np.int64)
        drawn += np.arange(rows)[:, None] * n_images
        weights = np.bincount(drawn.ravel(), minlength=rows * n_images)
        # Counts stay below 2^24, so single precision sums them exactly.
        product = weights.reshape(rows, n_images).astype(np.float32) @ z
        accuracy[first : first + rows] = product / n_images
    return Resamples(right.mean(axis=0, dtype=np.float64), accuracy, n_images)


def replication_bootstrap(
    original: Resamples, new: Resamples, seed: int, *names: str | int, level: float = 0.95
) -> ReplicationBootstrap:
    """Intervals of the mean gap and of the lines on all scales, for each kind of resampling.

    Models are paired: a resample of models takes the same ones on both sets. Images of the two
    sets are resampled independently.

    Args:
        original: The original's resamples (``image_resamples``).
        new: The new set's, of the same models in the same order and as many resamples.
        seed: The study's seed.
        *names: What this is for, such as the new set's name.
        level: The confidence level, in (0, 1).

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
    # Weights of models: how often each was drawn. For "images" every model counts once.
    model_weights = generator.multinomial(
        n_models, np.full(n_models, 1 / n_models), size=resamples
    ).astype(np.float64)
    ones = np.ones((resamples, n_models))
    fixed = [np.broadcast_to(side.observed, ones.shape) for side in (original, new)]
    cases: dict[Kind, tuple[Floats, Floats, Floats]] = {
        "models": (fixed[0], fixed[1], model_weights),
        "images": (original.accuracy, new.accuracy, ones),
        "both": (original.accuracy, new.accuracy, model_weights),
    }
    estimate = float((original.observed - new.observed).mean())
    lines, gaps = [], []
    for scale in SCALES:
        for kind in KINDS:
            x, y, weights = cases[kind]
            u, v = _scaled(x, original.n_images, scale), _scaled(y, new.n_images, scale)
            line = _line_interval(u, v, weights, scale, kind, level)
            lines += [] if line is None else [line]
    for kind in KINDS:
        x, y, weights = cases[kind]
        gap = (weights * (x - y)).sum(axis=1) / n_models
        gaps.append(GapInterval(kind, estimate, _percentile(gap, level)))
    return ReplicationBootstrap(tuple(lines), tuple(gaps))


def _scaled(accuracy: Floats, n_images: int, scale: Scale) -> Floats:
    if scale == "linear":
        return accuracy
    within = np.clip(accuracy, 0.0, 1.0)  # single precision may overshoot 1 by a rounding
    return to_scale(clip_accuracy(within, n_images).values, scale)


def _line_interval(
    u: Floats, v: Floats, weights: Floats, scale: Scale, kind: Kind, level: float
) -> LineInterval | None:
    total = weights.sum(axis=1, keepdims=True)
    du = u - (weights * u).sum(axis=1, keepdims=True) / total
    mean_v = (weights * v).sum(axis=1) / total[:, 0]
    spread = (weights * du * du).sum(axis=1)
    good = spread > 1e-12
    if not good.any():
        return None
    slope = (weights * du * v).sum(axis=1)[good] / spread[good]
    intercept = mean_v[good] - slope * (u - du)[good, 0]
    return LineInterval(
        scale,
        kind,
        _percentile(slope, level),
        _percentile(intercept, level),
        int(good.sum()),
        int((~good).sum()),
    )


def _percentile(values: Floats, level: float) -> Interval:
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high), level)
