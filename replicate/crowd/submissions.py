"""What a browser sent: the fields of a QuestionFormAnswers document, and checked values in them."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

from replicate.base.errors import ItemError

MAX_ANSWER = 200_000
VERSION = 1
ANSWER = "answer"
WITHDRAWN = "withdrawn"


def form_fields(xml: str) -> dict[str, list[str]]:
    """The fields of a submission, each with its values in their order.

    A field that was sent several times may come as several elements, or as one whose values the
    endpoint joined by ``|``: `plain_slots` reads both.

    Raises:
        ItemError: With the reason ``empty``, ``too_large`` or ``not_xml``.
    """
    if not xml.strip():
        raise ItemError("empty", "the submission is empty")
    if len(xml) > MAX_ANSWER:
        raise ItemError("too_large", f"the submission has {len(xml):,} characters")
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise ItemError("not_xml", "the submission declares a document type or entities")
    try:
        root = ElementTree.fromstring(xml)  # declarations were refused: no entity can expand
    except (ElementTree.ParseError, ValueError) as error:
        raise ItemError("not_xml", f"the submission is not XML: {error}") from error
    found: dict[str, list[str]] = {}
    for answer in root.iter():
        if _local(answer.tag) != "Answer":
            continue
        parts = [(_local(child.tag), child.text or "") for child in answer]
        name = next((text for tag, text in parts if tag == "QuestionIdentifier"), None)
        if name is not None:
            values = [text for tag, text in parts if tag in ("FreeText", "SelectionIdentifier")]
            found.setdefault(name, []).extend(values or [""])
    return found


def is_withdrawn(xml: str) -> bool:
    """Whether a submission says that its worker has taken the answer back.

    Our crowd server then gives a document with the one field ``withdrawn`` in the answer's place.

    >>> is_withdrawn("<Answer><QuestionIdentifier>withdrawn</QuestionIdentifier></Answer>")
    True
    """
    if f"<QuestionIdentifier>{WITHDRAWN}</QuestionIdentifier>" not in xml:
        return False  # the most frequent case by far, told without reading the XML
    try:
        return set(form_fields(xml)) == {WITHDRAWN}
    except ItemError:
        return False


def json_answer(fields: Mapping[str, list[str]]) -> dict[str, Any] | None:
    """The JSON object in the field ``answer``; None where a browser without scripts left it empty.

    Raises:
        ItemError: With the reason ``not_json``, ``wrong_shape`` or ``wrong_version``.
    """
    text = next((value for value in fields.get(ANSWER, []) if value.strip()), None)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ItemError("not_json", f"the answer is not JSON: {error}") from error
    except RecursionError as error:
        raise ItemError("not_json", "the answer is nested too deeply") from error
    if not isinstance(value, dict):
        raise ItemError("wrong_shape", "the answer is not a JSON object")
    version = value.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ItemError("wrong_version", f"the answer has version {version!r}, not {VERSION}")
    return value


def slot_list(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of slot ids in a JSON answer; empty when it is not there.

    Raises:
        ItemError: With reason ``wrong_shape``.
    """
    return _unique(value.get(name, []), name)


def plain_slots(fields: Mapping[str, list[str]], name: str) -> tuple[str, ...]:
    """The slot ids in a field of a plain form: several values, parted by ``|`` or ``,`` as well.

    Raises:
        ItemError: With reason ``wrong_shape``.
    """
    text = "|".join(fields.get(name, [])).replace(",", "|")
    return _unique([part.strip() for part in text.split("|") if part.strip()], name)


def milliseconds(value: Any, what: str) -> float:
    """A time in a JSON answer.

    Raises:
        ItemError: With reason ``wrong_shape``: not a number in [0, 1e12).
    """
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    if not good:
        raise ItemError("wrong_shape", f"{what} is not milliseconds")
    return float(value)


def times_of(value: Mapping[str, Any]) -> dict[str, float]:
    """The mapping ``times`` of a JSON answer.

    Raises:
        ItemError: With reason ``wrong_shape``.
    """
    times = value.get("times", {})
    if not isinstance(times, dict):
        raise ItemError("wrong_shape", "times is not a mapping of slot ids to milliseconds")
    return {slot: milliseconds(time, f"the time of {slot!r}") for slot, time in times.items()}


def dwell_of(value: Mapping[str, Any]) -> float | None:
    """The time from a page's start to its submission, where the page says it.

    Raises:
        ItemError: With reason ``wrong_shape``.
    """
    return None if value.get("dwell") is None else milliseconds(value["dwell"], "dwell")


def _unique(ids: Any, name: str) -> tuple[str, ...]:
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise ItemError("wrong_shape", f"{name} is not a list of slot ids")
    if len(set(ids)) != len(ids):
        raise ItemError("wrong_shape", f"{name} names a slot twice")
    return tuple(ids)


def _local(tag: Any) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
