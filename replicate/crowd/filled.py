"""Reading what people filled in elsewhere: CSV, JSON lines, or an export of Label Studio.

Whatever the file, it becomes rows of (hit, slot, worker, vote, seconds). A row that cannot be
used is named with its file, its line and a reason; nothing in a file can raise an error.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicate.crowd.answers import Vote
from replicate.crowd.providers import LeftOut

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
_NAMES: dict[str, tuple[str, ...]] = {
    "hit": ("hit", "hit_id", "hitid"),
    "slot": ("slot", "slot_id"),
    "worker": ("worker", "worker_id", "annotator", "completed_by"),
    "vote": ("vote", "choice", "answer", "label"),
    "seconds": ("seconds", "lead_time"),
}
WORDS: dict[str, Vote] = {
    **dict.fromkeys(("yes", "y", "true", "1", "x"), "yes"),
    **dict.fromkeys(("no", "n", "false", "0"), "no"),
    **dict.fromkeys(("broken", "b"), "broken"),
}


@dataclass(frozen=True)
class FilledRow:
    """One vote as somebody filled it in.

    Attributes:
        hit: The HIT's id.
        slot: The image's slot on it.
        worker: The labeller's name, as it is written there.
        vote: yes, no or broken.
        seconds: How long it took, where that is known.
        where: File and line.
    """

    hit: str
    slot: str
    worker: str
    vote: Vote
    seconds: float | None
    where: str


def read_filled(path: Path, name: str) -> tuple[list[FilledRow], list[LeftOut]]:
    """Read a file that somebody filled in.

    Rows without a vote are not filled in yet: they are neither used nor left out.

    Args:
        path: The file.
        name: What to call it in messages.

    Returns:
        The rows with a vote, and what was left out.
    """
    found, left = read_records(path, name)
    rows: list[FilledRow] = []
    for where, record in found:
        row = _row(where, record)
        if isinstance(row, LeftOut):
            left.append(row)
        elif row is not None:
            rows.append(row)
    return rows, left


def read_records(
    path: Path, name: str
) -> tuple[list[tuple[str, Mapping[str, Any]]], list[LeftOut]]:
    """The rows of a table, of JSON lines, of a JSON list or of an export of Label Studio.

    Args:
        path: The file; its suffix says what it is.
        name: What to call it in messages.

    Returns:
        Each row's place and its values, by column name in small letters; and what is no row.
    """
    left: list[LeftOut] = []
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return [], [LeftOut("not_text", name)]
    try:
        return list(_records(text, path.suffix.lower(), name, left)), left
    except (ValueError, csv.Error, RecursionError):
        return [], [LeftOut("not_readable", name)]


def _records(
    text: str, suffix: str, name: str, left: list[LeftOut]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if suffix in (".csv", ".tsv"):
        yield from _csv_records(text, name)
    elif suffix == ".json":
        value = json.loads(text) if text.strip() else []
        for number, item in enumerate(value if isinstance(value, list) else [value], 1):
            yield from _json_records(item, f"{name}, item {number}", left)
    else:
        for number, line in enumerate(text.splitlines(), 1):
            where = f"{name}, line {number}"
            if not line.strip():
                continue
            try:
                item = json.loads(line)
            except (ValueError, RecursionError):
                left.append(LeftOut("not_json", where))
                continue
            yield from _json_records(item, where, left)


def _csv_records(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)  # a spreadsheet may write what its country writes
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    for record in reader:
        values = {str(key).strip().lower(): value for key, value in record.items() if key}
        yield f"{name}, line {reader.line_num}", values


def _json_records(
    item: Any, where: str, left: list[LeftOut]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A plain row, or a task of Label Studio with its annotations."""
    if not isinstance(item, dict):
        left.append(LeftOut("not_a_row", where))
    elif isinstance(item.get("data"), dict) and "annotations" in item:
        for annotation in _list(item["annotations"]):
            if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
                yield where, {**item["data"], **_annotation(annotation)}
    else:
        yield where, {str(key).lower(): value for key, value in item.items()}


def _annotation(annotation: Mapping[str, Any]) -> dict[str, Any]:
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    choices: list[Any] = []
    for result in _list(annotation.get("result")):
        value = result.get("value") if isinstance(result, dict) else None
        choices += _list(value.get("choices")) if isinstance(value, dict) else []
    vote = choices[0] if len(choices) == 1 else ("" if not choices else str(choices))
    return {"worker": person, "vote": vote, "seconds": annotation.get("lead_time")}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _row(where: str, record: Mapping[str, Any]) -> FilledRow | LeftOut | None:
    """One row; None when it is not filled in."""
    hit, slot, worker, word, seconds = (value_of(record, _NAMES[name]) for name in _NAMES)
    if not word:
        return None if hit else LeftOut("no_hit", where)
    for value, reason in ((hit, "no_hit"), (slot, "no_slot"), (worker, "no_worker")):
        if not value:
            return LeftOut(reason, where)
    vote = WORDS.get(word.lower())
    if vote is None:
        return LeftOut("unknown_vote", f"{where}: {word[:40]!r}")
    return FilledRow(hit, slot, worker, vote, _seconds(seconds), where)


def value_of(record: Mapping[str, Any], names: Iterable[str]) -> str:
    """The first of some columns that holds anything, as text; an empty text if none does."""
    for name in names:
        value = record.get(name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int | float) and str(value).strip():
            # Half a surrogate pair, which JSON can hold, is no text that could be kept.
            return str(value).strip().encode("utf-8", "replace").decode()
    return ""


def _seconds(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value < 1e6 else None
