"""Selection frequencies: of a table, or of a study."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    import pandas as pd

    from replicate.analysis.intervals import Interval
    from replicate.crowd.frequency import Checked
    from replicate.crowd.summary import Summary
    from replicate.stages.frequencies import StudyFrequencies

_BAR = 40  # characters of the longest bar


@click.command(
    epilog=example(
        "replicate freq",
        "replicate freq --no-rules --output frequencies.csv",
        "replicate freq counts.csv --json",
    )
)
@click.argument(
    "table", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the table there instead of to standard output (.csv, .tsv, .jsonl, .parquet).",
)
@click.option("--no-rules", is_flag=True, help="In a study: count the votes of flagged workers.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Confidence level of the intervals.",
)
@click.option("--summary", is_flag=True, help="Without the table of images.")
@study_option
@json_option
def freq(
    table: Path | None,
    output: Path | None,
    no_rules: bool,
    level: float,
    summary: bool,
    study_dir: str | None,
    as_json: bool,
) -> None:
    """Show and export selection frequencies with intervals.

    TABLE has the columns image_id, class_id, shown, selected; or image_id, class_id, worker,
    vote, one row a vote (CSV, TSV, JSON lines or Parquet). Without TABLE, the frequencies of the
    study are shown, with the rules of [label.quality] or without, by group of images.

    The table goes to standard output with frequency, low and high added: Wilson's intervals. The
    mean has intervals over images, and where workers are known over workers and over both. An
    image without votes has no frequency. Rows that cannot be used are named and left out, and
    the exit code is 3.
    """
    if table is None:
        _of_study(study_dir, output, no_rules, level, summary, as_json)
        return
    if no_rules:
        raise UsageError("--no-rules is for a study; a table has no rules.")
    _of_table(table, output, level, summary, as_json)


def _of_table(path: Path, output: Path | None, level: float, summary: bool, as_json: bool) -> None:
    from replicate.base.tables import read_table
    from replicate.crowd.frequency import check_table
    from replicate.crowd.summary import summarise, with_intervals

    found = check_table(read_table(path))
    rows = with_intervals(found.counts, found.votes, level)
    of_all = summarise(found.counts, found.votes, level)
    left_out = Counter(item.reason for item in found.left_out)
    value = {
        **_as_json(of_all),
        "left_out": dict(sorted(left_out.items())),
        "left_out_rows": [vars(item) for item in found.left_out[:20]],
        **({} if found.votes is None else {"workers": _workers(found)}),
    }
    _show(rows, value, [_text({path.name: of_all}, level)], output, summary, as_json)
    for item in found.left_out[:5]:
        say(f"Left out: row {item.row}: {item.message}")
    if found.left_out:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(left_out.items()))
        say(f"{len(found.left_out)} rows were left out ({reasons}).")
        sys.exit(3)


def _workers(found: "Checked") -> list[dict[str, Any]]:
    """What the votes say of each worker."""
    from replicate.crowd.quality import judge

    if found.votes is None or found.votes.empty:
        return []
    votes = found.votes
    images = list(zip(votes["image_id"], votes["class_id"], strict=True))
    crowd = judge(images, votes["worker"].tolist(), votes["yes"].tolist())
    return [
        {
            "worker": each.worker,
            "votes": each.n_votes,
            "agreement": each.n_agreed / each.n_compared if each.n_compared else None,
            "sensitivity": each.sensitivity,
            "specificity": each.specificity,
            "informedness": each.sensitivity + each.specificity - 1,
            "informedness_se": each.informedness_se,
        }
        for each in crowd.workers
    ]


def _of_study(
    study_dir: str | None,
    output: Path | None,
    no_rules: bool,
    level: float,
    summary: bool,
    as_json: bool,
) -> None:
    from replicate.stages.frequencies import study_frequencies

    study = the_study(study_dir, reading=True)
    found = study_frequencies(study, rules=not no_rules, level=level)
    other = study_frequencies(study, rules=no_rules, level=level) if found.rules.flagged else found
    value = {
        "study": str(study.root),
        "simulated": found.simulated,
        "with_rules": not no_rules,
        "rules": found.rules.as_json(),
        "groups": {name: _as_json(item) for name, item in found.groups.items()},
        "without_rules" if not no_rules else "under_the_rules": {
            name: item.mean.mean for name, item in other.groups.items()
        },
    }
    text = [_text(found.groups, level), *_about_rules(found, other, no_rules)]
    if found.simulated:
        text.insert(0, "SIMULATED workers voted here.")
    _show(found.table, value, text, output, summary, as_json)


def _about_rules(found: "StudyFrequencies", other: "StudyFrequencies", no_rules: bool) -> list[str]:
    if not found.rules.flagged:
        lines = ["The rules flag nobody."]
    else:
        means = ", ".join(f"{name} {item.mean.mean:.4f}" for name, item in other.groups.items())
        lines = [found.rules.sentence()]
        lines.append(
            f"Here they are counted. Under the rules the means are: {means}."
            if no_rules
            else f"Without the rules the means are: {means}."
        )
    return lines + found.rules.idle()


def _show(
    rows: "pd.DataFrame",
    value: dict[str, Any],
    text: list[str],
    output: Path | None,
    summary: bool,
    as_json: bool,
) -> None:
    from replicate.base.tables import write_table

    if output is not None:
        write_table(rows, output)
        value = {**value, "output": str(output)}
        text = [*text, f"{len(rows)} rows in {output}"]
    elif not summary and as_json:
        value = {**value, "images": [_plain(row) for row in rows.to_dict("records")]}
    elif not summary:
        click.echo(rows.to_csv(index=False, lineterminator="\n"), nl=False)
        say("\n".join(text))
        return
    emit(_plain(value), as_json, "\n".join(text))


def _plain(value: Any) -> Any:
    """JSON values: what is not known is null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def _ends(interval: "Interval | None") -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _as_json(found: "Summary") -> dict[str, Any]:
    mean = found.mean
    return {
        "n_images": found.n_images,
        "n_votes": mean.n_votes,
        "n_workers": mean.n_workers,
        "n_without_votes": found.n_without,
        "mean": mean.mean,
        "ci": {
            "images": _ends(mean.images),
            "workers": _ends(mean.workers),
            "both": _ends(mean.both),
        },
        "icc": found.icc,
        "histogram": list(found.histogram),
    }


def _text(groups: "dict[str, Summary]", level: float) -> str:
    lines = [
        f"{'':18} {'images':>8} {'votes':>9} {'workers':>8} {'mean':>8}  {'interval':16} {'icc':>5}"
    ]
    for name, item in groups.items():
        mean = item.mean
        ends = mean.interval
        interval = f"{ends.low:.4f}–{ends.high:.4f}" if ends else "-"
        workers = "-" if mean.n_workers is None else str(mean.n_workers)
        lines.append(
            f"{name:18} {item.n_images:>8} {mean.n_votes:>9} {workers:>8} {mean.mean:>8.4f}  "
            f"{interval:16} {item.icc:>5.2f}"
        )
        if item.n_without:
            lines.append(f"{'':18} {item.n_without:>8} of them without votes")
    both = any(item.mean.both for item in groups.values())
    others = "other images and other workers" if both else "other images"
    lines.append(f"{100 * level:.4g} % intervals of the mean, for {others} like these.")
    if set(groups) - {"original", "candidates"} and "original" in groups:
        lines.append(
            "New sets were drawn by these votes, which flatters them; the report has held-out ones."
        )
    for name in list(groups)[:2]:
        lines += _histogram(name, groups[name])
    return "\n".join(lines)


def _histogram(name: str, found: "Summary") -> list[str]:
    top = max(found.histogram)
    lines = [f"{name}: images by selection frequency"]
    for place, n in enumerate(found.histogram):
        bar = "#" * -(-_BAR * n // top) if top else ""
        lines.append(f"  {place / 10:.1f}–{(place + 1) / 10:.1f} {n:>8} {bar}".rstrip())
    return lines
