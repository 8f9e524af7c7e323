"""One assignment in a form that a requester can read."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from replicate.base.errors import ItemError
from replicate.crowd.answers import parse_answer
from replicate.crowdserver.page_facts import PageFacts

_TEXT = 2000  # characters of a field that are shown


@dataclass(frozen=True)
class ShownAnswer:
    """An assignment as it is shown.

    Attributes:
        row: The assignment.
        seconds: From taking it up to sending it in; None: not sent in.
        selected: Slot and image address of each image that was selected.
        broken: The same of each image that could not be seen.
        none: Whether "None of these" was said.
        fields: Names and texts of the form's fields, when it is not an answer of our pages.
        problem: Why it is not; empty otherwise.
        withdrawn: Whether the worker has taken the answer back.
    """

    row: Row[Any]
    seconds: float | None = None
    selected: tuple[tuple[str, str], ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    none: bool = False
    fields: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    withdrawn: bool = False


def shown_answer(row: Row[Any], page: PageFacts, address: Callable[[str], str]) -> ShownAnswer:
    """Read an assignment's answer.

    Args:
        row: The assignment.
        page: Its HIT's page.
        address: The address of an image, by its SHA-256.
    """
    if row.answer is None:
        return ShownAnswer(row)
    seconds = row.submitted - row.accepted
    try:
        answer = parse_answer(row.answer)
    except ItemError as error:
        if error.reason == "withdrawn":
            return ShownAnswer(row, seconds, withdrawn=True)
        return ShownAnswer(row, seconds, fields=_fields(row.answer), problem=str(error))

    def images(slots: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return tuple((slot, address(page.slots[slot])) for slot in slots if slot in page.slots)

    return ShownAnswer(row, seconds, images(answer.selected), images(answer.broken), answer.none)


def _fields(xml: str) -> tuple[tuple[str, str], ...]:
    if "<!" in xml:  # we write no declarations; an answer that has one was not written by us
        return (("answer", xml[:_TEXT]),)
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return (("answer", xml[:_TEXT]),)
    texts = [[(child.text or "")[:_TEXT] for child in answer] for answer in root]
    return tuple((text[0], text[1]) for text in texts if len(text) == 2)
