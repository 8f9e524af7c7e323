import json
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import ItemError
from replicate.crowd.answers import Answer, answer_votes, parse_answer
from replicate.crowd.composition import Slot

NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/"
    "QuestionFormAnswers.xsd"
)
GOOD = {
    "version": 1,
    "selected": ["i02"],
    "broken": ["i03"],
    "none": False,
    "order": ["i03", "i01", "i02"],
    "times": {"i02": 1530},
}
SLOTS = [Slot(f"i{i:02d}", image, "candidate") for i, image in enumerate("abc", 1)]


def _xml(value, field="answer", namespace=NAMESPACE):
    text = value if isinstance(value, str) else json.dumps(value)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><QuestionFormAnswers xmlns="{namespace}">'
        "<Answer><QuestionIdentifier>csrf</QuestionIdentifier><FreeText>x</FreeText></Answer>"
        f"<Answer><QuestionIdentifier>{field}</QuestionIdentifier>"
        f"<FreeText>{escape(text)}</FreeText></Answer></QuestionFormAnswers>"
    )


def test_a_good_answer():
    answer = parse_answer(_xml(GOOD))
    assert answer == Answer(("i02",), ("i03",), False, ("i03", "i01", "i02"), {"i02": 1530.0})
    assert answer_votes(answer, SLOTS) == {"i01": "no", "i02": "yes", "i03": "broken"}


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 200_001, "too_large"),
        ("<a>", "not_xml"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "not_xml"),
        ("<a/>", "no_answer_field"),
        (_xml(GOOD, field="answers"), "no_answer_field"),
        (_xml("{"), "not_json"),
        (_xml("[" * 100_000), "not_json"),
        (_xml([1]), "wrong_shape"),
        (_xml({**GOOD, "version": 2}), "wrong_version"),
        (_xml({**GOOD, "version": True}), "wrong_version"),
        (_xml({**GOOD, "none": 0}), "wrong_shape"),
        (_xml({**GOOD, "selected": "i02"}), "wrong_shape"),
        (_xml({**GOOD, "selected": [2]}), "wrong_shape"),
        (_xml({**GOOD, "selected": ["i02", "i02"]}), "wrong_shape"),
        (_xml({**GOOD, "times": {"i02": -1}}), "wrong_shape"),
        (_xml('{"version": 1, "none": true, "times": {"i02": NaN}}'), "wrong_shape"),
        (_xml({**GOOD, "times": [1]}), "wrong_shape"),
    ],
)
def test_malformed_answers_have_a_reason(xml, reason):
    with pytest.raises(ItemError) as caught:
        parse_answer(xml)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"selected": ["i09"]}, "unknown_slot"),
        ({"broken": ["../x"]}, "unknown_slot"),
        ({"order": ["i01", "i02", "i03", "i04"]}, "unknown_slot"),
        ({"none": True}, "none_and_selected"),
    ],
)
def test_answers_that_do_not_fit_the_page(change, reason):
    answer = parse_answer(_xml({**GOOD, **change}))
    with pytest.raises(ItemError) as caught:
        answer_votes(answer, SLOTS)
    assert caught.value.reason == reason


def test_none_of_these_and_an_empty_page_are_no_to_all():
    for none in (True, False):
        answer = Answer((), (), none, (), {})
        assert set(answer_votes(answer, SLOTS).values()) == {"no"}


def test_an_image_that_is_shown_twice_has_two_votes():
    slots = [*SLOTS, Slot("i04", "a", "repeat")]
    answer = Answer(("i04",), (), False, ("i04", "i01", "i02", "i03"), {})
    assert answer_votes(answer, slots) == {"i01": "no", "i02": "no", "i03": "no", "i04": "yes"}


def test_broken_beats_selected_and_an_image_never_shown_is_no_vote():
    answer = Answer(("i01", "i02"), ("i01",), False, ("i01", "i02"), {})
    assert answer_votes(answer, SLOTS) == {"i01": "broken", "i02": "yes", "i03": "not_shown"}


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_no_text_makes_the_parser_fail_otherwise(text):
    for xml in (text, _xml("PLACE").replace("PLACE", escape(text))):
        try:
            parse_answer(xml)
        except ItemError as error:
            assert error.reason
