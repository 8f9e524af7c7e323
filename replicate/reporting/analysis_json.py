"""An analysis as plain values for JSON: what cannot be known is null."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from replicate.analysis.bootstrap import KINDS
from replicate.analysis.fits import SCALES
from replicate.analysis.intervals import Interval
from replicate.analysis.ranks import spearman
from replicate.analysis.replication_data import Analysis, Line, ModelOnSet, Pair, SetSimilarity
from replicate.analysis.subgroups import ClassGap


def as_json(
    found: Analysis,
    excluded: Iterable[Mapping[str, str]] = (),
    warnings: Iterable[str] = (),
    repaired: Iterable[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """The document that ``replicate analyze --json`` writes.

    Args:
        found: The analysis.
        excluded: What was left out on the way: model, set, reason, evidence.
        warnings: What was guessed on the way.
        repaired: What was mended on the way: as ``excluded``.
    """
    original = found.sets[0].name
    like = found.similarity.get(original)
    return {
        "original": original,
        "models": [
            {"name": name, "sets": {key: _on_set(item) for key, item in sets.items()}}
            for name, sets in found.models.items()
        ],
        "pairs": [_pair(pair) for pair in found.pairs],
        "similarity": {key: _similarity(item) for key, item in found.similarity.items()},
        "effective_number_of_models": number(like.simultaneous.effective_number) if like else None,
        "shifts": _shifts(found),
        "excluded": list(excluded),
        "repaired": list(repaired),
        "warnings": [*warnings, *found.warnings],
        "options": {
            "seed": found.options.seed,
            "resamples": found.options.resamples,
            "level": found.options.level,
            "scale": found.options.scale,
            "margin": found.options.margin,
        },
    }


def _shifts(found: Analysis) -> list[dict[str, Any]]:
    """Whether who is robust to one shift is robust to another: ρ on each two new sets."""
    rows = []
    for i, first in enumerate(found.pairs):
        for second in found.pairs[i + 1 :]:
            both = [
                (first.robustness[name][0], second.robustness[name][0])
                for name in first.models
                if name in second.robustness
            ]
            known = np.array([pair for pair in both if np.isfinite(pair).all()]).reshape(-1, 2)
            rank = line = float("nan")
            if len(known) > 2 and np.ptp(known, axis=0).min() > 0:
                rank = spearman(known[:, 0], known[:, 1])
                line = float(np.corrcoef(known.T)[0, 1])
            rows.append(
                {
                    "sets": [first.new, second.new],
                    "n_models": len(known),
                    "spearman": number(rank),
                    "pearson": number(line),
                }
            )
    return rows


def number(value: float | None) -> float | None:
    """A finite number, or None.

    >>> number(float("nan")), number(0.5)
    (None, 0.5)
    """
    return float(value) if value is not None and math.isfinite(value) else None


def ends(interval: Interval | None) -> list[float] | None:
    """An interval as its two ends.

    >>> ends(Interval(0.1, 0.2))
    [0.1, 0.2]
    """
    if interval is None or number(interval.low) is None or number(interval.high) is None:
        return None
    return [interval.low, interval.high]


def _on_set(item: ModelOnSet) -> dict[str, Any]:
    correct = item.correct
    whole = correct is not None and math.isfinite(correct) and correct == int(correct)
    return {
        "n": item.n,
        "correct": int(correct) if whole and correct is not None else number(correct),
        "accuracy": number(item.accuracy),
        "ci": ends(item.interval),
        "ci_simultaneous": ends(item.simultaneous),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    found = pair.inversions
    value: dict[str, Any] = {
        "original": pair.original,
        "new": pair.new,
        "n_models": len(pair.models),
        "n_baseline": len(pair.baseline),
        "humans": list(pair.humans),
        "mean_drop": number(pair.mean_drop),
        "mean_drop_ci": {kind: ends(pair.mean_drop_ci.get(kind)) for kind in KINDS},
        "gaps": {
            model: {"gap": number(gap), "ci": ends(interval)}
            for model, (gap, interval) in pair.gaps.items()
        },
        "fits": {scale: _line(pair.lines.get(scale)) for scale in SCALES},
        "straightest_scale": straightest(pair),
        "spearman": number(pair.spearman),
        "kendall_tau_b": number(pair.kendall),
        "inversions": {
            "pairs": pair.inverted[0],
            "inverted": pair.inverted[1],
            "resolved": found.n_resolved if found else None,
            "resolved_pairs": [
                {"better": p.better, "worse": p.worse, "p": p.p_adjusted}
                for p in (found.pairs if found else ())
                if p.resolved
            ],
        },
        "effective_robustness": {
            model: {"rho": number(rho), "ci": ends(both), "ci_images": ends(images)}
            for model, (rho, both, images) in pair.robustness.items()
        },
        "classes": class_rows(pair.classes),
        "trend": None,
        "equivalence": None,
        "paired": None,
        "piecewise": None,
    }
    if pair.equivalence is not None:
        equal = pair.equivalence
        value["equivalence"] = {
            "margin": equal.margin,
            "p": number(equal.p),
            "equivalent": equal.equivalent,
        }
    if pair.paired_drop is not None:
        drop, interval, n = pair.paired_drop
        value["paired"] = {
            "n": n,
            "mean_drop": number(drop),
            "ci": ends(interval),
            "models": {
                model: {"gap": item.gap, "ci": ends(item.interval), "p": number(item.p)}
                for model, item in pair.paired.items()
            },
        }
    if pair.trend is not None:
        value["trend"] = {
            "n": pair.trend.n,
            "rho_per_year": number(pair.trend.slope),
            "ci": ends(pair.trend.interval),
            "p": number(pair.trend.p),
        }
    if pair.piecewise is not None:
        bend = pair.piecewise
        value["piecewise"] = {
            "scale": bend.scale,
            "bend": number(bend.bend),
            "slopes": [number(slope) for slope in bend.slopes],
            "p": number(bend.p),
        }
    return value


def class_rows(gaps: tuple[ClassGap, ...]) -> list[dict[str, Any]]:
    """Gaps of classes or subgroups, a row each."""
    return [
        {
            "class": item.label,
            "n_original": item.n_original,
            "n_new": item.n_new,
            "gap": number(item.gap),
            "ci": ends(item.interval),
            "excess": number(item.excess),
            "p_adjusted": number(item.p_adjusted),
        }
        for item in gaps
    ]


def straightest(pair: Pair) -> str | None:
    """The scale whose line predicts left-out models best; None where there is no line."""
    errors = {
        scale: line.error_points
        for scale, line in pair.lines.items()
        if line is not None and math.isfinite(line.error_points)
    }
    return min(errors, key=errors.__getitem__) if errors else None


def _line(line: Line | None) -> dict[str, Any] | None:
    if line is None:
        return None
    fit = line.fit
    slopes = [slope for slope in line.without.values() if math.isfinite(slope)]
    return {
        "slope": number(fit.slope),
        "intercept": number(fit.intercept),
        "r2": number(fit.r2),
        "ci": {kind: ends(line.slope.get(kind)) for kind in KINDS},
        "intercept_ci": {kind: ends(line.intercept.get(kind)) for kind in KINDS},
        "residual_sd_points": number(fit.residual_sd_points),
        "n": fit.n,
        "n_clipped": fit.n_clipped,
        "theil_sen": {
            "slope": number(line.theil_sen[0]),
            "intercept": number(line.theil_sen[1]),
        },
        "leave_one_out": {"low": min(slopes), "high": max(slopes)} if slopes else None,
        "prediction_error_points": number(line.error_points),
    }


def _similarity(item: SetSimilarity) -> dict[str, Any]:
    matrices, together = item.matrices, item.simultaneous
    value: dict[str, Any] = {
        "n_models": len(item.models),
        "agreement": None,
        "independent": None,
        "most_alike": None,
        "least_alike": None,
        "dominance": None,
        "simultaneous_quantile": number(together.quantile),
        "effective_number_of_models": number(together.effective_number),
    }
    if len(item.models) < 2:
        return value
    value["agreement"] = matrices.mean("observed")
    value["independent"] = matrices.mean("independent")
    i, j = np.triu_indices(len(item.models), k=1)
    each = matrices.observed[i, j]
    for key, k in (("most_alike", int(each.argmax())), ("least_alike", int(each.argmin()))):
        value[key] = {
            "models": [item.models[i[k]], item.models[j[k]]],
            "agreement": float(each[k]),
            "independent": float(matrices.independent[i[k], j[k]]),
        }
    # How often the worse of two models is right where the better one is wrong.
    value["dominance"] = float(np.minimum(matrices.dominance, matrices.dominance.T)[i, j].mean())
    return value
