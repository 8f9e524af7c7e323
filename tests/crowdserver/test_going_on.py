"""A worker goes on elsewhere, later, twice, or too late: nothing is lost, and each page says so."""

import re
from pathlib import Path
from typing import Any

import pytest
import requests
from support.crowd import (
    Person,
    Running,
    client,
    hit_values,
    html_question,
    put_images,
    running,
    simple_html,
)

from replicate.crowdserver.admin import invite


@pytest.fixture
def hit(server: Running, requester: Any) -> str:
    question = html_question(simple_html(server.digests))
    return str(requester.create_hit(**hit_values(question))["HIT"]["HITId"])


@pytest.fixture
def link(server: Running, request: pytest.FixtureRequest) -> str:
    return invite(server.db, names=[request.node.name])[0]


def images(page: requests.Response) -> list[str]:
    return re.findall(r'data-slot="\w+" src="([^"]+)"', page.text)


def says(answer: requests.Response, status: int, text: str) -> None:
    assert answer.status_code == status
    assert text in answer.text
    assert '<a class="button" href="/worker">To your HITs</a>' in answer.text


def test_on_another_browser(server: Running, link: str, hit: str) -> None:
    first = Person(server, link)
    page = first.accept(hit)
    draft = '{"state": {"selected": ["i02"]}, "spent": 1200}'
    first.session.post(page.url.partition("?")[0] + "/draft", data=draft)
    second = Person(server, link)
    assert second.hits("running") == [hit]
    again = second.accept(hit)
    assert again.url == page.url
    assert images(again) == images(page)
    assert draft in again.text
    assert second.submit(again, answer="{}").status_code == 200
    # The first browser still shows the page.
    stale = first.session.get(page.url)
    assert "You have sent this HIT in before" in stale.text
    late = first.session.post(page.url.partition("?")[0] + "/draft", data=draft)
    assert late.status_code == 204  # kept nowhere, and no harm
    says(first.submit(page, answer="other"), 409, "You have sent this HIT in")


def test_over_a_restart(tmp_path: Path) -> None:
    digests = put_images(tmp_path / "images", 3)
    options = {"images": tmp_path / "images", "sandbox": True, "seed": 3}
    with running(tmp_path / "crowd.db", **options) as server:
        question = html_question(simple_html(digests))
        hit = client(server).create_hit(**hit_values(question))["HIT"]["HITId"]
        link = invite(server.db, names=["stays"])[0]
        addresses = images(Person(server, link).accept(hit))
    with running(tmp_path / "crowd.db", **options) as server:
        urls = [server.endpoint + address for address in addresses]
        assert [requests.get(url).status_code for url in urls] == [200] * 3
        person = Person(server, link.replace(link.partition("/join")[0], server.endpoint))
        assert person.hits("running") == [hit]
        assert images(person.accept(hit)) == addresses
        server.advance(601)
        assert [requests.get(url).status_code for url in urls] == [404] * 3
    with running(tmp_path / "crowd.db", **options) as server:
        assert requests.get(server.endpoint + addresses[0]).status_code == 404


def test_a_double_click_on_accept_and_on_submit(server: Running, link: str, hit: str) -> None:
    person = Person(server, link)
    first, second = person.accept(hit), person.accept(hit)
    assert first.url == second.url
    for _ in range(2):
        assert "Your answer is stored" in person.submit(first, answer="{}").text


def test_back_after_submitting(server: Running, link: str, hit: str) -> None:
    person = Person(server, link)
    page = person.accept(hit)
    person.submit(page, answer="{}")
    assert "You have sent this HIT in before" in person.session.get(page.url).text
    asked = person.session.get(page.url.partition("?")[0] + "/return")
    assert asked.url == server.worker_url  # nothing to return any more
    says(person.accept(hit), 409, "You have done this HIT")


def test_too_late(server: Running, link: str, hit: str, requester: Any) -> None:
    person = Person(server, link)
    page = person.accept(hit)
    server.advance(601)
    says(person.submit(page, answer="{}"), 410, "The time for this HIT is over")
    says(person.session.get(page.url), 410, "The time for this HIT is over")
    others = [Person(server, one) for one in invite(server.db, 2)]
    for other in others:
        other.do(hit)
    says(person.accept(hit), 409, "no longer available")
    says(person.session.get(f"{server.endpoint}/worker/hits/{hit}"), 404, "is not available")
    assert len(requester.list_assignments_for_hit(HITId=hit)["Assignments"]) == 2


def test_in_a_second_tab_it_was_returned(server: Running, link: str, hit: str) -> None:
    person = Person(server, link)
    page = person.accept(hit)
    url = page.url.partition("?")[0]
    for _ in range(2):  # a double click
        said = person.session.post(f"{url}/return", data={"csrf": person.csrf})
        assert said.status_code == 200
    assert "You have returned the HIT" in said.text
    says(person.submit(page, answer="{}"), 410, "You have returned this HIT")
    says(person.session.get(page.url), 410, "You have returned this HIT")
