"""The report of an analysis: one HTML file that needs nothing else; its data beside it."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate.analysis.fits import SCALES
from replicate.analysis.replication_data import Analysis
from replicate.base.files import write_text
from replicate.reporting import analysis_figures as figures
from replicate.reporting import words
from replicate.reporting.analysis_tables import as_csv, as_latex, tables
from replicate.reporting.analysis_words import decomposition, findings, headline, methods
from replicate.reporting.further_sections import sections
from replicate.reporting.page import file_name
from replicate.reporting.templating import environment

if TYPE_CHECKING:
    from jinja2 import Environment


def write_page(path: Path, found: Analysis, value: Mapping[str, Any]) -> list[Path]:
    """Write the page, and beside it a folder with every figure's data, tables and figures.

    Args:
        path: Where the page goes, such as ``report.html``; the folder is ``report_files``.
        found: The analysis.
        value: The document of ``replicate analyze --json``.

    Returns:
        The page and the other files.
    """
    folder = path.with_name(f"{path.stem}_files")
    made = tables(value)
    written = []
    for name, (header, rows) in made.items():
        for ending, text in ((".csv", as_csv(header, rows)), (".tex", as_latex(header, rows))):
            written.append(folder / f"{file_name(name)}{ending}")
            write_text(written[-1], text)
    for pair in found.pairs:
        if pair.models:
            for scale in figures.scales_of(found, pair):
                stem = folder / file_name(f"scatter-{pair.new}-{scale}")
                written += figures.paper_files(found, pair, scale, stem)
    write_text(path, render(found, value, folder.name))
    return [path, *written]


def render(found: Analysis, value: Mapping[str, Any], folder: str) -> str:
    """The page as HTML text.

    Args:
        found: The analysis.
        value: The document of ``replicate analyze --json``.
        folder: The name of the folder beside it.
    """
    from markupsafe import Markup

    from replicate import __version__

    pages = filtered_environment()
    script, digest = script_of(pages)
    drawn = []
    for pair, item in zip(found.pairs, value["pairs"], strict=True):
        scales = figures.scales_of(found, pair)
        shown = item["straightest_scale"] if item["straightest_scale"] in scales else scales[0]
        drawn.append(
            {
                "pair": item,
                "shown": shown,
                "scatter": {s: Markup(figures.scatter_svg(found, pair, s)) for s in scales},
                "robustness": Markup(figures.robustness_svg(pair)),
                "kinds": sorted({p.kind for p in figures.points_of(found, pair)}),
            }
        )
    sets = [scores.name for scores in found.sets]
    return pages.get_template("analysis.html.j2").render(
        value=value,
        drawn=drawn,
        sets=sets,
        scales=SCALES,
        headline=headline(value),
        findings=findings(value),
        decomposition=decomposition(value),
        sections=sections(value),
        families=_families(value),
        methods=methods(found, value),
        models=sorted(
            value["models"],
            key=lambda m: -(m["sets"].get(sets[0], {}).get("accuracy") or float("-inf")),
        ),
        level=f"{100 * found.options.level:g}",
        folder=folder,
        script=Markup(script),
        script_digest=digest,
        version=__version__,
        fractions=all(
            on["accuracy"] is None or 0 <= on["accuracy"] <= 1
            for m in value["models"]
            for on in m["sets"].values()
        ),
    )


def filtered_environment() -> "Environment":
    """The templates, with the filters of the pages of numbers."""
    made = environment()
    made.filters.update(
        percent=_percent, signed=_signed, ends=_ends, count=words.count, slug=file_name, cell=_cell
    )
    return made


def script_of(pages: "Environment") -> tuple[str, str]:
    """The script of the pages, and its SHA-256 in base 64 for the page's policy."""
    script = pages.loader.get_source(pages, "analysis.js")[0] if pages.loader else ""
    return script, base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _families(value: Mapping[str, Any]) -> dict[str, list[str]]:
    """Family → its models, in the order of the alphabet."""
    found: dict[str, list[str]] = {}
    for model, family in sorted(value.get("family_of", {}).items()):
        found.setdefault(family, []).append(model)
    return dict(sorted(found.items()))


def _percent(value: float | None, decimals: int = 1) -> str:
    return words.MISSING if value is None else words.percent(value, decimals)


def _signed(value: float | None, decimals: int = 2) -> str:
    return words.MISSING if value is None else words.signed(value, decimals)


def _ends(value: list[float] | None, factor: float = 1, decimals: int = 2) -> str:
    if value is None:
        return words.MISSING
    low, high = (words.signed(factor * end, decimals) for end in value)
    return f"{low} to {high}"


def _cell(value: Any) -> str:
    """A table's cell: what is not known is a dash, numbers have four decimals."""
    if value is None:
        return words.MISSING
    return words.signed(value, 4) if isinstance(value, float) else str(value)
