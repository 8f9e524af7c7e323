"""The zoo on the original and on other sets: every number of the report, from right answers."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from replicate.analysis.bootstrap import (
    Resamples,
    image_resamples,
    replication_bootstrap,
)
from replicate.analysis.equivalence import paired_gap
from replicate.analysis.fits import SCALES, LineFit, line_fit
from replicate.analysis.intervals import Interval, clopper_pearson, newcombe_gap
from replicate.analysis.ranks import inversions, kendall_tau_b, places, spearman
from replicate.base.errors import UsageError
from replicate.reporting.data import Comparison, ModelInfo, ModelScore, ScoredSet


def compare(
    original: ScoredSet,
    others: Sequence[ScoredSet],
    models: Mapping[str, ModelInfo],
    seed: int,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    parts: Mapping[str, ScoredSet] | None = None,
) -> tuple[Comparison, ...]:
    """Compare each set with the original, on the models that were scored on both.

    Args:
        original: Right answers on the original.
        others: Right answers on the new sets and the controls.
        models: What is known of the models, by name.
        seed: The study's seed; sets are resampled independently of each other.
        resamples: Bootstrap resamples.
        level: Confidence level, in (0, 1).
        parts: By the name of a set: right answers on the part of the original that it is compared
            with, where it has only some of the classes.

    Raises:
        UsageError: A set shares no model with the original, or has no images.
    """
    drawn: dict[str, Resamples] = {}
    own = parts or {}
    return tuple(
        _compare_one(
            own.get(other.info.name, original), other, models, seed, drawn, resamples, level
        )
        for other in others
    )


def _compare_one(
    original: ScoredSet,
    new: ScoredSet,
    models: Mapping[str, ModelInfo],
    seed: int,
    drawn: dict[str, Resamples],
    resamples: int,
    level: float,
) -> Comparison:
    shared = [name for name in original.models if name in new.models]
    if not shared:
        raise UsageError(f"No model was scored on both the original and {new.info.name}.")
    right = [_columns(side, shared) for side in (original, new)]
    accuracy = [side.mean(axis=0) for side in right]
    scores = _scores([models[name] for name in shared], right, level, new.info.paired)
    if len(shared) < 2:
        nan = float("nan")
        return Comparison(new.info, scores, (), (), (), nan, nan, None)
    sides = []
    for scored, columns in ((original, right[0]), (new, right[1])):
        # The original's resamples serve all sets that were scored by the same models.
        key = "\x1f".join((scored.info.name, *shared))
        # The same images in another form are resampled together: their noise is one and the same.
        stream = original.info.name if scored.info.paired else scored.info.name
        if key not in drawn:
            drawn[key] = image_resamples(
                columns, seed, stream, classes=scored.classes, resamples=resamples
            )
        sides.append(drawn[key])
    result = replication_bootstrap(sides[0], sides[1], seed, new.info.name, level=level)
    return Comparison(
        new.info,
        scores,
        result.gaps,
        _fits(sides[0], sides[1]),
        result.lines,
        spearman(accuracy[0], accuracy[1]),
        kendall_tau_b(accuracy[0], accuracy[1]),
        inversions(shared, right[0], right[1], level),
    )


def _columns(scored: ScoredSet, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    index = {name: i for i, name in enumerate(scored.models)}
    return np.asarray(scored.correct, dtype=np.bool_)[:, [index[name] for name in names]]


def _fits(original: Resamples, new: Resamples) -> tuple[LineFit, ...]:
    if np.ptp(original.observed) == 0:
        return ()
    return tuple(
        line_fit(original.observed, new.observed, scale, n_x=original.n_images, n_y=new.n_images)
        for scale in SCALES
    )


def _scores(
    models: Sequence[ModelInfo],
    right: Sequence[npt.NDArray[np.bool_]],
    level: float,
    paired: bool,
) -> tuple[ModelScore, ...]:
    n = [len(side) for side in right]
    counts = [side.sum(axis=0) for side in right]
    ranks = [places(count) for count in counts]
    scores = []
    for i, model in enumerate(models):
        k = [int(count[i]) for count in counts]
        scores.append(
            ModelScore(
                model=model,
                correct_original=k[0],
                n_original=n[0],
                interval_original=clopper_pearson(k[0], n[0], level),
                correct_new=k[1],
                n_new=n[1],
                interval_new=clopper_pearson(k[1], n[1], level),
                gap=k[0] / n[0] - k[1] / n[1],
                gap_interval=_paired(right[0][:, i], right[1][:, i], level)
                if paired
                else newcombe_gap(k[0], n[0], k[1], n[1], level),
                rank_original=int(ranks[0][i]),
                rank_new=int(ranks[1][i]),
            )
        )
    return tuple(sorted(scores, key=lambda score: (score.rank_original, score.model.name)))


def _paired(old: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_], level: float) -> Interval:
    """The interval of the gap between two forms of the same images."""
    both, first, second, neither = (
        int(each.sum()) for each in (old & new, old & ~new, ~old & new, ~old & ~new)
    )
    return paired_gap(both, first, second, neither, level).interval
