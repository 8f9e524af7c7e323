"""What is required of workers: the comparisons against a plain oracle, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.requirements import (
    LOCALE,
    Held,
    Requirement,
    loaded,
    meets,
    read_requirements,
    stored,
)

NUMBERS = {
    "LessThan": lambda v, w: v < w[0],
    "LessThanOrEqualTo": lambda v, w: v <= w[0],
    "GreaterThan": lambda v, w: v > w[0],
    "GreaterThanOrEqualTo": lambda v, w: v >= w[0],
    "EqualTo": lambda v, w: v == w[0],
    "NotEqualTo": lambda v, w: v != w[0],
    "In": lambda v, w: v in w,
    "NotIn": lambda v, w: v not in w,
}


@given(
    comparator=st.sampled_from(sorted(NUMBERS)),
    value=st.none() | st.integers(-3, 3),
    wanted=st.lists(st.integers(-3, 3), min_size=1, max_size=4),
)
def test_numbers(comparator: str, value: int | None, wanted: list[int]) -> None:
    requirement = Requirement("Q", comparator, tuple(wanted))
    expected = value is not None and NUMBERS[comparator](value, wanted)
    assert meets(requirement, Held(value)) == expected
    assert not meets(requirement, None)


@pytest.mark.parametrize(
    ("comparator", "wanted", "place", "expected"),
    [
        ("EqualTo", ["US"], "US", True),
        ("EqualTo", ["US"], "US-CA", True),
        ("EqualTo", ["US-CA"], "US", False),
        ("EqualTo", ["US-CA"], "US-NY", False),
        ("NotEqualTo", ["US"], "US-CA", False),
        ("NotEqualTo", ["US"], "DE", True),
        ("NotEqualTo", ["US"], None, False),
        ("In", ["DE", "US-NY"], "US-NY", True),
        ("In", ["DE", "US-NY"], "FR", False),
        ("NotIn", ["DE", "US-NY"], "US-CA", True),
        ("NotIn", ["DE", "US-NY"], "DE-BE", False),
        ("NotIn", ["DE"], None, False),
    ],
)
def test_places(comparator: str, wanted: list[str], place: str | None, expected: bool) -> None:
    held = None if place is None else Held(locale=place)
    assert meets(Requirement(LOCALE, comparator, (), tuple(wanted)), held) == expected


def test_having_it_or_not() -> None:
    for held in (Held(), Held(0), Held(5)):
        assert meets(Requirement("Q", "Exists"), held)
        assert not meets(Requirement("Q", "DoesNotExist"), held)
    assert not meets(Requirement("Q", "Exists"), None)
    assert meets(Requirement("Q", "DoesNotExist"), None)


def _given(**changes: Any) -> dict[str, Any]:
    values = {"QualificationTypeId": "Q", "Comparator": "EqualTo", "IntegerValues": [1], **changes}
    return {"QualificationRequirements": [{k: v for k, v in values.items() if v is not None}]}


US = {"Country": "US"}


@pytest.mark.parametrize(
    "changes",
    [
        {"IntegerValues": None},
        {"IntegerValues": [1, 2]},
        {"Comparator": "In", "IntegerValues": []},
        {"Comparator": "NotIn", "IntegerValues": list(range(16))},
        {"Comparator": "Exists"},
        {"Comparator": "DoesNotExist", "IntegerValues": None, "LocaleValues": [US]},
        {"LocaleValues": [US]},
        {"QualificationTypeId": LOCALE},
        {"QualificationTypeId": LOCALE, "IntegerValues": None},
        {"QualificationTypeId": LOCALE, "IntegerValues": None, "LocaleValues": [US, US]},
        {"QualificationTypeId": LOCALE, "Comparator": "LessThan", "IntegerValues": None,
         "LocaleValues": [US]},
        {"QualificationTypeId": LOCALE, "Comparator": "In", "IntegerValues": None,
         "LocaleValues": [US] * 31},
        {"QualificationTypeId": LOCALE, "IntegerValues": None,
         "LocaleValues": [{"Country": "us"}]},
        {"QualificationTypeId": LOCALE, "IntegerValues": None,
         "LocaleValues": [{"Country": "US", "Subdivision": "c!"}]},
        {"RequiredToPreview": True, "ActionsGuarded": "Accept"},
    ],
)  # fmt: skip
def test_requirements_that_break_a_rule(changes: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as error:
        read_requirements(_given(**changes))
    assert error.value.turk_code == "AWS.MechanicalTurk.InvalidParameterValue"


def test_the_old_word_for_a_guard() -> None:
    [old] = read_requirements(_given(RequiredToPreview=True))
    [new] = read_requirements(_given(ActionsGuarded="PreviewAndAccept"))
    assert old == new
    [plain] = read_requirements(_given(RequiredToPreview=False))
    assert plain.guarded == "Accept"


def test_kept_and_read_again() -> None:
    given = _given()["QualificationRequirements"] + [
        {"QualificationTypeId": LOCALE, "Comparator": "NotIn",
         "LocaleValues": [US, {"Country": "CA", "Subdivision": "QC"}],
         "ActionsGuarded": "DiscoverPreviewAndAccept"},
    ]  # fmt: skip
    requirements = read_requirements({"QualificationRequirements": given})
    assert loaded(stored(requirements)) == tuple(requirements)
    for one, document in zip(given, (r.document() for r in requirements), strict=True):
        assert one.items() <= document.items()
