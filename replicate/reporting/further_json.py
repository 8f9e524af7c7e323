"""Answers to further questions as plain values, beside those of the analysis."""

from collections.abc import Mapping
from typing import Any

from replicate.analysis.cross_sets import CrossSets
from replicate.analysis.further import Further, FurtherPair
from replicate.analysis.transfers import Transfer
from replicate.reporting.analysis_json import class_rows, ends, number


def add_further(
    value: dict[str, Any], found: Further, families: Mapping[str, str] | None = None
) -> None:
    """Add the answers to the document of ``replicate analyze --json``; none is null or empty.

    Args:
        value: The document; each of its pairs gains ``families``, ``relative_robustness``,
            ``subgroups`` and ``adjusted``; it gains ``reuse``, ``by_frequency``, ``kinds``,
            ``cross_sets``, ``transfer`` and ``family_of``.
        found: The answers.
        families: Model → its family, for pages that let readers choose.
    """
    value["family_of"] = dict(families or {})
    for item, pair in zip(value["pairs"], found.pairs, strict=True):
        item.update(_pair(pair))
        if pair.unadjusted is not None:
            value["warnings"].append(f"{item['new']}: no adjusted gap: {pair.unadjusted}")
        if pair.adjusted is not None:
            value["warnings"] += [
                f"{item['new']}: adjusted gap: {caution.message}"
                for caution in pair.adjusted.cautions
            ]
    value["reuse"] = {
        name: {
            "n": bound.n,
            "models": bound.models,
            "single": number(bound.single),
            "fixed": number(bound.fixed),
            "fixed_at_accuracy": number(bound.fixed_at_accuracy),
            "alike": number(bound.alike),
            "adaptive": number(bound.adaptive),
            "bits": number(bound.bits),
        }
        for name, bound in found.reuse.items()
    }
    value["by_frequency"] = {
        name: {
            "mean_frequency": number(found.mean_frequency[name]),
            "bins": [
                {
                    "low": row.low,
                    "high": row.high,
                    "n": row.n,
                    "frequency": number(row.frequency),
                    "accuracy": number(row.accuracy),
                    "ci": ends(row.interval),
                }
                for row in bins
            ],
        }
        for name, bins in found.by_frequency.items()
    }
    value["kinds"] = [
        {
            "kinds": list(row.kinds),
            "n_shifts": list(row.n_shifts),
            "n_models": row.n_models,
            "pearson": number(row.pearson),
            "ci": ends(row.interval),
            "spearman": number(row.spearman),
        }
        for row in found.kinds
    ]
    value["cross_sets"] = None if found.cross is None else _cross(found.cross)
    value["transfer"] = None if found.transfer is None else _transfer(found.transfer)


def _pair(pair: FurtherPair) -> dict[str, Any]:
    value: dict[str, Any] = {
        "families": {
            scale: {
                "n_families": line.n_families,
                "slope": number(line.slope),
                "ci": ends(line.interval),
                "between": number(line.means_slope),
                "within": number(line.within_slope),
                "without": {name: number(slope) for name, slope in line.without.items()},
                "sizes": dict(line.sizes),
            }
            for scale, line in pair.families.items()
        },
        "relative_robustness": [
            {
                "model": item.model,
                "standard": item.standard,
                "on_original": number(item.on_original),
                "tau": number(item.on_new),
                "ci": ends(item.interval),
                "effective": number(item.effective),
            }
            for item in pair.relative
        ],
        "subgroups": class_rows(pair.subgroups),
        "adjusted": None,
    }
    if pair.adjusted is not None:
        gaps = pair.adjusted
        value["adjusted"] = {
            "raw": {"gap": gaps.raw.gap, "ci": ends(gaps.raw.interval)},
            "estimators": {
                name: {"gap": number(gap.gap), "ci": ends(gap.interval)}
                for name, gap in gaps.estimators.items()
            },
            "recommended": gaps.recommended,
            "warnings": [vars(caution) for caution in gaps.cautions],
        }
    return value


def _cross(found: CrossSets) -> dict[str, Any]:
    return {
        "trained": list(found.trained),
        "tested": list(found.tested),
        "accuracy": [[number(x) for x in row] for row in found.accuracy],
        "n_models": found.n_models.tolist(),
        "own": {name: number(x) for name, x in found.own.items()},
        "others": {name: number(x) for name, x in found.others.items()},
        "percent_drop": {name: number(x) for name, x in found.percent_drop.items()},
    }


def _transfer(found: Transfer) -> dict[str, Any]:
    return {
        "n_models": len(found.models),
        "pearson": number(found.pearson),
        "ci": ends(found.interval),
        "spearman": number(found.spearman),
        "models": {
            model: {"source": number(u), "average": number(v)}
            for model, u, v in zip(found.models, found.source, found.average, strict=True)
        },
        "tasks": [
            {
                "task": task.name,
                "n_models": task.n_models,
                "pearson": number(task.pearson),
                "spearman": number(task.spearman),
                "slope": number(task.slope),
            }
            for task in found.tasks
        ],
    }
