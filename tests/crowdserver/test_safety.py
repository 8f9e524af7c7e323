"""What nobody may do: other people's pages, other sites' forms, a question's scripts."""

import re
from typing import Any

import pytest
import requests
from support.crowd import Person, Running, hit_values, html_question

from replicate.crowdserver.admin import invite

NASTY = "<script>steal()</script>\"'"


@pytest.fixture(scope="module")
def hit(server: Running, requester: Any) -> str:
    html = f"<form action='/mturk/externalSubmit'><input name=assignmentId>{NASTY}</form>"
    values = hit_values(html_question(html), Title=NASTY, Description=NASTY, MaxAssignments=9)
    return str(requester.create_hit(**values)["HIT"]["HITId"])


def test_without_an_invitation_there_is_nothing_to_see(server: Running, hit: str) -> None:
    for path in ("/worker", f"/worker/hits/{hit}", f"/worker/hits/{hit}/question"):
        for cookie in ("", "A1.0000", "x", "A1"):
            answer = requests.get(server.endpoint + path, cookies={"replicate_worker": cookie})
            assert answer.status_code == 401, path
            assert hit not in answer.text
    assert requests.post(f"{server.endpoint}/worker/hits/{hit}/accept").status_code == 401


def test_no_page_of_another_worker(server: Running, hit: str) -> None:
    first, second = (Person(server, link) for link in invite(server.db, 2))
    url = first.accept(hit).url
    assert first.session.get(url).status_code == 200
    assert second.session.get(url).status_code == 404
    assert second.session.get(url.partition("?")[0] + "/return").status_code == 404


def test_forms_of_other_sites_are_refused(server: Running, hit: str) -> None:
    first, second = (Person(server, link) for link in invite(server.db, 2))
    csrf = re.findall(r'name="csrf" value="(\w+)"', second.home())[0]
    url = f"{server.endpoint}/worker/hits/{hit}/accept"
    for fields in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": csrf}):
        assert first.session.post(url, data=fields).status_code == 403
    assert first.hits("running") == []


def test_text_of_a_requester_is_escaped_on_our_pages(server: Running, hit: str) -> None:
    person = Person(server, invite(server.db, 1)[0])
    for path in ("/worker", f"/worker/hits/{hit}"):
        answer = person.session.get(server.endpoint + path)
        assert "steal()" in answer.text
        assert "<script>" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy


def test_a_question_runs_in_a_sandbox(server: Running, hit: str) -> None:
    person = Person(server, invite(server.db, 1)[0])
    page = person.accept(hit)
    assert "<script>steal()" in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-forms allow-scripts ")
    assert "allow-same-origin" not in policy
    assert f"form-action {server.endpoint};" in policy
    assert "frame-ancestors 'none'" in policy


def test_headers_of_every_page(server: Running, hit: str) -> None:
    person = Person(server, invite(server.db, 1)[0])
    urls = [person.accept(hit).url, server.worker_url, f"{server.endpoint}/nothing"]
    for url in urls:
        headers = person.session.get(url).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_the_session_cookie_is_out_of_reach(server: Running) -> None:
    link = invite(server.db, 1)[0]
    cookie = requests.get(link, allow_redirects=False).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_large_bodies_and_odd_hosts(server: Running, hit: str) -> None:
    for path in ("/", "/mturk/externalSubmit"):
        answer = requests.post(server.endpoint + path, data=b"a" * (1 << 20) + b"b")
        assert answer.status_code == 413
    person = Person(server, invite(server.db, 1)[0])
    url = person.accept(hit).url
    cookies = requests.utils.dict_from_cookiejar(person.session.cookies)  # whatever the host
    odd = requests.get(url, headers={"Host": "x;script-src *"}, cookies=cookies)
    assert odd.status_code == 400


def test_the_database_is_for_its_owner_alone(server: Running) -> None:
    assert server.db.stat().st_mode & 0o077 == 0
