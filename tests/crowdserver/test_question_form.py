"""QuestionForm: on HITs and as the test of a qualification, and what answers to it are worth."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from support.clocks import ManualClock
from support.crowd import Person, Running, client, hit_values, running

from replicate.crowdserver.answer_key import read_answer_key
from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.question_form import read_form

from .calls import FORM, KEY, person, refused, worker_id
from .test_api_qualifications import ask, make

RIGHT = [("fish", "g"), ("parts", "f"), ("parts", "s"), ("why", "It <shines>.")]


def test_a_hit_with_a_form(server: Running, requester: Any) -> None:
    hit = requester.create_hit(**hit_values(FORM))["HIT"]["HITId"]
    worker = person(server, "form filler")
    page = worker.accept(hit)
    assert "One &lt;is&gt; gold." in page.text
    assert page.text.count('type="radio" name="fish"') == 2
    assert page.text.count('type="checkbox" name="parts"') == 3
    assert "<b>why</b>" not in page.text
    assert "Say why." in page.text
    action = page.text.partition('action="')[2].partition('"')[0]
    assignment = page.text.partition('name="assignmentId" value="')[2].partition('"')[0]

    def send(fields: list[tuple[str, str]]) -> requests.Response:
        return worker.session.post(action, data=[("assignmentId", assignment), *fields])

    for fields, word in (
        ([("why", "x")], "Which fish?"),
        ([("fish", "x")], "1 to 1 of the choices"),
        ([("fish", "g"), ("fish", "k")], "1 to 1 of the choices"),
        ([("fish", "g"), ("why", "x" * 21)], "at most 20 characters"),
    ):
        answer = send(fields)
        assert (answer.status_code, word in answer.text) == (400, True)
    assert send([*RIGHT, ("other", "x")]).status_code == 200
    [work] = requester.list_assignments_for_hit(HITId=hit)["Assignments"]
    assert (
        "<QuestionIdentifier>parts</QuestionIdentifier><SelectionIdentifier>f"
        "</SelectionIdentifier><SelectionIdentifier>s</SelectionIdentifier></Answer>"
    ) in work["Answer"]
    assert "<FreeText>It &lt;shines&gt;.</FreeText>" in work["Answer"]
    assert "other" not in work["Answer"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<Text>It is golden.</Text>", "<Binary/>"),
        ("<Title>Two fishes</Title>", "<Link><Url>javascript:1</Url></Link>"),
        ("FreeTextAnswer", "FileUploadAnswer"),
        ("<QuestionIdentifier>parts<", "<QuestionIdentifier>fish<"),
        ("<QuestionIdentifier>parts<", "<QuestionIdentifier>assignmentId<"),
        ("<QuestionIdentifier>parts<", "<QuestionIdentifier><"),
        ("<Text>Koi</Text>", ""),
        ("<Selections>", "<Selections><OtherSelection/>"),
        ("Overview>", "Elsewhere>"),
    ],
)
def test_forms_that_are_not_shown(requester: Any, old: str, new: str) -> None:
    assert old in FORM
    form = FORM.replace(old, new)
    assert refused(requester.create_hit, **hit_values(form)) == "InvalidParameterValue"


def test_a_form_of_nothing() -> None:
    with pytest.raises(ApiError, match="no Question"):
        read_form("<QuestionForm/>")


def mapped(mapping: str) -> str:
    start = KEY.index("<QualificationValueMapping>") + len("<QualificationValueMapping>")
    return KEY[:start] + mapping + KEY[KEY.index("</QualificationValueMapping>") :]


RANGES = (
    "<RangeMapping><SummedScoreRange><InclusiveLowerBound>2</InclusiveLowerBound>"
    "<InclusiveUpperBound>3</InclusiveUpperBound><QualificationValue>7</QualificationValue>"
    "</SummedScoreRange><OutOfRangeQualificationValue>-5</OutOfRangeQualificationValue>"
    "</RangeMapping>"
)
SCALE = "<ScaleMapping><SummedScoreMultiplier>2.5</SummedScoreMultiplier></ScaleMapping>"
SCORES = [  # fish, parts, score
    (["g"], ["f", "s"], 3), (["g"], ["s", "f"], 3), (["g"], ["f"], 1), (["k"], ["f", "s"], 1),
    ([], [], -1), (["g"], ["f", "h", "s"], 1),
]  # fmt: skip


@pytest.mark.parametrize(("fish", "parts", "score"), SCORES)
def test_what_answers_are_worth(fish: list[str], parts: list[str], score: int) -> None:
    fields = {"fish": fish, "parts": parts}
    start = KEY.index("<QualificationValueMapping>")
    plain = KEY[:start] + "</AnswerKey>"
    assert read_answer_key(plain).value(fields) == score
    assert read_answer_key(KEY).value(fields) == {3: 100, 1: 33, -1: -33}[score]
    assert read_answer_key(mapped(RANGES)).value(fields) == {3: 7, 1: -5, -1: -5}[score]
    assert read_answer_key(mapped(SCALE)).value(fields) == {3: 8, 1: 3, -1: -3}[score]


@pytest.mark.parametrize(
    "key",
    [
        "<AnswerKey/>", mapped(""), mapped("<Other/>"),
        mapped("<PercentageMapping><MaximumSummedScore>0</MaximumSummedScore></PercentageMapping>"),
        KEY.replace("<AnswerScore>2", "<AnswerScore>two"),
        KEY.replace("<DefaultScore>-1", "<DefaultScore>1e9"),
    ],
)  # fmt: skip
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(ApiError):
        read_answer_key(key)


def take(worker: Person, kind: str, fields: list[tuple[str, str]]) -> requests.Response:
    url = f"{worker.server.endpoint}/worker/qualifications"
    page = worker.session.get(url)
    csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    return worker.session.post(f"{url}/{kind}/test", data=[("csrf", csrf), *fields])


def test_a_test_is_taken_in_time_and_scored(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    with running(tmp_path / "crowd.db", clock=clock) as server:
        requester = client(server)
        scored = make(
            requester, "Fishes", Test=FORM, AnswerKey=KEY, TestDurationInSeconds=300,
            RetryDelayInSeconds=3600,
        )  # fmt: skip
        read = make(requester, "Read", Test=FORM, TestDurationInSeconds=300)
        worker = person(server, "ada")
        held = {"QualificationTypeId": scored, "WorkerId": worker_id(server, "ada")}
        assert take(worker, scored, RIGHT).status_code == 410  # it has not begun
        assert ask(worker, scored) == 200
        assert requester.list_qualification_requests()["NumResults"] == 0
        url = f"{server.endpoint}/worker/qualifications"
        assert f"{url.removeprefix(server.endpoint)}/{scored}/test" in worker.session.get(url).text
        assert "Two fishes" in worker.session.get(f"{url}/{scored}/test").text
        clock.advance(timedelta(seconds=299.9))
        missing = take(worker, scored, [("why", "x")])
        assert (missing.status_code, "is not answered" in missing.text) == (400, True)
        assert take(worker, scored, RIGHT).status_code == 200
        score = requester.get_qualification_score(**held)["Qualification"]
        assert score["IntegerValue"] == 100
        assert take(worker, scored, RIGHT).status_code == 410  # once
        clock.advance(timedelta(seconds=3600))
        assert ask(worker, scored) == 200  # for a better score, after the delay
        clock.advance(timedelta(seconds=300))
        assert take(worker, scored, RIGHT).status_code == 410  # too late
        assert requester.get_qualification_score(**held)["Qualification"]["IntegerValue"] == 100
        assert ask(worker, read) == 200
        assert take(worker, read, RIGHT).status_code == 200
        [asked] = requester.list_qualification_requests()["QualificationRequests"]
        assert asked["Test"] == FORM
        assert "<SelectionIdentifier>g</SelectionIdentifier>" in asked["Answer"]
        requester.accept_qualification_request(
            QualificationRequestId=asked["QualificationRequestId"], IntegerValue=50
        )
        held["QualificationTypeId"] = read
        assert requester.get_qualification_score(**held)["Qualification"]["IntegerValue"] == 50
