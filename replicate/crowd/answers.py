"""What a worker answered: from the submitted XML to one vote a slot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from replicate.base.errors import ItemError
from replicate.crowd.composition import Slot
from replicate.crowd.submissions import (
    ANSWER,
    WITHDRAWN,
    dwell_of,
    form_fields,
    json_answer,
    plain_slots,
    slot_list,
    times_of,
)

Vote = Literal["yes", "no", "broken", "not_shown"]


@dataclass(frozen=True)
class Answer:
    """A worker's answer to one page.

    Attributes:
        selected: Slot ids that were selected.
        broken: Slot ids whose image could not be seen.
        none: Whether "None of these" was said.
        order: Slot ids in the order in which they were shown; empty when it is not known.
        times: Milliseconds from the page's start to the last tick, by slot id.
        dwell: Milliseconds from the page's start to its submission; None when not known.
        unsafe: Slot ids whose image is reported as one that should be shown to nobody.
    """

    selected: tuple[str, ...]
    broken: tuple[str, ...]
    none: bool
    order: tuple[str, ...]
    times: Mapping[str, float]
    dwell: float | None = None
    unsafe: tuple[str, ...] = ()


def parse_answer(xml: str) -> Answer:
    """Read a submission of a page that asks to select images.

    With scripts, a page sends one field ``answer`` that holds our JSON, and nothing else counts.
    Without, its form sends ``answer`` empty, the fields ``selected``, ``broken`` and ``unsafe``
    (a value for each ticked slot), ``none`` if that is ticked, and ``order``, which the crowd
    server fills in;
    no times are known then. Such a form with nothing ticked at all says nothing and is refused:
    "none of these" has to be said. (Our own pages see to that with scripts too; a JSON answer
    without any mark, from another page, is a no to every image.)

    Raises:
        ItemError: With the reason ``empty``, ``too_large``, ``not_xml``, ``no_answer_field``,
            ``not_json``, ``wrong_version``, ``wrong_shape``, ``nothing_marked``, or
            ``withdrawn``: the worker has taken the answer back.
    """
    fields = form_fields(xml)
    if set(fields) == {WITHDRAWN}:
        raise ItemError("withdrawn", "its worker has taken the answer back")
    value = json_answer(fields)
    if value is None:
        return _plain(fields)
    none = value.get("none")
    if not isinstance(none, bool):
        raise ItemError("wrong_shape", "none is neither true nor false")
    return Answer(
        selected=slot_list(value, "selected"),
        broken=slot_list(value, "broken"),
        none=none,
        order=slot_list(value, "order"),
        times=times_of(value),
        dwell=dwell_of(value),
        unsafe=slot_list(value, "unsafe"),
    )


def answer_votes(answer: Answer, slots: Iterable[Slot]) -> dict[str, Vote]:
    """One vote for each slot of the page.

    An image that a worker says is broken has the vote ``broken`` even when it is also selected;
    one that the page never showed (its slot is not in the order) is ``not_shown``. Neither
    counts in a selection frequency. A report that an image is unsafe is no vote. A page sent back
    with nothing ticked is an answer: no to every image (the control images tell whether its worker
    looked).

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
    named = {*answer.selected, *answer.broken, *answer.order, *answer.unsafe}
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


def _plain(fields: Mapping[str, list[str]]) -> Answer:
    marks: dict[str, Any] = {name: plain_slots(fields, name) for name in ("selected", "broken")}
    none = any(value.strip() for value in fields.get("none", []))
    if not none and not any(marks.values()):
        if ANSWER not in fields:
            raise ItemError("no_answer_field", f"the submission has no field {ANSWER!r}")
        raise ItemError("nothing_marked", "nothing is marked, and 'none of these' is not said")
    unsafe = plain_slots(fields, "unsafe")
    order = plain_slots(fields, "order")
    return Answer(**marks, none=none, order=order, times={}, unsafe=unsafe)
