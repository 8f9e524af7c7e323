"""What workers send in, as the QuestionFormAnswers (2005-10-01) that requesters get."""

import re
from collections.abc import Iterable
from html import escape

from replicate.crowdserver.question_form import Form

_ANSWERS = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/"
    "QuestionFormAnswers.xsd"
)
# Characters that XML 1.0 cannot hold in any form.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def grouped(fields: list[tuple[str, str]]) -> dict[str, list[str]]:
    """A form's fields by their names, in the order of the first of each."""
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    return values


def answers_xml(fields: list[tuple[str, str]]) -> str:
    """A submitted form as QuestionFormAnswers.

    Several values of one field are joined by ``|``, as MTurk does. Characters that XML cannot
    hold become U+FFFD.

    >>> answers_xml([("a", "1 < 2")]).partition("<Answer>")[2][:60]
    '<QuestionIdentifier>a</QuestionIdentifier><FreeText>1 &lt; 2'
    """
    values = grouped(fields)
    return _document(
        (name, f"<FreeText>{_text('|'.join(given))}</FreeText>") for name, given in values.items()
    )


def form_answers_xml(form: Form, fields: list[tuple[str, str]]) -> str:
    """The answers to a QuestionForm's questions: what was selected by its identifiers."""
    values = grouped(fields)
    parts = []
    for one in form.questions:
        given = [value for value in values.get(one.identifier, []) if value.strip()]
        if one.choices:
            chosen = "".join(
                f"<SelectionIdentifier>{_text(v)}</SelectionIdentifier>" for v in given
            )
            parts.append((one.identifier, chosen))
        else:
            parts.append((one.identifier, f"<FreeText>{_text(''.join(given))}</FreeText>"))
    return _document(parts)


def _document(answers: Iterable[tuple[str, str]]) -> str:
    parts = "".join(
        f"<Answer><QuestionIdentifier>{_text(name)}</QuestionIdentifier>{answer}</Answer>"
        for name, answer in answers
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<QuestionFormAnswers xmlns="{_ANSWERS}">{parts}</QuestionFormAnswers>'
    )


def _text(value: str) -> str:
    # A carriage return would be read back as a line feed unless it is a character reference.
    return escape(_FORBIDDEN.sub("\ufffd", value), quote=False).replace("\r", "&#13;")
