"""Threats to the requester's page: who is let in, for how long, and whose forms are believed."""

import hmac
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.routing import Route
from support.crowd import Person, Running, running
from support.requester import Requester, csrf_of

from replicate.crowdserver import names as ids
from replicate.crowdserver.admin import add_key, invite
from replicate.crowdserver.app import routes_of
from replicate.crowdserver.clocks import SandboxClock
from replicate.crowdserver.database import Database
from replicate.crowdserver.keys import revoke_key
from replicate.crowdserver.requester_images import ImageAddresses
from replicate.crowdserver.requester_session import COOKIE
from replicate.crowdserver.site import Site
from replicate.web import sessions, signing
from replicate.web.pictures import Pictures

# Forms that no session stands behind, and what does instead.
WITHOUT_A_SESSION = {
    "/": "each request is signed",
    "/mturk/externalSubmit": "the assignment's id is a secret of its worker",
    "/worker/assignments/{assignment}/draft": "the assignment's id is a secret of its worker",
    "/requester/sign-in": "has a token of the browser that was shown the form",
    "/sandbox/clock": "only in a sandbox",
    "/sandbox/faults": "only in a sandbox",
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    """All addresses of the server: none can be added without these tests looking at it."""
    database = Database(tmp_path_factory.mktemp("routes") / "crowd.db")
    found = routes_of(Site(database, SandboxClock(database), Pictures(None)))
    database.close()
    return found


@pytest.fixture
def owner(server: Running) -> Requester:
    return Requester(server, add_key(server.db)).sign_in()


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "X", path)


def test_nothing_of_a_requester_without_a_key(server: Running, routes: list[Route]) -> None:
    paths = [r.path for r in routes if r.path.startswith("/requester") and "GET" in r.methods]
    assert len(paths) > 8
    forged = f"{add_key(server.db)[0]}-{2**41}-{'0' * 32}.{'0' * 32}"
    for path in paths:
        for cookie in ("", "x", "a-b-c.d", forged):
            url = server.endpoint + filled(path)
            answer = requests.get(url, cookies={COOKIE: cookie}, allow_redirects=False)
            if path == "/requester/sign-in":
                assert answer.status_code == 200
            elif path.startswith("/requester/images"):
                assert answer.status_code == 404
            else:
                assert answer.headers["location"] == "/requester/sign-in", path
                assert answer.text == ""


def test_a_worker_is_no_requester(server: Running, owner: Requester) -> None:
    person = Person(server, invite(server.db, 1)[0])
    answer = person.session.get(f"{server.endpoint}/requester", allow_redirects=False)
    assert answer.headers["location"] == "/requester/sign-in"
    assert owner.session.get(server.worker_url).status_code == 401


def test_every_form_is_refused_without_its_token(
    server: Running, owner: Requester, routes: list[Route]
) -> None:
    person = Person(server, invite(server.db, 1)[0])
    forms = [r.path for r in routes if "POST" in (r.methods or ())]
    assert set(WITHOUT_A_SESSION) <= set(forms)
    others = Requester(server, owner.key).sign_in().get().text
    for path in set(forms) - set(WITHOUT_A_SESSION):
        session = owner.session if path.startswith("/requester") else person.session
        for fields in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": csrf_of(others)}):
            url = server.endpoint + filled(path)
            answer = session.post(url, data=fields, allow_redirects=False)
            assert answer.status_code == 403, (path, fields)
    assert owner.get().status_code == 200  # still signed in


def test_nobody_is_signed_in_by_another_site(server: Running) -> None:
    theirs = Requester(server, add_key(server.db))
    csrf = csrf_of(theirs.get("/sign-in").text)
    victim = Requester(server, theirs.key)
    data = {"csrf": csrf, "key": theirs.key[0], "secret": theirs.key[1]}
    answer = victim.session.post(f"{victim.root}/sign-in", data=data, allow_redirects=False)
    assert answer.status_code == 403
    assert COOKIE not in victim.session.cookies
    assert victim.try_to_sign_in(csrf=csrf).status_code == 403  # with a mark of its own, too


def test_a_planted_session_is_not_taken_up(server: Running) -> None:
    attacker = Requester(server, add_key(server.db, "attacker")).sign_in()
    planted = attacker.session.cookies[COOKIE]
    victim = Requester(server, add_key(server.db))
    page = victim.get("/sign-in")  # another tab, from before
    victim.session.cookies.set(COOKIE, planted, path="/requester")
    data = {"csrf": csrf_of(page.text), "key": victim.key[0], "secret": victim.key[1]}
    answer = victim.session.post(f"{victim.root}/sign-in", data=data, allow_redirects=False)
    given = answer.cookies[COOKIE]
    assert given != planted
    assert given.startswith(victim.key[0])
    assert Requester(server, victim.key).sign_in().session.cookies[COOKIE] != given


def test_a_session_ends_by_itself(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db", sandbox=True) as server:
        found = Requester(server, add_key(server.db)).sign_in()
        server.advance(sessions.HOURS * 3600 - 60)
        assert found.get(allow_redirects=False).status_code == 200
        server.advance(120)
        assert found.get(allow_redirects=False).status_code == 303


def test_signing_out_ends_all_sessions_of_the_key(server: Running) -> None:
    key = add_key(server.db)
    first, second = Requester(server, key).sign_in(), Requester(server, key).sign_in()
    kept = second.session.cookies[COOKIE]
    csrf = csrf_of(first.get().text)
    assert first.session.post(f"{first.root}/sign-out", data={"csrf": csrf}).status_code == 200
    assert second.get(allow_redirects=False).status_code == 303
    again = requests.get(second.root, cookies={COOKIE: kept}, allow_redirects=False)
    assert again.status_code == 303
    assert Requester(server, key).sign_in().get().status_code == 200


def test_a_revoked_key_ends_its_sessions(server: Running) -> None:
    key = add_key(server.db)
    found = Requester(server, key).sign_in()
    revoke_key(server.db, key[0])
    assert found.get(allow_redirects=False).status_code == 303
    assert Requester(server, key).try_to_sign_in().status_code == 403


def test_the_servers_own_key_does_not_make_a_session(server: Running) -> None:
    """A sandbox's key follows from its seed, so it is known to all."""
    key = add_key(server.db)
    database = Database(server.db, 3)
    server_key = database.key
    database.close()
    now = 2.0e9
    forged = sessions.begin(server_key, key[0], "not the secret", now).cookie
    assert sessions.resume(server_key, "not the secret", forged, now) is not None
    assert sessions.resume(server_key, key[1], forged, now) is None
    answer = requests.get(f"{server.endpoint}/requester", cookies={COOKIE: forged})
    assert "Sign in" in answer.text


def test_guessing_secrets_is_slowed_down(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db") as server:
        key = add_key(server.db)
        good = Requester(server, key).sign_in()
        codes = [Requester(server, (key[0], "x")).try_to_sign_in().status_code for _ in range(13)]
        assert codes[:10] == [403] * 10
        assert codes[-1] == 429
        late = Requester(server, key).try_to_sign_in()  # even with the right one
        assert late.status_code == 429
        assert int(late.headers["retry-after"]) > 0
        assert good.get().status_code == 200  # who is signed in goes on


def test_a_wrong_key_and_a_wrong_secret_look_alike(server: Running) -> None:
    key = add_key(server.db)
    answers = [
        Requester(server, pair).try_to_sign_in() for pair in ((key[0], "x"), ("RPLNONE", key[1]))
    ]
    texts = [re.sub(r'value="\w+"', "", answer.text) for answer in answers]
    assert texts[0] == texts[1]
    assert {answer.status_code for answer in answers} == {403}
    assert key[1] not in texts[0]


def test_secrets_are_compared_in_constant_time(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []
    right = hmac.compare_digest

    def watch(first: Any, second: Any) -> bool:
        compared.extend(v if isinstance(v, bytes) else v.encode() for v in (first, second))
        return right(first, second)

    key = add_key(server.db)
    monkeypatch.setattr(hmac, "compare_digest", watch)
    Requester(server, (key[0], "guess")).try_to_sign_in()
    assert key[1].encode() in compared and b"guess" in compared
    compared.clear()
    Requester(server, ("RPLNONE", "guess")).try_to_sign_in()  # the same is done without a key
    assert b"guess" in compared
    compared.clear()
    signing.unsigned(b"k", "worker", "A1.0000")
    signing.form_token_holds(b"k", "A1", "given")
    addresses = ImageAddresses()
    addresses.read("9999999999", "a" * 64, "mark", 0.0)
    assert {b"A1.0000", b"given", b"mark"} <= set(compared)


def test_cookies_are_for_this_server_and_its_pages_alone(server: Running) -> None:
    link = invite(server.db, 1)[0]
    worker = requests.get(link, allow_redirects=False).headers["set-cookie"].lower()
    found = Requester(server, add_key(server.db))
    before = found.get("/sign-in").headers["set-cookie"].lower()
    after = found.try_to_sign_in().headers["set-cookie"].lower()
    for cookie, same_site in ((worker, "lax"), (before, "strict"), (after, "strict")):
        assert "httponly" in cookie
        assert f"samesite={same_site}" in cookie
        assert "domain=" not in cookie
    assert "path=/requester;" in after


def test_invitations_and_names_are_kept_as_hashes(tmp_path: Path) -> None:
    db = tmp_path / "crowd.db"
    link = invite(db, names=["ada.lovelace@example.org"], base_url="http://crowd")[0]
    token = link.rpartition("/")[2]
    database = Database(db)
    worker = ids.worker_id(database.key, "ada.lovelace@example.org")
    database.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert worker.encode() in kept
    assert token.encode() not in kept
    assert b"lovelace" not in kept
