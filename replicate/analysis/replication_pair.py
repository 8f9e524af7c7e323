"""One new set beside the original: gaps, lines, ranks, robustness."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.analysis.bootstrap import (
    LEAST_MODELS,
    Kind,
    Resamples,
    image_resamples,
    on_scale,
    replication_bootstrap,
)
from replicate.analysis.equivalence import Equivalence, PairedGap, paired_gap, tost
from replicate.analysis.fits import SCALES, Scale, line_fit
from replicate.analysis.intervals import Interval, newcombe_gap
from replicate.analysis.ranks import Inversions, inversions, kendall_tau_b, spearman
from replicate.analysis.replication_data import Index, Line, Options, Pair
from replicate.analysis.robustness import effective_robustness, influence, theil_sen
from replicate.analysis.scales import Piecewise, piecewise, prediction_error
from replicate.analysis.scores import Scores
from replicate.analysis.subgroups import Trend, class_gaps, residual_trend
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]


def percentile(values: Floats, level: float) -> Interval | None:
    """The percentile interval of finite values; None where too few resamples have one.

    An interval of no width is none either: it would claim to be certain.
    """
    finite = values[np.isfinite(values)]
    if finite.size < max(0.5 * values.size, 20):
        return None
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    if low == high:  # items that are all alike tell nothing of their spread
        return None
    return Interval(float(low), float(high), level)


def compare_pair(
    original: Scores,
    new: Scores,
    drawn: Mapping[str, Resamples],
    options: Options,
) -> Pair:
    """Compare a new set with the original, on the models that both have.

    Args:
        original: Scores on the original.
        new: Scores on the new set.
        drawn: Both sets' resamples, by name.
        options: How.

    Raises:
        UsageError: A matched item is unknown.
    """
    shared = tuple(name for name in original.models if name in new.models)
    old, fresh = original.columns(shared), new.columns(shared)
    sides = tuple(
        drawn[side.name].columns([side.models.index(name) for name in shared])
        for side in (original, new)
    )
    machine = np.array([name not in options.human for name in shared], dtype=bool)
    chosen = options.baseline
    on_line = np.array([chosen is None or name in chosen for name in shared], dtype=bool) & machine
    models = tuple(np.array(shared, dtype=object)[machine])
    x, y = old.score[machine], fresh.score[machine]
    # Without items on both sides nothing was drawn on one of them.
    images = bool(shared) and all(side.drawable or side.binary for side in (old, fresh))
    scales = _scales(old, fresh)
    lines, drop_ci, equal = _lines(sides, shared, on_line, machine, scales, images, options)
    few = len(models) < 2
    n_inverted, detail = _inverted(old.columns(models), fresh.columns(models), options)
    matched = options.pairs.get(new.name)
    paired, paired_drop = (
        ({}, None)
        if matched is None
        else _paired(old.columns(models), fresh.columns(models), matched, options)
    )
    robustness = _robustness(sides, shared, on_line, scales, images, options)
    return Pair(
        original.name,
        new.name,
        models,
        tuple(np.array(shared, dtype=object)[~machine]),
        tuple(np.array(shared, dtype=object)[on_line]),
        float((x - y).mean()) if len(models) else float("nan"),
        drop_ci,
        _gaps(old, fresh, sides, options),
        lines,
        float("nan") if few else spearman(x, y),
        float("nan") if few else kendall_tau_b(x, y),
        (len(models) * (len(models) - 1) // 2, n_inverted),
        detail,
        robustness,
        equal,
        paired,
        paired_drop,
        _bend(sides, on_line, scales),
        class_gaps(old.columns(models), fresh.columns(models), options.level),
        _trend(robustness, models, options),
    )


def _trend(
    robustness: Mapping[str, tuple[float, Interval | None, Interval | None]],
    models: Sequence[str],
    options: Options,
) -> Trend | None:
    dated = [name for name in models if name in options.dates]
    if not dated:
        return None
    years = [options.dates[name] for name in dated]
    return residual_trend(years, [robustness[name][0] for name in dated], options.level)


def _scales(old: Scores, new: Scores) -> tuple[Scale, ...]:
    """The scales on which both sets' scores have a place."""
    both = np.concatenate([old.score, new.score])
    known = np.concatenate([old.n, new.n]) > 0
    inside = (both > 0) & (both < 1)
    closed = known & (both >= 0) & (both <= 1)
    return SCALES if bool(np.all(inside | closed)) else ("linear",)


def _lines(
    sides: tuple[Resamples, ...],
    shared: Sequence[str],
    on_line: npt.NDArray[np.bool_],
    machine: npt.NDArray[np.bool_],
    scales: Sequence[Scale],
    images: bool,
    options: Options,
) -> tuple[dict[Scale, Line | None], dict[Kind, Interval | None], Equivalence | None]:
    lines: dict[Scale, Line | None] = dict.fromkeys(SCALES)
    drop: dict[Kind, Interval | None] = dict.fromkeys(("models", "images", "both"))
    old, new = (side.columns(machine) for side in sides)
    gap = float((old.observed - new.observed).mean()) if machine.any() else float("nan")
    if machine.sum() < 2:
        if machine.sum() == 1 and images:
            drop["images"] = percentile((old.accuracy - new.accuracy)[:, 0], options.level)
        return lines, drop, _equivalent(gap, old, new, images, options)
    fitted = on_line[machine]
    result = replication_bootstrap(
        old, new, options.seed, sides_name(shared), level=options.level, fitted=fitted,
        scales=scales,
    )  # fmt: skip
    for item in result.gaps:
        drop[item.kind] = _allowed(item.kind, item.interval, int(machine.sum()), images)
    names = np.array(shared, dtype=object)[on_line]
    x, y = (side.observed[on_line] for side in sides)
    if len(names) >= 2 and np.ptp(x) > 1e-12:
        intervals = {(item.scale, item.kind): item for item in result.lines}
        for scale in scales:
            u, v = (
                on_scale(side.observed[on_line], _n(side, on_line), scale) for side in sides
            )  # fmt: skip
            if np.ptp(u) <= 1e-12:
                continue
            fit = line_fit(x, y, scale, n_x=_n(sides[0], on_line), n_y=_n(sides[1], on_line))
            found = influence(u, v) if len(names) > 2 else None
            without = (
                {} if found is None else dict(zip(names, map(float, found.slopes), strict=True))
            )
            slope: dict[Kind, Interval | None] = {}
            intercept: dict[Kind, Interval | None] = {}
            kinds: tuple[Kind, ...] = ("models", "images", "both")
            for kind in kinds:
                item_ = intervals.get((scale, kind))
                if item_ is None:
                    slope[kind] = intercept[kind] = None
                    continue
                slope[kind] = _allowed(kind, item_.slope, len(names), images)
                intercept[kind] = _allowed(kind, item_.intercept, len(names), images)
            lines[scale] = Line(
                fit, slope, intercept, theil_sen(u, v), without, found,
                prediction_error(u, v, scale),
            )  # fmt: skip
    return lines, drop, _equivalent(gap, old, new, images, options)


def sides_name(shared: Sequence[str]) -> str:
    """A name for the resampling of these models: the same models are resampled alike."""
    return "\x1f".join(shared)


def _n(side: Resamples, mask: npt.NDArray[np.bool_]) -> Any:
    return side.n_images[mask] if isinstance(side.n_images, np.ndarray) else side.n_images


def _allowed(kind: Kind, interval: Interval, n_models: int, images: bool) -> Interval | None:
    """An interval, unless too few models or no items stand behind it."""
    if kind != "images" and n_models < LEAST_MODELS:
        return None
    if interval.high - interval.low <= 1e-12:  # all resamples alike is no certainty
        return None
    return interval if images or kind == "models" else None


def _equivalent(
    gap: float, old: Resamples, new: Resamples, images: bool, options: Options
) -> Equivalence | None:
    if options.margin is None or not images or not np.isfinite(gap):
        return None
    each = (old.accuracy - new.accuracy).mean(axis=1)
    return tost(gap, float(each.std()), options.margin, options.level)


def _gaps(
    old: Scores, new: Scores, sides: tuple[Resamples, ...], options: Options
) -> dict[str, tuple[float, Interval | None]]:
    gaps: dict[str, tuple[float, Interval | None]] = {}
    counts = all(side.binary and side.groups is None for side in (old, new))
    for i, model in enumerate(old.models):
        interval = None
        if counts:
            k = [round(float(side.correct[i])) for side in (old, new)]
            interval = newcombe_gap(k[0], int(old.n[i]), k[1], int(new.n[i]), options.level)
        elif old.drawable and new.drawable:
            moved = sides[0].accuracy[:, i] - sides[1].accuracy[:, i]
            interval = percentile(moved, options.level)
        gaps[model] = (float(old.score[i] - new.score[i]), interval)
    return gaps


def _inverted(old: Scores, new: Scores, options: Options) -> tuple[int, Inversions | None]:
    both = old.items is not None and new.items is not None and len(old.models) > 1
    if both and old.binary and new.binary:
        found = inversions(old.models, np.asarray(old.items), np.asarray(new.items), options.level)
        return found.n_inverted, found
    i, j = np.triu_indices(len(old.models), k=1)
    order = np.sign(old.score[i] - old.score[j]) * np.sign(new.score[i] - new.score[j])
    return int((order < 0).sum()), None


def _robustness(
    sides: tuple[Resamples, ...],
    shared: Sequence[str],
    on_line: npt.NDArray[np.bool_],
    scales: Sequence[Scale],
    images: bool,
    options: Options,
) -> dict[str, tuple[float, Interval | None, Interval | None]]:
    scale: Scale = options.scale if options.scale in scales else "linear"
    here = [Resamples(side.observed, side.observed[None, :], side.n_images) for side in sides]
    rho = effective_robustness(here[0], here[1], on_line, scale)[0]
    found: dict[str, tuple[float, Interval | None, Interval | None]] = {}
    over_images = over_both = None
    count = int(on_line.sum())
    if images and count >= 3:
        over_images = effective_robustness(sides[0], sides[1], on_line, scale)
        if count > LEAST_MODELS:
            generator = stream(options.seed, "bootstrap-models", sides_name(shared))
            weights = np.zeros(sides[0].accuracy.shape)
            weights[:, on_line] = generator.multinomial(
                count, np.full(count, 1 / count), size=len(weights)
            )
            over_both = effective_robustness(sides[0], sides[1], on_line, scale, weights)
    for i, name in enumerate(shared):
        ends = [
            None if drawn is None else percentile(drawn[:, i], options.level)
            for drawn in (over_both, over_images)
        ]
        found[name] = (float(rho[i]), ends[0] or ends[1], ends[1])
    return found


def _paired(
    old: Scores, new: Scores, matched: tuple[Index, Index], options: Options
) -> tuple[dict[str, PairedGap], tuple[float, Interval, int] | None]:
    if old.items is None or new.items is None or not old.models:
        raise UsageError("Matched items need per-item scores on both sets.")
    left, right = matched
    for side, at in ((old, left), (new, right)):
        if at.size and (at.min() < 0 or at.max() >= int(side.n[0])):
            raise UsageError(
                f"A matched item is not in {side.name}: it has items 0 to {side.n[0] - 1}."
            )
    a, b = old.items[left], new.items[right]
    gaps = {}
    if a.dtype.kind == b.dtype.kind == "b":
        for i, model in enumerate(old.models):
            first, second = int((a & ~b)[:, i].sum()), int((b & ~a)[:, i].sum())
            both = int((a & b)[:, i].sum())
            gaps[model] = paired_gap(
                both, first, second, len(a) - both - first - second, options.level
            )
    difference = (a.astype(np.float64) - b.astype(np.float64)).mean(axis=1, keepdims=True)
    # The mean over models of one item's difference lies in [-1, 1]: moved into [0, 1] to draw.
    drawn = image_resamples(
        (difference + 1) / 2, options.seed, "matched", new.name, resamples=options.resamples
    )
    interval = percentile(2 * drawn.accuracy[:, 0] - 1, options.level)
    if interval is None:
        return gaps, None
    return gaps, (float(difference.mean()), interval, len(a))


def _bend(
    sides: tuple[Resamples, ...], on_line: npt.NDArray[np.bool_], scales: Sequence[Scale]
) -> Piecewise | None:
    scale: Scale = "logit" if "logit" in scales else "linear"
    if not on_line.any():
        return None
    u, v = (on_scale(side.observed[on_line], _n(side, on_line), scale) for side in sides)
    return piecewise(u, v, scale)
