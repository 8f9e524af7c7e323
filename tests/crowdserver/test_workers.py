"""Workers at browsers without scripts, over HTTP."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from support.crowd import Person, Running, hit_values, html_question, simple_html

from replicate.base.digests import sha256_bytes
from replicate.crowdserver.admin import invite


@pytest.fixture
def person(server: Running, request: pytest.FixtureRequest) -> Person:
    return Person(server, invite(server.db, names=[request.node.name])[0])


@pytest.fixture
def hit(server: Running, requester: Any, request: pytest.FixtureRequest) -> str:
    question = html_question(simple_html([*server.digests, server.digests[0]]))
    values = hit_values(question, UniqueRequestToken=request.node.name[:64])
    return str(requester.create_hit(**values)["HIT"]["HITId"])


def images(page: requests.Response) -> list[str]:
    return re.findall(r'data-slot="\w+" src="([^"]+)"', page.text)


def test_from_the_invitation_to_the_answer(
    server: Running, requester: Any, person: Person, hit: str
) -> None:
    assert hit in person.hits()
    page = person.accept(hit)
    assert page.status_code == 200
    assert person.hits("running") == [hit]
    got = [person.session.get(server.endpoint + url) for url in images(page)]
    assert [sha256_bytes(answer.content) for answer in got[:-1]] == server.digests
    assert {answer.headers["content-type"] for answer in got} == {"image/png"}
    assert "replicate-image" not in page.text
    sent = person.submit(page, answer='{"a": "<&\'\r\n"}', other="x")
    assert "Your answer is stored" in sent.text
    assert hit not in person.hits() + person.hits("running")
    stored = requester.list_assignments_for_hit(HITId=hit)["Assignments"][0]
    assert "<FreeText>{&quot;" not in stored["Answer"]
    assert '{"a": "&lt;&amp;\'&#13;\n"}' in stored["Answer"]
    assert stored["WorkerId"].startswith("A")


def test_image_addresses_tell_nothing_and_end(
    server: Running, person: Person, hit: str, requester: Any
) -> None:
    other = Person(server, invite(server.db, names=["another"])[0])
    mine, theirs = images(person.accept(hit)), images(other.accept(hit))
    tokens = [url.rpartition("/")[2] for url in mine + theirs]
    assert len(set(tokens)) == len(tokens) == 14  # the repeated image has an address of its own
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)
    swapped = mine[0].rpartition("/")[0] + "/" + theirs[0].rpartition("/")[2]
    assert requests.get(server.endpoint + swapped).status_code == 404
    for url in ("/i/", "/i/../x", "/i/a/b", mine[0] + "/x", f"/i/{server.digests[0]}"):
        assert requests.get(server.endpoint + url).status_code == 404
    page = person.accept(hit)  # again: the same assignment, the same addresses
    assert images(page) == mine
    person.submit(page, answer="{}")
    assert requests.get(server.endpoint + mine[0]).status_code == 404
    assert requests.get(server.endpoint + theirs[0]).status_code == 200


def test_one_assignment_per_worker_and_hit(
    server: Running, person: Person, hit: str, requester: Any
) -> None:
    page = person.accept(hit)
    assert person.accept(hit).url == page.url
    assert person.submit(page, answer="first").status_code == 200
    assert person.submit(page, answer="first").status_code == 200  # sent again: no harm
    assert person.submit(page, answer="second").status_code == 409
    assert person.accept(hit).status_code == 409
    found = requester.list_assignments_for_hit(HITId=hit)
    assert found["NumResults"] == 1
    assert "first" in found["Assignments"][0]["Answer"]


def test_no_more_workers_than_assignments(server: Running, hit: str) -> None:
    crew = [Person(server, link) for link in invite(server.db, 3)]
    assert [p.accept(hit).status_code for p in crew] == [200, 200, 409]
    assert hit not in crew[2].hits()
    url = f"{server.endpoint}/worker/assignments/"
    found = crew[0].accept(hit).url.partition("/assignments/")[2].partition("?")[0]
    returned = crew[0].session.get(f"{url}{found}/return")
    csrf = re.findall(r'name="csrf" value="(\w+)"', returned.text)[0]
    assert crew[1].session.post(f"{url}{found}/return", data={"csrf": csrf}).status_code == 403
    assert crew[0].session.post(f"{url}{found}/return", data={"csrf": csrf}).status_code == 200
    assert crew[2].accept(hit).status_code == 200
    assert crew[0].accept(hit).status_code == 409


def test_many_at_once_lose_nothing(server: Running, requester: Any) -> None:
    hits = [
        requester.create_hit(**hit_values(UniqueRequestToken=f"rush {n}", MaxAssignments=3))
        for n in range(3)
    ]
    ids = [made["HIT"]["HITId"] for made in hits]

    def work(link: str) -> int:
        person = Person(server, link)
        pages = [page for page in map(person.accept, ids) if page.status_code == 200]
        return sum(person.submit(page, answer=link).status_code == 200 for page in pages)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, invite(server.db, 8)))
    assert sum(done) == 9
    for hit_id in ids:
        stored = requester.list_assignments_for_hit(HITId=hit_id)["Assignments"]
        assert len({a["WorkerId"] for a in stored}) == len({a["Answer"] for a in stored}) == 3


def test_returning_and_taking_up_again(person: Person, hit: str, server: Running) -> None:
    page = person.accept(hit)
    url = page.url.partition("?")[0]
    csrf = re.findall(r'name="csrf" value="(\w+)"', person.session.get(f"{url}/return").text)[0]
    person.session.post(f"{url}/return", data={"csrf": csrf})
    assert person.submit(page, answer="{}").status_code == 410
    assert requests.get(server.endpoint + images(page)[0]).status_code == 404
    assert hit in person.hits()
    again = person.accept(hit)
    assert again.status_code == 200
    assert images(again) != images(page)
    assert person.submit(again, answer="{}").status_code == 200


def test_a_closed_tab_can_be_opened_again(person: Person, hit: str, server: Running) -> None:
    page = person.accept(hit)
    url = page.url.partition("?")[0]
    assert '<script type="application/json" id="replicate-draft">null</script>' in page.text
    draft = '{"state": "</script><b>"}'
    assert person.session.post(f"{url}/draft", data=draft).status_code == 204
    assert '{"state": "\\u003c/script>\\u003cb>"}</script>' in person.session.get(url).text
    assert person.session.post(f"{url}/draft", data="{").status_code == 400
    assert person.session.post(f"{url}/draft", data='"' + "x" * 20_001 + '"').status_code == 400


def test_submissions_that_hold_nothing(person: Person, hit: str, server: Running) -> None:
    page = person.accept(hit)
    assert person.submit(page).status_code == 400
    url = f"{server.endpoint}/mturk/externalSubmit"
    for fields in ({"answer": "{}"}, {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "a": "b"}):
        assert requests.post(url, data=fields).status_code == 400
    assert requests.post(url, data={"assignmentId": "3NONE", "a": "b"}).status_code == 404
    assert person.submit(page, answer="{}").status_code == 200


def test_a_preview_shows_no_image(person: Person, hit: str, server: Running) -> None:
    page = person.session.get(f"{server.endpoint}/worker/hits/{hit}")
    frame = re.findall(r'<iframe src="([^"]+)" sandbox="allow-scripts"', page.text)[0]
    preview = person.session.get(server.endpoint + frame.replace("&amp;", "&"))
    assert preview.status_code == 200
    assert {url[:19] for url in images(preview)} == {"data:image/svg+xml,"}
    assert 'name="assignmentId" value="ASSIGNMENT_ID_NOT_AVAILABLE"' in preview.text


def test_invitations_name_workers(server: Running) -> None:
    first = invite(server.db, names=["ada", "bob"])
    assert invite(server.db, names=["bob", "ada"]) == first[::-1]
    assert first[0].startswith(f"{server.endpoint}/join/")
    numbered = invite(server.db, 2) + invite(server.db, 2)
    assert len(set(numbered + first)) == 6
    assert b"ada" not in server.db.read_bytes()
    wrong = requests.get(f"{server.endpoint}/join/made-up")
    assert (wrong.status_code, "invitation" in wrong.text) == (404, True)
