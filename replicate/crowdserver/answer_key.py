"""AnswerKey: the right answers of a qualification test, and the value that answers are worth."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from replicate.crowdserver.errors import bad_value
from replicate.crowdserver.safe_xml import child, children, local_name, parsed, text_of

Mapping = Callable[[int], int]


@dataclass(frozen=True)
class Rated:
    """What the answers to one question are worth.

    Attributes:
        identifier: The question.
        options: Scores of sets of selections.
        default: The score of any other answer.
    """

    identifier: str
    options: tuple[tuple[frozenset[str], int], ...]
    default: int

    def score(self, given: list[str]) -> int:
        """The score of some selections."""
        chosen = frozenset(given)
        return next((score for option, score in self.options if option == chosen), self.default)


@dataclass(frozen=True)
class AnswerKey:
    """All that a test's answers are worth."""

    questions: tuple[Rated, ...]
    mapping: Mapping

    def value(self, fields: dict[str, list[str]]) -> int:
        """The qualification's value for an answer: the mapped sum of the scores."""
        return self.mapping(
            sum(one.score(fields.get(one.identifier, [])) for one in self.questions)
        )


def read_answer_key(text: str) -> AnswerKey:
    """Read an AnswerKey.

    Raises:
        ApiError: It is not one.
    """
    root = parsed(text, "AnswerKey", "AnswerKey")
    rated = tuple(
        Rated(
            text_of(one, "QuestionIdentifier"),
            tuple(
                (
                    frozenset(
                        "".join(i.itertext()).strip()
                        for i in children(option, "SelectionIdentifier")
                    ),
                    _whole(text_of(option, "AnswerScore")),
                )
                for option in children(one, "AnswerOption")
            ),
            _whole(text_of(one, "DefaultScore") or "0"),
        )
        for one in children(root, "Question")
    )
    if not rated:
        raise bad_value("The AnswerKey has no Question.")
    return AnswerKey(rated, _mapping(child(root, "QualificationValueMapping")))


def _mapping(element: Any) -> Mapping:
    if element is None:
        return lambda total: total
    inner = element[0] if len(element) == 1 else None
    kind = "" if inner is None else local_name(inner)
    if kind == "PercentageMapping":
        most = _whole(text_of(inner, "MaximumSummedScore"))
        if most < 1:
            raise bad_value("MaximumSummedScore is not a number above 0.")
        return lambda total: (total * 200 + most) // (2 * most)  # rounded, halves up
    if kind == "ScaleMapping":
        tenths = _decimal(text_of(inner, "SummedScoreMultiplier"))
        return lambda total: int(total * tenths + 0.5) if total >= 0 else int(total * tenths - 0.5)
    if kind == "RangeMapping":
        ranges = [
            tuple(
                _whole(text_of(one, name))
                for name in ("InclusiveLowerBound", "InclusiveUpperBound", "QualificationValue")
            )
            for one in children(inner, "SummedScoreRange")
        ]
        outside = _whole(text_of(inner, "OutOfRangeQualificationValue"))
        return lambda total: next((v for low, high, v in ranges if low <= total <= high), outside)
    raise bad_value("The QualificationValueMapping is not one of the three that there are.")


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,8}", text):
        raise bad_value(f"{text[:20]!r} in the AnswerKey is not a whole number.")
    return int(text)


def _decimal(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,8}(\.[0-9]{1,8})?", text):
        raise bad_value(f"{text[:20]!r} in the AnswerKey is not a number.")
    return float(text)
