"""`replicate competitions`: public against private leaderboards."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from replicate.analysis.competitions import CompetitionResult, MetaSummary


@click.command(
    epilog=example(
        "replicate competitions leaderboards.csv --json",
        "replicate competitions leaderboards.csv --report competitions.html",
    )
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--level", default=0.95, show_default=True, help="Confidence level.")
@click.option("--report", type=click.Path(path_type=Path), help="Write a report: OUT.html.")
@json_option
def competitions(table: Path, level: float, report: Path | None, as_json: bool) -> None:
    """Analyse competitions: does a public leaderboard hold on the private one?

    TABLE has the columns competition, team, public, private, and perhaps n_public, n_private and
    direction (higher or lower). Per competition: line, rank correlations, what became of the best
    tenth, gaps public − private with intervals; and a summary over all of them.
    """
    from replicate.analysis.competitions import competition, meta_summary
    from replicate.zoo.competition_tables import read_competitions

    if not 0 < level < 1:
        raise UsageError("--level lies between 0 and 1, such as 0.95.")
    read, warnings = read_competitions(table)
    found = [competition(data, level) for data in read]
    all_teams = meta_summary([c.gap for c in found], [c.gap_ci for c in found], level)
    top = meta_summary([c.top_gap for c in found], [c.top_gap_ci for c in found], level)
    value = {
        "competitions": [_values(item) for item in found],
        "summary": {"n": len(found), "gap": _summary(all_teams), "top_gap": _summary(top)},
        "warnings": warnings,
    }
    if report is not None:
        from replicate.reporting.competitions_page import write_competitions_page

        files = write_competitions_page(report, found, value)
        say(f"Report: {files[0]}, with its table beside it in {files[1].parent.name}/.")
        value["report"] = str(files[0])
    emit(value, as_json, _text(found, all_teams, warnings))


def _values(item: "CompetitionResult") -> dict[str, Any]:
    from replicate.reporting.analysis_json import ends, number

    value: dict[str, Any] = {}
    for key, content in asdict(item).items():
        if key.endswith("_ci"):
            value[key] = ends(getattr(item, key))
        else:
            value[key] = number(content) if isinstance(content, float) else content
    return value


def _summary(found: "MetaSummary | None") -> dict[str, Any] | None:
    from replicate.reporting.analysis_json import ends

    if found is None:
        return None
    return {
        "n": found.n,
        "mean": found.mean,
        "ci": ends(found.interval),
        "between_sd": found.between_sd,
        "i2": found.i2,
    }


def _text(
    found: "list[CompetitionResult]", summary: "MetaSummary | None", warnings: list[str]
) -> str:
    from replicate.reporting.words import interval, percent, signed

    wide = max(11, *(len(item.name) for item in found))
    lines = [
        f"{'competition':{wide}} {'teams':>6} {'gap':>9}  {'interval':20} {'best tenth':>10} "
        f"{'kept':>6} {'Spearman':>8} {'slope':>7}"
    ]
    lines += [
        f"{item.name:{wide}} {item.n_teams:>6} {signed(item.gap, 4):>9}  "
        f"{interval(item.gap_ci, 4):20} {signed(item.top_gap, 4):>10} "
        f"{percent(item.top_kept, 0) + ' %':>6} {signed(item.spearman, 3):>8} "
        f"{signed(item.slope, 3):>7}"
        for item in found
    ]
    if summary is not None:
        lines.append(
            f"\nOver {summary.n} competitions the mean gap public − private is "
            f"{signed(summary.mean, 4)} ({interval(summary.interval, 4)}); between competitions it "
            f"varies with a standard deviation of {signed(summary.between_sd, 4)}."
        )
    lines += [f"Warning: {text}" for text in warnings]
    return "\n".join(lines)
