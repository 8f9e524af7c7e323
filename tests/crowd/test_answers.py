import json
import re
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import ItemError
from replicate.crowd.answers import Answer, answer_votes, parse_answer
from replicate.crowd.composition import Slot
from replicate.crowd.judgements import IMAGE_VERDICTS, PAIR_VERDICTS, parse_judgement

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


def _form(*fields, namespace=NAMESPACE):
    parts = "".join(
        f"<Answer><QuestionIdentifier>{escape(name)}</QuestionIdentifier>"
        f"<FreeText>{escape(value)}</FreeText></Answer>"
        for name, value in fields
    )
    return f'<QuestionFormAnswers xmlns="{namespace}">{parts}</QuestionFormAnswers>'


@pytest.mark.parametrize(
    "fields",
    [
        [("answer", ""), ("order", "i03,i01,i02"), ("selected", "i01|i02"), ("broken", "i03")],
        [("selected", "i01"), ("selected", "i02"), ("broken", "i03"), ("order", "i03|i01|i02")],
    ],
)
def test_a_plain_form_says_the_same(fields):
    answer = parse_answer(_form(*fields))
    assert answer == Answer(("i01", "i02"), ("i03",), False, ("i03", "i01", "i02"), {})
    assert answer_votes(answer, SLOTS) == {"i01": "yes", "i02": "yes", "i03": "broken"}


def test_a_plain_form_has_to_say_none_of_these():
    none = parse_answer(_form(("answer", ""), ("none", "yes")))
    assert none == Answer((), (), True, (), {})
    assert set(answer_votes(none, SLOTS).values()) == {"no"}
    for fields in ([("answer", "")], [("answer", " "), ("order", "i01"), ("none", "")]):
        with pytest.raises(ItemError) as caught:
            parse_answer(_form(*fields))
        assert caught.value.reason == "nothing_marked"
    both = parse_answer(_form(("none", "yes"), ("selected", "i01")))
    with pytest.raises(ItemError) as caught:
        answer_votes(both, SLOTS)
    assert caught.value.reason == "none_and_selected"


def test_where_a_script_answered_the_plain_fields_do_not_count():
    xml = _form(("answer", json.dumps(GOOD)), ("selected", "i01"), ("none", "yes"))
    assert parse_answer(xml) == parse_answer(_xml(GOOD))


def test_how_long_the_page_was_open_may_be_said():
    assert parse_answer(_xml({**GOOD, "dwell": 9000})).dwell == 9000.0
    assert parse_answer(_xml({**GOOD, "more": [1]})).dwell is None
    with pytest.raises(ItemError) as caught:
        parse_answer(_xml({**GOOD, "dwell": "long"}))
    assert caught.value.reason == "wrong_shape"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ({"verdict": "same"}, "same"),
        ({"verdict": "broken"}, "broken"),
        ({"verdict": "same", "broken": ["i01"]}, "broken"),
        ({"broken": ["i02"]}, "broken"),
        ({"verdict": "yes"}, "unknown_verdict"),
        ({"verdict": None}, "unknown_verdict"),
        ({"verdict": ["same"]}, "unknown_verdict"),
        ({}, "unknown_verdict"),
        ({"verdict": "same", "broken": "i01"}, "wrong_shape"),
        ({"verdict": "same", "version": 3}, "wrong_version"),
    ],
)
def test_judgements(value, verdict):
    xml = _form(("answer", json.dumps({"version": 1, **value})))
    try:
        found = parse_judgement(xml, PAIR_VERDICTS).verdict
    except ItemError as error:
        found = error.reason
    assert found == verdict


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ([("answer", ""), ("verdict", "unsure")], "unsure"),
        ([("answer", ""), ("verdict", "same"), ("broken", "i02")], "broken"),
        ([("verdict", "same"), ("verdict", "different")], "unknown_verdict"),
        ([("answer", ""), ("order", "i02,i01")], "nothing_marked"),
        ([("csrf", "x")], "no_answer_field"),
    ],
)
def test_judgements_of_a_plain_form(fields, verdict):
    try:
        found = parse_judgement(_form(*fields), PAIR_VERDICTS).verdict
    except ItemError as error:
        found = error.reason
    assert found == verdict


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
_NAMES = st.sampled_from(["answer", "selected", "broken", "none", "order", "verdict", "x"])
_KEYS = ("selected", "broken", "none", "order", "times", "dwell", "verdict")
_OBJECTS = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional=dict.fromkeys(
        ("selected", "broken", "none", "order", "times", "dwell", "verdict"), _VALUES
    ),
).map(json.dumps)
_TEXTS = st.text(max_size=30) | _OBJECTS | st.sampled_from(["i01", "i01|i02", "|", ",", "yes"])


@given(st.lists(st.tuples(_NAMES, _TEXTS), max_size=5))
def test_whatever_fields_come_the_readers_say_what_is_wrong(fields):
    xml = _form(*[(name, re.sub(r"[^\t\n\r\x20-\ud7ff]", "?", text)) for name, text in fields])
    for read in (parse_answer, lambda text: parse_judgement(text, IMAGE_VERDICTS)):
        try:
            found = read(xml)
        except ItemError as error:
            assert error.reason
        else:
            assert all(isinstance(slot, str) for slot in (*found.broken, *found.order))
            assert all(0 <= time < 1e12 for time in found.times.values())


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_no_text_makes_the_parser_fail_otherwise(text):
    for xml in (text, _xml("PLACE").replace("PLACE", escape(text))):
        for read in (parse_answer, lambda given: parse_judgement(given, PAIR_VERDICTS)):
            try:
                read(xml)
            except ItemError as error:
                assert error.reason


def test_reports_are_read_and_are_no_votes():
    answer = parse_answer(_xml({**GOOD, "unsafe": ["i01", "i02"]}))
    assert answer.unsafe == ("i01", "i02")
    assert answer_votes(answer, SLOTS) == answer_votes(parse_answer(_xml(GOOD)), SLOTS)
    plain = parse_answer(_form(("answer", ""), ("selected", "i02"), ("unsafe", "i01|i03")))
    assert plain.unsafe == ("i01", "i03")
    with pytest.raises(ItemError) as caught:
        parse_answer(_form(("answer", ""), ("unsafe", "i01")))
    assert caught.value.reason == "nothing_marked"  # a report does not answer the question
    for value, reason in ((["i09"], "unknown_slot"), ("i01", "wrong_shape")):
        with pytest.raises(ItemError) as caught:
            answer_votes(parse_answer(_xml({**GOOD, "unsafe": value})), SLOTS)
        assert caught.value.reason == reason
    said = {"version": 1, "verdict": "same", "broken": ["i02"], "unsafe": ["i02"]}
    judged = parse_judgement(_form(("answer", json.dumps(said))), PAIR_VERDICTS)
    assert (judged.verdict, judged.unsafe) == ("broken", ("i02",))
    judged = parse_judgement(_form(("verdict", "same"), ("unsafe", "i01")), PAIR_VERDICTS)
    assert (judged.verdict, judged.unsafe) == ("same", ("i01",))
