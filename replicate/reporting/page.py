"""The report: one HTML file that needs nothing else, its figures as SVG, its tables as CSV."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicate.analysis.bootstrap import KINDS
from replicate.analysis.fits import SCALES
from replicate.base.digests import sha256_bytes
from replicate.base.files import write_json, write_text
from replicate.reporting import words
from replicate.reporting.data import Comparison, ReportData, SampleImage
from replicate.reporting.figures import Figure, all_figures
from replicate.reporting.findings import findings, headline, primary
from replicate.reporting.style import family_styles
from replicate.reporting.tables import all_tables
from replicate.reporting.templating import environment

PAGE = "report.html"
INDEX = "report.json"


@dataclass(frozen=True)
class ReportFiles:
    """What was written.

    Attributes:
        html: The report.
        figures: The SVG files, in the order of the report.
        tables: The CSV files.
    """

    html: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]


def render(data: ReportData, figures: Mapping[str, Figure]) -> str:
    """The report as HTML text.

    Args:
        data: What it shows.
        figures: The figures that it holds, as `all_figures` makes them.
    """
    # Imported late: only a report needs it.
    from markupsafe import Markup

    pages = environment()
    pages.filters.update(
        percent=words.percent,
        signed=words.signed,
        interval=words.interval,
        percents=words.percents,
        count=words.count,
        words=words.words,
        reasons=words.reasons,
        short=short_digest,
        duration=duration,
        data_uri=data_uri,
    )
    template = pages.get_template("report.html.j2")
    return template.render(
        data=data,
        figures={name: Markup(figure.svg) for name, figure in figures.items()},
        headline=headline(data),
        findings=findings(data),
        primary=primary(data),
        pool=next((item for item in data.frequencies if item.role == "pool"), None),
        resolved=_resolved(data),
        left_out=_left_out(data),
        families=family_styles(s.model.family for item in data.comparisons for s in item.scores),
        scales=SCALES,
        kinds=KINDS,
        level=f"{100 * data.level:g}",
    )


def _left_out(data: ReportData) -> list[tuple[str, str, list[str]]]:
    """Models that could not be compared: model, reason, the sets concerned."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in data.exclusions:
        found.setdefault((item.model, item.reason), []).append(item.set_name)
    return [(model, reason, sets) for (model, reason), sets in found.items()]


def write_report(data: ReportData, out_dir: Path, key: str = "") -> ReportFiles:
    """Write the report into a folder: figures and tables first, the page after them.

    Every file is written whole or not at all. ``report.json`` lists the files with their
    digests; it comes last, so a report that is listed is complete. Files that an earlier report
    wrote and this one does not have are removed.

    Args:
        data: What it shows.
        out_dir: The folder; made if it is not there.
        key: What the report was made from, such as a digest; kept in ``report.json``.
    """
    figures = all_figures(data)
    texts = {f"figures/{file_name(name)}.svg": item.svg for name, item in figures.items()}
    tables = {f"tables/{name}.csv": text for name, text in all_tables(data).items()}
    page = render(data, figures)
    earlier = report_files(out_dir)
    for name, text in {**texts, **tables, PAGE: page}.items():
        write_text(out_dir / name, text)
    listed = {
        name: sha256_bytes(text.encode()) for name, text in {**texts, **tables, PAGE: page}.items()
    }
    write_json(out_dir / INDEX, {"key": key, "files": listed})
    for name in sorted(set(earlier) - set(listed)):
        (out_dir / name).unlink(missing_ok=True)
    return ReportFiles(
        out_dir / PAGE,
        tuple(out_dir / name for name in texts),
        tuple(out_dir / name for name in tables),
    )


def report_files(out_dir: Path) -> dict[str, str]:
    """The files of the report in a folder and their digests; empty if there is none."""
    index = _index(out_dir).get("files", {})
    # Names from a file are not trusted to stay within the folder.
    safe = re.compile(r"(figures/|tables/)?[A-Za-z0-9][A-Za-z0-9._-]*")
    return {name: str(digest) for name, digest in index.items() if safe.fullmatch(name)}


def is_current(out_dir: Path, key: str) -> bool:
    """Whether a whole report made from the same key is in a folder."""
    files = report_files(out_dir)
    return (
        bool(files)
        and _index(out_dir).get("key") == key
        and all((out_dir / name).is_file() for name in files)
    )


def _index(out_dir: Path) -> dict[str, Any]:
    try:
        value = json.loads((out_dir / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def file_name(name: str) -> str:
    """A name as a file's name: letters, digits, dots, dashes.

    >>> file_name("accuracy-my set/1")
    'accuracy-my-set-1'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def short_digest(digest: str) -> str:
    """The first twelve digits of a digest, which is enough to tell two apart.

    >>> short_digest("0123456789abcdef")
    '0123456789ab'
    """
    return digest[:12] or words.MISSING


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(0.04), duration(75), duration(7260)
    ('0.0 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes // 60} h {minutes % 60} min"


def data_uri(image: SampleImage) -> str:
    """An image as a ``data:`` address."""
    kind = "jpeg" if image.data.startswith(b"\xff\xd8") else "png"
    return f"data:image/{kind};base64,{base64.b64encode(image.data).decode()}"


def _resolved(data: ReportData) -> list[tuple[Comparison, Any]]:
    return [
        (item, pair)
        for item in data.comparisons
        for pair in (item.inversions.pairs if item.inversions else ())
        if pair.resolved
    ]
