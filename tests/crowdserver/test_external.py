"""ExternalQuestion: which pages are taken, and what surrounds them."""

from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.crowd import Running, hit_values

from .calls import person, refused, worker_id

SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/"
    "ExternalQuestion.xsd"
)
URL = "https://lab.example.org:8443/task?study=a&amp;arm=2"


def external(url: str = URL, height: str = "600") -> str:
    return (
        f'<ExternalQuestion xmlns="{SCHEMA}"><ExternalURL>{url}</ExternalURL>'
        f"<FrameHeight>{height}</FrameHeight></ExternalQuestion>"
    )


@pytest.mark.parametrize(
    "question",
    [
        external("http://lab.example.org/"),
        external("ftp://lab.example.org/"),
        external("javascript:alert(1)"),
        external("data:text/html,x"),
        external("//lab.example.org/"),
        external("https://"),
        external("https:///path"),
        external("https://user@lab.example.org/"),
        external("https://lab.example.org;script-src/"),
        external("https://lab.example.org:99999/"),
        external("https://lab.example.org:x/"),
        external("https://[::1/"),
        external("https://lab.example.org/a b"),
        external("https://lab.example.org/é"),
        external("https://lab.example.org/" + "x" * 2048),
        external(""),
        external(height="tall"),
        external(height="-1"),
        external(height="1000000"),
        f'<ExternalQuestion xmlns="{SCHEMA}"/>',
        "<ExternalQuestion><ExternalURL>https://a.org</ExternalURL></ExternalQuestion>",
        external().replace("2006-07-14", "1999-01-01"),
    ],
)
def test_pages_that_are_not_shown(requester: Any, question: str) -> None:
    assert refused(requester.create_hit, **hit_values(question)) == "InvalidParameterValue"


def frame(text: str) -> tuple[str, str, dict[str, list[str]]]:
    """A frame's address without its query, its rights, and its query."""
    found = unescape(text.partition('<iframe src="')[2].partition('"')[0])
    parts = urlsplit(found)
    rights = text.partition('sandbox="')[2].partition('"')[0]
    return f"{parts.scheme}://{parts.netloc}{parts.path}", rights, parse_qs(parts.query)


def test_the_frame_and_its_policy(server: Running, requester: Any) -> None:
    hit = requester.create_hit(**hit_values(external()))["HIT"]["HITId"]
    worker = person(server, "external")
    answer = worker.session.get(f"{server.endpoint}/worker/hits/{hit}/question")
    address, _, query = frame(answer.text)
    assert address == "https://lab.example.org:8443/task"
    assert query == {
        "study": ["a"], "arm": ["2"], "hitId": [hit],
        "assignmentId": ["ASSIGNMENT_ID_NOT_AVAILABLE"],
    }  # fmt: skip
    page = worker.accept(hit)
    address, rights, query = frame(page.text)
    assert query["workerId"] == [worker_id(server, "external")]
    assert query["turkSubmitTo"] == [server.endpoint]
    assert "allow-same-origin" in rights
    assert "allow-top-navigation " not in f"{rights} "
    policies = [part.split() for part in page.headers["content-security-policy"].split("; ")]
    policy = {name: values for name, *values in policies}
    assert policy["frame-src"] == ["'self'", "https://lab.example.org:8443"]
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert "script-src" not in policy
    sent = worker.session.post(
        f"{query['turkSubmitTo'][0]}/mturk/externalSubmit",
        data={"assignmentId": query["assignmentId"][0], "mood": "good"},
    )
    assert sent.status_code == 200
    assert 'href="/worker?said=saved" target="_top"' in sent.text
    assert "frame-ancestors 'self'" in sent.headers["content-security-policy"]
    found = requester.list_assignments_for_hit(HITId=hit)["Assignments"]
    assert "<QuestionIdentifier>mood</QuestionIdentifier>" in found[0]["Answer"]


def test_a_page_of_our_own_gets_no_rights_of_ours(server: Running, requester: Any) -> None:
    question = external(f"{server.endpoint}/worker", "0")
    hit = requester.create_hit(**hit_values(question))["HIT"]["HITId"]
    _, rights, _ = frame(person(server, "own page").accept(hit).text)
    assert "allow-scripts" in rights
    assert "allow-same-origin" not in rights
