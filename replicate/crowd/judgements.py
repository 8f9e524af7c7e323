"""What a worker answered to one question about one image or a pair."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from replicate.base.errors import ItemError
from replicate.crowd.submissions import (
    ANSWER,
    dwell_of,
    form_fields,
    json_answer,
    plain_slots,
    slot_list,
    times_of,
)

PAIR_VERDICTS = ("same", "different", "unsure")
IMAGE_VERDICTS = ("yes", "no", "unsure")
BROKEN = "broken"


@dataclass(frozen=True)
class Judgement:
    """A worker's answer to one question.

    Attributes:
        verdict: One of the page's verdicts, or ``broken``: an image could not be seen.
        broken: Slot ids whose image could not be seen.
        order: Slot ids in the order in which they were shown; empty when it is not known.
        times: Milliseconds from the page's start: to the last change of the verdict
            (``verdict``), and to the last change of a slot's flag.
        dwell: Milliseconds from the page's start to its submission; None when not known.
        unsafe: Slot ids whose image is reported as one that should be shown to nobody.
    """

    verdict: str
    broken: tuple[str, ...]
    order: tuple[str, ...]
    times: Mapping[str, float]
    dwell: float | None = None
    unsafe: tuple[str, ...] = ()


def parse_judgement(xml: str, verdicts: Collection[str]) -> Judgement:
    """Read a submission of a page that asks for one verdict.

    An image that is broken makes the verdict ``broken``, whatever else was said. With scripts, a
    page sends one field ``answer``; without, the fields ``verdict``, ``broken``, ``unsafe`` and
    ``order``.

    Args:
        xml: The QuestionFormAnswers document.
        verdicts: Those that the page offers: `PAIR_VERDICTS` or `IMAGE_VERDICTS`.

    Raises:
        ItemError: With a reason of `replicate.crowd.answers.parse_answer`, or
            ``unknown_verdict``.
    """
    fields = form_fields(xml)
    value = json_answer(fields)
    if value is not None:
        said = value.get("verdict", "")
        judged = Judgement(
            str(said),
            slot_list(value, "broken"),
            slot_list(value, "order"),
            times_of(value),
            dwell_of(value),
            slot_list(value, "unsafe"),
        )
    else:
        said = "|".join(fields.get("verdict", []))
        broken, order = plain_slots(fields, "broken"), plain_slots(fields, "order")
        judged = Judgement(said, broken, order, {}, unsafe=plain_slots(fields, "unsafe"))
        if not said and not broken:
            if ANSWER not in fields:
                raise ItemError("no_answer_field", f"the submission has no field {ANSWER!r}")
            raise ItemError("nothing_marked", "no verdict is given")
    if judged.broken or said == BROKEN:
        return replace(judged, verdict=BROKEN)
    if not isinstance(said, str) or said not in verdicts:
        raise ItemError("unknown_verdict", f"the page offers no verdict {said!r}")
    return judged
