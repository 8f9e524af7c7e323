"""Old work from MTurk: result files of batches (CSV), and saved answers of its API (JSON).

A batch's result file has one assignment a row: HITId, AssignmentId, WorkerId, AssignmentStatus,
``Input.…`` columns that name the images, and ``Answer.…`` columns whose shape is the template
author's. The shapes that are understood: a box an image (``Answer.image_3.on`` = true,
``Answer.image_3`` = on), one field that lists what was selected (``image_1|image_3``, addresses,
or numbers), ``Answer.taskAnswers`` as JSON of either, our own pages' JSON, and a word (yes, no)
where a page shows one image.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from replicate.crowd.import_answers import Shown, answer_fields, judge, shown_by
from replicate.crowd.imports import COUNTED, Columns, Imported, ImportedVote, seconds_of

_IMAGE = re.compile(r"(?:image|img|picture|photo|url|file)[a-z_]*?[_-]?\d*(?:[_-]?url)?", re.I)
_CLASS = ("class", "class_id", "wnid", "synset", "category", "label", "object")
_TIMES = ("%a %b %d %H:%M:%S %Z %Y", "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S")


def read_batch_csv(path: Path, into: Imported, mapping: Columns) -> None:
    """A batch's result file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error):
        into.rows += 1
        into.leave_out("not_readable", path.name)
        return
    for number, record in enumerate(rows, 2):
        values = {
            str(key).strip(): str(value or "").strip() for key, value in record.items() if key
        }
        class_id = mapping.class_id or _class(values, mapping)
        shown = Shown(class_id, _images(values, mapping))
        answers = _csv_answers(values, mapping)
        assignment = {
            "HITId": values.get(mapping.columns.get("hit", "HITId"), ""),
            "AssignmentId": values.get(mapping.columns.get("assignment", "AssignmentId"), ""),
            "WorkerId": values.get(mapping.columns.get("worker", "WorkerId"), ""),
            "AssignmentStatus": values.get(mapping.columns.get("status", "AssignmentStatus"), ""),
            "SubmitTime": values.get("SubmitTime", ""),
            "WorkTimeInSeconds": values.get(
                mapping.columns.get("seconds", "WorkTimeInSeconds"), ""
            ),
        }
        if values.get("Reject") and not values.get("Approve"):
            assignment["AssignmentStatus"] = "Rejected"
        _take(into, f"{path.name}, row {number}", assignment, shown, answers)


def read_boto3_json(path: Path, into: Imported, mapping: Columns) -> None:
    """Saved answers of ListAssignmentsForHIT, with those of GetHIT or ListHITs where there are.

    The assignments may lie at any depth. The HITs, where they were saved too, say which images
    were shown; else only what an answer itself names is known.
    """
    found: list[dict[str, Any]] = []
    hits: dict[str, Shown] = {}
    try:
        for value in _json_values(path):
            for item in _dictionaries(value):
                if isinstance(item.get("Question"), str) and isinstance(item.get("HITId"), str):
                    hits[item["HITId"]] = shown_by(item["Question"])
                if "AssignmentId" in item and "Answer" in item:
                    found.append(item)
    except (ValueError, RecursionError):
        into.rows += 1
        into.leave_out("not_json", path.name)
        return
    for number, item in enumerate(found, 1):
        where = f"{path.name}, assignment {number}"
        shown = hits.get(str(item.get("HITId")), Shown("", {}))
        class_id = mapping.class_id or shown.class_id
        answers = answer_fields(item.get("Answer"))
        if answers is None:
            into.rows += 1
            into.leave_out("not_xml", where)
            continue
        named = mapping.columns.get("answer")
        chosen = {key: value for key, value in answers.items() if named in (None, key)}
        _take(into, where, item, Shown(class_id, shown.images), chosen)


def _take(
    into: Imported,
    where: str,
    assignment: Mapping[str, Any],
    shown: Shown,
    answers: Mapping[str, str],
) -> None:
    """Take one assignment, or leave it out for one reason."""
    into.rows += 1
    texts = {key: str(assignment.get(key) or "") for key in ("HITId", "AssignmentId", "WorkerId")}
    status = str(assignment.get("AssignmentStatus") or "Submitted").capitalize()
    found = judge(shown.images, answers)
    reasons = {
        "no_worker": not texts["WorkerId"].strip(),
        "rejected": status == "Rejected",
        "unknown_status": status not in COUNTED,
        "no_class": not shown.class_id,
        **({found: True} if isinstance(found, str) else {}),
    }
    reason = next((name for name, true in reasons.items() if true), None)
    if reason is not None or isinstance(found, str):
        into.leave_out(reason or "no_answer", where)
        return
    accepted, submitted = (_moment(assignment.get(key)) for key in ("AcceptTime", "SubmitTime"))
    seconds = seconds_of(assignment.get("WorkTimeInSeconds"))
    if seconds is None and accepted is not None and submitted is not None:
        seconds = seconds_of((submitted - accepted).total_seconds())
    into.use(
        ImportedVote(
            image=image,
            class_id=shown.class_id,
            worker=texts["WorkerId"],
            vote=vote,
            hit=texts["HITId"],
            assignment=texts["AssignmentId"],
            status=status,
            seconds=seconds,
            submitted=submitted,
        )
        for image, vote in found.items()
    )


def _class(values: Mapping[str, str], mapping: Columns) -> str:
    named = mapping.columns.get("class")
    if named:
        return values.get(named, "")
    lower = {key.lower(): value for key, value in values.items()}
    return next((lower[f"input.{n}"] for n in _CLASS if lower.get(f"input.{n}")), "")


def _images(values: Mapping[str, str], mapping: Columns) -> dict[str, str]:
    """The images of a row, by what the template calls them."""
    named = mapping.columns.get("image")
    found = {}
    for column, value in values.items():
        if not value or not column.startswith("Input."):
            continue
        name = column.removeprefix("Input.")
        fits = column.startswith(named.rstrip("*")) if named else _IMAGE.fullmatch(name)
        if fits:
            found[name] = value
    return found


def _csv_answers(values: Mapping[str, str], mapping: Columns) -> dict[str, str]:
    named = mapping.columns.get("answer")
    return {
        column.removeprefix("Answer."): value
        for column, value in values.items()
        if (column == named if named else column.startswith("Answer."))
    }


def _json_values(path: Path) -> Iterator[Any]:
    text = path.read_bytes().decode("utf-8-sig")
    try:
        yield json.loads(text)
    except ValueError:
        for line in text.splitlines():
            if line.strip():
                yield json.loads(line)


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            stack.extend(reversed(item))


def _moment(value: Any) -> datetime | None:
    """A time as boto3, JSON or a batch file write it; None if it is none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        text = str(value or "").strip()
        if re.fullmatch(r"\d{9,13}(?:\.\d+)?", text):
            return _moment(float(text))
        for shape in _TIMES:
            try:
                return _utc(datetime.strptime(re.sub(r"\bP[SD]T\b", "UTC", text), shape))
            except ValueError:
                continue
        return _utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError, OSError):
        return None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
