"""The report's numbers as CSV files: full precision, one header row, empty where unknown."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from replicate.analysis.intervals import Interval
from replicate.reporting import by_votes
from replicate.reporting.data import ReportData

Row = Sequence[Any]


def all_tables(data: ReportData) -> dict[str, str]:
    """Every table as CSV text, by name.

    The names are ``accuracy``, ``sets``, ``lines``, ``ranks``, ``inversions``, ``frequencies``,
    ``heldout``, ``by-votes``, ``covariates``, ``workers``, ``rules``, ``funnel``, ``classes``,
    ``models``, ``runs``.
    """
    return {
        "accuracy": _csv(_ACCURACY, _accuracy(data)),
        "sets": _csv(_SETS, _sets(data)),
        "lines": _csv(_LINES, _lines(data)),
        "ranks": _csv(_RANKS, _ranks(data)),
        "inversions": _csv(_INVERSIONS, _inversions(data)),
        "frequencies": _csv(_FREQUENCIES, _frequencies(data)),
        "heldout": _csv(_HELDOUT, _heldout(data)),
        "by-votes": _csv(by_votes.HEADER, by_votes.rows(data.adjusted, _workers(data))),
        "covariates": _csv(_COVARIATES, _covariates(data)),
        "workers": _csv(_WORKERS, _worker_rows(data)),
        "rules": _csv(("rule", "value", "workers", "judged", "flagged"), _rules(data)),
        "funnel": _csv(("step", "left", "lost", "reason"), _funnel(data)),
        "classes": _csv(("set", "class_id", "class", "images"), _classes(data)),
        "models": _csv(_MODELS, _models(data)),
        "runs": _csv(_RUNS, _runs(data)),
    }


def _csv(header: Row, rows: Iterable[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.10g}" if math.isfinite(value) else ""
    return value


def _ends(interval: Interval | None) -> tuple[float | str, float | str]:
    return ("", "") if interval is None else (interval.low, interval.high)


_ACCURACY = (
    "set",
    "role",
    "model",
    "family",
    "correct_original",
    "n_original",
    "accuracy_original",
    "original_low",
    "original_high",
    "correct",
    "n",
    "accuracy",
    "low",
    "high",
    "gap",
    "gap_low",
    "gap_high",
    "rank_original",
    "rank",
)


def _accuracy(data: ReportData) -> Iterable[Row]:
    for item in data.comparisons:
        for score in item.scores:
            yield (
                item.set.name,
                item.set.role,
                score.model.name,
                score.model.family,
                score.correct_original,
                score.n_original,
                score.original,
                *_ends(score.interval_original),
                score.correct_new,
                score.n_new,
                score.new,
                *_ends(score.interval_new),
                score.gap,
                *_ends(score.gap_interval),
                score.rank_original,
                score.rank_new,
            )


_MODELS = ("model", "preprocessing", "precision", "parameters", "weights", "licence", "link")


def _models(data: ReportData) -> Iterable[Row]:
    for row in data.provenance.models:
        parameters = "" if row.parameters is None else row.parameters
        yield (
            row.name, row.preprocessing, row.precision, parameters, row.weights, row.licence,
            row.link,
        )  # fmt: skip


_SETS = (
    "set",
    "role",
    "strategy",
    "revision",
    "n",
    "digest",
    "exploratory",
    "models",
    "mean_original",
    "mean",
    "mean_gap",
    "gap_models_low",
    "gap_models_high",
    "gap_images_low",
    "gap_images_high",
    "gap_both_low",
    "gap_both_high",
)


def _sets(data: ReportData) -> Iterable[Row]:
    for item in data.comparisons:
        gaps = [item.gap(kind) for kind in ("models", "images", "both")]
        yield (
            item.set.name,
            item.set.role,
            item.set.strategy,
            "" if item.set.revision is None else item.set.revision,
            item.set.n,
            item.set.digest,
            item.set.exploratory,
            len(item.scores),
            item.mean_original,
            item.mean_new,
            item.mean_gap,
            *(end for gap in gaps for end in _ends(gap.interval if gap else None)),
        )


_LINES = (
    "set",
    "scale",
    "slope",
    "intercept",
    "r2",
    "residual_sd_points",
    "models",
    "clipped",
    "resampled",
    "slope_low",
    "slope_high",
    "intercept_low",
    "intercept_high",
    "resamples",
    "degenerate",
)


def _lines(data: ReportData) -> Iterable[Row]:
    for item in data.comparisons:
        for line in item.lines:
            fit = item.fit(line.scale)
            if fit is None:
                continue
            yield (
                item.set.name,
                line.scale,
                fit.slope,
                fit.intercept,
                fit.r2,
                fit.residual_sd_points,
                fit.n,
                fit.n_clipped,
                line.kind,
                *_ends(line.slope),
                *_ends(line.intercept),
                line.n_resamples,
                line.n_degenerate,
            )


_RANKS = ("set", "models", "spearman", "kendall_tau_b", "pairs", "inverted", "resolved")


def _ranks(data: ReportData) -> Iterable[Row]:
    for item in data.comparisons:
        found = item.inversions
        counts = (found.n_pairs, found.n_inverted, found.n_resolved) if found else ("", "", "")
        yield (item.set.name, len(item.scores), item.spearman, item.kendall, *counts)


_INVERSIONS = (
    "set",
    "ahead_on_original",
    "ahead_on_set",
    "p_original",
    "p_set",
    "p_adjusted",
    "resolved",
)


def _inversions(data: ReportData) -> Iterable[Row]:
    for item in data.comparisons:
        for pair in item.inversions.pairs if item.inversions else ():
            yield (
                item.set.name,
                pair.better,
                pair.worse,
                pair.p_original,
                pair.p_new,
                pair.p_adjusted,
                pair.resolved,
            )


_FREQUENCIES = ("set", "workers", "selected", "shown", "images")


def _workers(data: ReportData) -> str:
    return "simulated" if data.simulated else "people"


def _frequencies(data: ReportData) -> Iterable[Row]:
    for item in data.frequencies:
        pairs = list(zip(item.selected, item.shown, strict=True))
        for selected, shown in sorted(set(pairs), key=lambda pair: (pair[1], pair[0])):
            yield item.name, _workers(data), selected, shown, pairs.count((selected, shown))


_HELDOUT = (
    "set",
    "workers",
    "original",
    "new",
    "difference",
    "se",
    "low",
    "high",
    "n_original",
    "n_new",
    "n_without",
)


def _heldout(data: ReportData) -> Iterable[Row]:
    for item in data.frequencies:
        held = item.heldout
        if held is not None:
            yield (
                item.name,
                _workers(data),
                held.original,
                held.new,
                held.difference,
                held.se,
                *_ends(held.interval),
                held.n_original,
                held.n_new,
                held.n_without,
            )


_COVARIATES = (
    "set",
    "covariate",
    "original",
    "by_frequencies_alone",
    "new",
    "sd",
    "difference_before",
    "difference_after",
)


def _covariates(data: ReportData) -> Iterable[Row]:
    for item in data.frequencies:
        for each in item.balance.means if item.balance is not None else ():
            differences = each.difference_before, each.difference_after
            means = each.original, each.before, each.after, each.sd
            yield item.name, each.name, *means, *differences


_WORKERS = (
    "worker",
    "workers",
    "votes",
    "controls",
    "controls_right",
    "accuracy_low",
    "accuracy_high",
    "repeats",
    "repeats_consistent",
    "pages",
    "pages_all_or_none",
    "seconds_per_page",
    "seconds_per_image",
    "agreement",
    "sensitivity",
    "specificity",
    "informedness",
    "informedness_se",
    "left_out_by",
)


def _worker_rows(data: ReportData) -> Iterable[Row]:
    for row in data.labelling.records if data.labelling else ():
        yield (
            row.worker,
            _workers(data),
            row.votes,
            row.controls,
            row.right,
            *_ends(row.accuracy),
            row.repeats,
            row.consistent,
            row.pages,
            row.all_or_none,
            row.seconds_per_page,
            row.seconds_per_image,
            row.agreement,
            row.sensitivity,
            row.specificity,
            row.informedness,
            row.informedness_se,
            " ".join(row.flags),
        )


def _rules(data: ReportData) -> Iterable[Row]:
    for row in data.labelling.rules if data.labelling else ():
        yield row.rule, row.value, _workers(data), row.judged, row.flagged


def _funnel(data: ReportData) -> Iterable[Row]:
    for step in data.funnel:
        for reason, lost in sorted(step.lost.items()) or [("", 0)]:
            yield step.name, step.left, lost, reason


def _classes(data: ReportData) -> Iterable[Row]:
    for info in (data.original, *(item.set for item in data.comparisons)):
        for class_id, name in data.classes:
            yield info.name, class_id, name, info.per_class.get(class_id, 0)


_RUNS = ("run", "stage", "status", "started", "ended", "done", "skipped", "failed")


def _runs(data: ReportData) -> Iterable[Row]:
    for run in data.provenance.runs:
        yield (
            run.run_id,
            run.stage,
            run.status,
            run.started.isoformat(),
            run.ended.isoformat() if run.ended else "",
            run.done,
            run.skipped,
            sum(run.failed.values()),
        )
