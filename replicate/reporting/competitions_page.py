"""The report of competitions: one HTML file that needs nothing else; its data beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replicate.analysis.competitions import CompetitionResult
from replicate.base.files import write_text
from replicate.reporting.analysis_page import filtered_environment, script_of
from replicate.reporting.analysis_tables import as_csv, as_latex
from replicate.reporting.forest import Row, forest_svg
from replicate.reporting.words import count, signed

_HEADER = (
    "name", "n_teams", "gap", "gap_low", "gap_high", "top_gap", "top_low", "top_high", "excess",
    "top_kept", "winner_place", "slope", "r2", "spearman", "kendall", "noise",
)  # fmt: skip


def write_competitions_page(
    path: Path, found: Sequence[CompetitionResult], value: Mapping[str, Any]
) -> list[Path]:
    """Write the page, and beside it a folder with its table.

    Args:
        path: Where the page goes, such as ``report.html``; the folder is ``report_files``.
        found: The competitions.
        value: The document of ``replicate competitions --json``.

    Returns:
        The page and the other files.
    """
    from markupsafe import Markup

    from replicate import __version__

    folder = path.with_name(f"{path.stem}_files")
    rows = [_row(item) for item in value["competitions"]]
    written = []
    for ending, text in ((".csv", as_csv(_HEADER, rows)), (".tex", as_latex(_HEADER, rows))):
        written.append(folder / f"competitions{ending}")
        write_text(written[-1], text)
    pages = filtered_environment()
    script, digest = script_of(pages)
    ordered = sorted(found, key=lambda item: -item.gap)
    page = pages.get_template("competitions.html.j2").render(
        value=value,
        headline=headline(value),
        gaps=Markup(
            forest_svg(
                [Row(item.name, item.gap, item.gap_ci, "baseline") for item in ordered],
                f"Mean gap, public minus private, of {count(len(found), 'competition')}",
            )
        ),
        tops=Markup(
            forest_svg(
                [Row(item.name, item.top_gap, item.top_gap_ci, "other") for item in ordered],
                f"Gap of the best tenth of {count(len(found), 'competition')}",
            )
        ),
        folder=folder.name,
        script=Markup(script),
        script_digest=digest,
        version=__version__,
    )
    write_text(path, page)
    return [path, *written]


def headline(value: Mapping[str, Any]) -> str:
    """The finding in one sentence, with its uncertainty."""
    summary = value["summary"]["gap"]
    n = count(value["summary"]["n"], "competition")
    if summary is None:
        return f"{n}: too few with intervals for a summary over competitions."
    low, high = summary["ci"]
    verdict = (
        "no gap that can be told from chance"
        if low <= 0 <= high
        else "private scores lie below public ones"
        if low > 0
        else "private scores lie above public ones"
    )
    return (
        f"Over {n}, {verdict}: mean gap {signed(summary['mean'], 4)} "
        f"({signed(low, 4)} to {signed(high, 4)}), with a standard deviation of "
        f"{signed(summary['between_sd'], 4)} between competitions."
    )


def _row(item: Mapping[str, Any]) -> list[Any]:
    both = {
        "gap_low": _end(item["gap_ci"], 0),
        "gap_high": _end(item["gap_ci"], 1),
        "top_low": _end(item["top_gap_ci"], 0),
        "top_high": _end(item["top_gap_ci"], 1),
    }
    return [both[key] if key in both else item[key] for key in _HEADER]


def _end(ends: Sequence[float] | None, at: int) -> float | None:
    return None if ends is None else ends[at]
