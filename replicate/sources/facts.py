"""What a table says of images beside their pixels: keyword, year, place among search results."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from replicate.base.errors import MissingError, UsageError
from replicate.base.tables import read_table
from replicate.sources.columns import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

_FACTS = ("keyword", "taken", "uploaded", "rank")
_YEARS = range(1800, 2200)


@dataclass(frozen=True)
class Fact:
    """What is known of one image.

    Attributes:
        name: The file's name in its set.
        keyword: The keyword that it was found by, as `plain_keyword` writes it.
        year: When it was taken, or else uploaded.
        rank: Its place among the results of its search, from 1.
    """

    name: str
    keyword: str | None
    year: int | None
    rank: int | None


def plain_keyword(text: str) -> str:
    """A keyword in small letters, with single spaces: ``Tabby_cat`` and ``tabby cat`` are one.

    >>> plain_keyword(" Tabby_Cat ")
    'tabby cat'
    """
    return " ".join(text.replace("_", " ").casefold().split())


def year_of(text: str | None) -> int | None:
    """The year of a date, of a time, of a year alone, or of seconds since 1970; None if unknown.

    >>> [year_of(text) for text in ("2012-05-04 10:00:00", "1999", "1330000000", "unknown", None)]
    [2012, 1999, 2012, None, None]
    """
    text = (text or "").strip()
    digits = text.split(".")[0]
    if digits.isascii() and digits.isdigit() and len(digits) > 4:
        try:
            year = datetime.fromtimestamp(int(digits), UTC).year
        except (OverflowError, OSError, ValueError):
            return None
    elif text[:4].isascii() and text[:4].isdigit() and not text[4:5].isdigit():
        year = int(text[:4])
    else:
        return None
    return year if year in _YEARS else None


def read_facts(path: Path, required: bool = True) -> list[Fact]:
    """What a table says of the images of a set.

    Args:
        path: The table: a column of files, and any of ``keyword``, ``taken`` or ``year``,
            ``uploaded`` and ``rank`` (see `replicate.sources.columns`).
        required: Whether it is an error if it says none of these.

    Returns:
        One row an image, in the table's order; none for images of which nothing is said.

    Raises:
        MissingError: There is no such file.
        UsageError: It is no table, has no column of files, or says nothing; a rank is no number.
    """
    if not path.is_file():
        raise MissingError(f"There is no table {path}.", "[original] metadata names it.")
    frame = read_table(path)
    names = {str(name).strip().casefold(): str(name) for name in frame.columns}
    found = {
        what: names[next(each for each in COLUMNS[what] if each in names)]
        for what in ("path", *_FACTS)
        if any(each in names for each in COLUMNS[what])
    }
    if "path" not in found:
        if not required:
            return []
        raise UsageError(
            f"{path.name} has no column that names the images.",
            f"Call it {' or '.join(COLUMNS['path'])}.",
        )
    if len(found) == 1 and required:
        raise UsageError(
            f"{path.name} says nothing of the images that a sample could use.",
            "Its columns may be: keyword, taken or year, uploaded, rank.",
        )
    facts = list(_rows(frame, found, path.name))
    return [fact for fact in facts if fact != Fact(fact.name, None, None, None)]


def _rows(frame: "pd.DataFrame", found: dict[str, str], table: str) -> Iterator[Fact]:
    cells = {what: frame[column].str.strip().tolist() for what, column in found.items()}
    for place, name in enumerate(cells["path"]):
        said = {what: cells[what][place] for what in _FACTS if what in cells}
        yield Fact(
            name,
            plain_keyword(said.get("keyword", "")) or None,
            year_of(said.get("taken")) or year_of(said.get("uploaded")),
            _whole(said.get("rank", ""), f"{table}, row {place + 1}"),
        )


def _whole(text: str, where: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{where}: {text!r} is no rank.", "A rank is a whole number, from 1.")
    return int(text)
