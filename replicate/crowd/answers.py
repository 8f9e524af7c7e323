"""What a worker answered: from the submitted XML to one vote for each place on the page."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from replicate.base.errors import ItemError
from replicate.crowd.composition import Slot

Vote = Literal["yes", "no", "broken", "not_shown"]
MAX_ANSWER = 200_000
VERSION = 1


@dataclass(frozen=True)
class Answer:
    """A worker's answer to one page.

    Attributes:
        selected: Slot ids that were selected.
        broken: Slot ids whose image could not be seen.
        none: Whether "None of these" was said.
        order: Slot ids in the order in which they were shown; empty when it is not known.
        times: Milliseconds from the page's start to the last tick, by slot id.
    """

    selected: tuple[str, ...]
    broken: tuple[str, ...]
    none: bool
    order: tuple[str, ...]
    times: Mapping[str, float]


def parse_answer(xml: str) -> Answer:
    """Read a QuestionFormAnswers document whose field ``answer`` holds our JSON.

    Raises:
        ItemError: With the reason ``empty``, ``too_large``, ``not_xml``, ``no_answer_field``,
            ``not_json``, ``wrong_version`` or ``wrong_shape``.
    """
    if not xml.strip():
        raise ItemError("empty", "the submission is empty")
    if len(xml) > MAX_ANSWER:
        raise ItemError("too_large", f"the submission has {len(xml):,} characters")
    try:
        value = json.loads(_field(xml, "answer"))
    except ValueError as error:
        raise ItemError("not_json", f"the answer is not JSON: {error}") from error
    except RecursionError as error:
        raise ItemError("not_json", "the answer is nested too deeply") from error
    if not isinstance(value, dict):
        raise ItemError("wrong_shape", "the answer is not a JSON object")
    version = value.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ItemError("wrong_version", f"the answer has version {version!r}, not {VERSION}")
    none = value.get("none")
    if not isinstance(none, bool):
        raise ItemError("wrong_shape", "none is neither true nor false")
    return Answer(
        selected=_ids(value, "selected"),
        broken=_ids(value, "broken"),
        none=none,
        order=_ids(value, "order"),
        times=_times(value.get("times", {})),
    )


def answer_votes(answer: Answer, slots: Iterable[Slot]) -> dict[str, Vote]:
    """One vote for each slot of the page.

    An image that a worker says is broken has the vote ``broken`` even when it is also selected;
    one that the page never showed (its slot is not in the order) is ``not_shown``. Neither
    counts in a selection frequency. A page sent back with nothing ticked is an answer: no to
    every image (the control images tell whether its worker looked).

    Args:
        answer: The worker's answer.
        slots: The page's slots.

    Returns:
        Votes by slot id: an image that is shown twice has two.

    Raises:
        ItemError: With reason ``unknown_slot`` (an id that the page does not have) or
            ``none_and_selected``.

    >>> slots = [Slot("i01", "a", "candidate"), Slot("i02", "b", "positive")]
    >>> answer_votes(Answer(("i02",), (), False, ("i02", "i01"), {}), slots)
    {'i01': 'no', 'i02': 'yes'}
    """
    places = [slot.slot_id for slot in slots]
    named = {*answer.selected, *answer.broken, *answer.order}
    unknown = sorted(named.difference(places))
    if unknown:
        raise ItemError("unknown_slot", f"the page has no image {unknown[0]!r}")
    if answer.none and answer.selected:
        raise ItemError("none_and_selected", "images are selected although there are none")
    selected, broken, shown = set(answer.selected), set(answer.broken), set(answer.order)
    votes: dict[str, Vote] = {}
    for slot_id in places:
        if slot_id in broken:
            votes[slot_id] = "broken"
        elif slot_id in selected:
            votes[slot_id] = "yes"
        elif shown and slot_id not in shown:
            votes[slot_id] = "not_shown"
        else:
            votes[slot_id] = "no"
    return votes


def _field(xml: str, name: str) -> str:
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise ItemError("not_xml", "the submission declares a document type or entities")
    try:
        root = ElementTree.fromstring(xml)  # declarations were refused: no entity can expand
    except ElementTree.ParseError as error:
        raise ItemError("not_xml", f"the submission is not XML: {error}") from error
    for answer in root.iter():
        if _local(answer.tag) != "Answer":
            continue
        fields = {_local(child.tag): child.text or "" for child in answer}
        if fields.get("QuestionIdentifier") == name:
            return fields.get("FreeText", "")
    raise ItemError("no_answer_field", f"the submission has no field {name!r}")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _ids(value: dict[str, Any], name: str) -> tuple[str, ...]:
    ids = value.get(name, [])
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise ItemError("wrong_shape", f"{name} is not a list of slot ids")
    if len(set(ids)) != len(ids):
        raise ItemError("wrong_shape", f"{name} names a slot twice")
    return tuple(ids)


def _times(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ItemError("wrong_shape", "times is not a mapping of slot ids to milliseconds")
    times = {}
    for slot_id, time in value.items():
        good = isinstance(time, int | float) and not isinstance(time, bool) and 0 <= time < 1e12
        if not good:
            raise ItemError("wrong_shape", f"the time of slot {slot_id!r} is not milliseconds")
        times[slot_id] = float(time)
    return times
