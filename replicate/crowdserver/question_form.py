"""QuestionForm: questions as a list, for qualification tests and simple HITs.

Shown are texts, titles, lists and links, free text and selections of every style. What needs more
(files, pictures and other media, an answer beside the selections) is refused.
"""

import re
from dataclasses import dataclass
from typing import Any

from replicate.crowdserver.errors import bad_value
from replicate.crowdserver.safe_xml import child, children, local_name, parsed, text_of

RESERVED = ("assignmentId", "csrf")
_MARK = re.compile(r"</?(?:a|b|big|code|em|font|i|small|span|strong|sub|sup|tt|u)\b[^<>]*>", re.I)
_TAG = re.compile(r"<[^<>]*>")
_RADIO = ("radiobutton", "dropdown", "combobox", "list")


@dataclass(frozen=True)
class Block:
    """Something to read.

    Attributes:
        kind: ``title``, ``text``, ``list`` or ``link``.
        text: What it says.
        items: The items of a list.
        url: Where a link leads.
    """

    kind: str
    text: str = ""
    items: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True)
class Question:
    """Something to answer.

    Attributes:
        identifier: The name of its answer.
        name: Its display name; empty if it has none.
        required: Whether it must be answered.
        content: What stands before it.
        choices: Identifier and text of each selection; none: free text.
        least: How many selections there must be, if any.
        most: How many selections there may be.
        default: The text that is there at first.
        lines: Lines of the text field.
        length: Characters that a free text may have.
        number: Whether a free text must be a number.
    """

    identifier: str
    name: str
    required: bool
    content: tuple[Block, ...]
    choices: tuple[tuple[str, str], ...] = ()
    least: int = 1
    most: int = 1
    default: str = ""
    lines: int = 1
    length: int = 10_000
    number: bool = False

    def problem(self, given: list[str]) -> str:
        """What is wrong with some answers; empty: nothing."""
        given = [value for value in given if value.strip()]
        label = self.name or self.identifier
        if not given:
            return f"“{label}” is not answered." if self.required else ""
        if self.choices:
            known = {identifier for identifier, _ in self.choices}
            if not set(given) <= known or not self.least <= len(given) <= self.most:
                return f"“{label}” takes {self.least} to {self.most} of the choices."
        elif len(given) != 1 or len(given[0]) > self.length:
            return f"“{label}” takes at most {self.length} characters."
        elif self.number and not re.fullmatch(r"[+-]?\d+([.,]\d+)?", given[0].strip()):
            return f"“{label}” takes a number."
        return ""


@dataclass(frozen=True)
class Form:
    """A QuestionForm: what to read and what to answer, in order."""

    parts: tuple[Block | Question, ...]

    @property
    def questions(self) -> list[Question]:
        """What to answer."""
        return [part for part in self.parts if isinstance(part, Question)]

    def problems(self, fields: dict[str, list[str]]) -> list[str]:
        """What is wrong with an answer, by the form's own rules; none: nothing."""
        found = [one.problem(fields.get(one.identifier, [])) for one in self.questions]
        return [problem for problem in found if problem]


def read_form(text: str, parameter: str = "Question") -> Form:
    """Read a QuestionForm.

    Raises:
        ApiError: It is not one, or asks for what is not shown here.
    """
    parts: list[Block | Question] = []
    for element in parsed(text, parameter, "QuestionForm"):
        kind = local_name(element)
        if kind == "Overview":
            parts += _blocks(element)
        elif kind == "Question":
            parts.append(_question(element))
        else:
            raise bad_value(f"A QuestionForm with {kind} is not shown by this server.")
    form = Form(tuple(parts))
    names = [one.identifier for one in form.questions]
    if not names:
        raise bad_value("The QuestionForm has no Question.")
    if len(names) != len(set(names)) or set(names) & set(RESERVED):
        raise bad_value("The QuestionIdentifiers are not each unlike the others and our own names.")
    return form


def _blocks(element: Any) -> list[Block]:
    return [_block(one) for one in element]


def _block(element: Any) -> Block:
    kind, text = local_name(element), "".join(element.itertext()).strip()
    if kind in ("Title", "Text"):
        return Block(kind.lower(), text)
    if kind == "FormattedContent":  # its words without its marks
        return Block("text", " ".join(_TAG.sub(" ", _MARK.sub("", text)).split()))
    if kind == "List":
        items = ("".join(one.itertext()).strip() for one in children(element, "ListItem"))
        return Block("list", items=tuple(items))
    url = text_of(element, "Url") if kind == "Link" else ""
    if not url.startswith(("https://", "http://")):
        raise bad_value(f"A QuestionForm with {kind} is not shown by this server.")
    return Block("link", text_of(element, "Text") or url, url=url)


def _question(element: Any) -> Question:
    identifier = text_of(element, "QuestionIdentifier")
    content, answer = child(element, "QuestionContent"), child(element, "AnswerSpecification")
    if not identifier or len(identifier) > 255 or answer is None or len(answer) != 1:
        raise bad_value("A Question has no QuestionIdentifier, or not one AnswerSpecification.")
    common: dict[str, Any] = {
        "identifier": identifier,
        "name": text_of(element, "DisplayName"),
        "required": text_of(element, "IsRequired") == "true",
        "content": tuple(_blocks(content)) if content is not None else (),
    }
    kind = local_name(answer[0])
    if kind == "FreeTextAnswer":
        return Question(**common, **_free_text(answer[0]))
    if kind == "SelectionAnswer":
        return Question(**common, **_selection(answer[0]))
    raise bad_value(f"A QuestionForm with {kind} is not shown by this server.")


def _free_text(element: Any) -> dict[str, Any]:
    constraints = child(element, "Constraints")
    length = None if constraints is None else child(constraints, "Length")
    lines = text_of(element, "NumberOfLinesSuggestion")
    return {
        "default": text_of(element, "DefaultText"),
        "lines": min(50, _number(lines, 1)),
        "length": _number("" if length is None else length.get("maxLength", ""), 10_000),
        "number": constraints is not None and child(constraints, "IsNumeric") is not None,
    }


def _selection(element: Any) -> dict[str, Any]:
    selections = child(element, "Selections")
    if selections is None or child(selections, "OtherSelection") is not None:
        raise bad_value(
            "A SelectionAnswer without Selections, or with OtherSelection, is not shown."
        )
    choices = tuple(
        (
            text_of(one, "SelectionIdentifier"),
            text_of(one, "Text") or text_of(one, "FormattedContent"),
        )
        for one in children(selections, "Selection")
    )
    if not choices or not all(identifier and text for identifier, text in choices):
        raise bad_value("A Selection has no SelectionIdentifier, or no Text.")
    style = text_of(element, "StyleSuggestion")
    most = 1 if style in _RADIO else len(choices)
    return {
        "choices": choices,
        "least": _number(text_of(element, "MinSelectionCount"), 1),
        "most": min(len(choices), _number(text_of(element, "MaxSelectionCount"), most)),
    }


def _number(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,4}", text) else otherwise
