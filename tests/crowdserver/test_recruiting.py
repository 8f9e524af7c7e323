"""Participants of recruiting platforms: they come by a link and leave with a code."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import requests
from support.command import replicate
from support.crowd import Person, Running, hit_values, running

from replicate.base.errors import UsageError
from replicate.crowdserver.recruiting import recruit

PID = "5f1e2d3c4b5a69788796a5b4"
CODE = "C0DE-<&7>"


def prolific(link: str, pid: str = PID) -> str:
    """What the platform makes of the link for a participant."""
    for name, value in [("PROLIFIC_PID", pid), ("STUDY_ID", "s1"), ("SESSION_ID", "x1")]:
        link = link.replace("{{%" + name + "%}}", value)
    return link


def page(person: Person, path: str) -> requests.Response:
    return person.session.get(person.server.endpoint + path)


@pytest.fixture
def hits(requester: Any) -> list[str]:
    made = [requester.create_hit(**hit_values(MaxAssignments=3)) for _ in range(4)]
    return [hit["HIT"]["HITId"] for hit in made]


def test_from_the_platform_to_the_code_and_back(server: Running, hits: list[str]) -> None:
    made = recruit(server.db, "from to", CODE, hits_per_worker=2)
    assert re.fullmatch(
        re.escape(server.endpoint) + r"/recruit/\w{32}\?PROLIFIC_PID=\{\{%PROLIFIC_PID%\}\}"
        r"&STUDY_ID=\{\{%STUDY_ID%\}\}&SESSION_ID=\{\{%SESSION_ID%\}\}",
        made.link,
    )
    person = Person(server, prolific(made.link))
    assert "0 of 2 HITs sent in" in person.home()
    seen = [person.home()]
    for number, hit in enumerate(hits[:2]):
        early = page(person, "/worker/finish")
        assert early.status_code == 200
        assert f"{2 - number} HIT" in early.text and "missing until you get" in early.text
        seen.append(early.text)
        paper = person.accept(hit)
        seen += [paper.text, person.home(), page(person, "/worker/finish").text]
        seen.append(person.session.get(paper.url.partition("?")[0] + "/return").text)
        assert person.submit(paper, answer="{}").status_code == 200
    assert not any("C0DE" in text for text in seen)
    home = person.home()
    assert "You have done all your HITs" in home
    assert "Get your completion code" in home
    assert not person.hits()
    refused = person.accept(hits[2])
    assert (refused.status_code, "done all your HITs" in refused.text) == (409, True)
    done = page(person, "/worker/finish").text
    assert "C0DE-&lt;&amp;7&gt;" in done
    back = "https://app.prolific.com/submissions/complete?cc=C0DE-%3C%267%3E"
    assert f'<a class="button" href="{back}"' in done
    again = recruit(server.db, "from to", CODE, hits_per_worker=2)
    assert (again.joined, again.completed) == (1, 1)


def test_the_same_id_is_the_same_worker(server: Running, hits: list[str], requester: Any) -> None:
    first = recruit(server.db, "same", "one", hits_needed=1)
    second = recruit(server.db, "same id elsewhere", "two", hits_needed=1)
    changed = recruit(server.db, "same", "other code", hits_needed=1)
    assert first.link == changed.link != second.link
    pid = "aaaabbbbccccdddd00001111"
    person = Person(server, prolific(first.link, pid))
    person.do(hits[0])
    assert "other code" in page(person, "/worker/finish").text
    # The tab was closed, and the platform opens the link on another machine.
    later = Person(server, prolific(first.link, pid))
    assert later.accept(hits[0]).status_code == 409
    assert "1 of 1 HITs sent in" in later.home()
    # Another study of the same platform: the same person, but nothing done for it yet.
    elsewhere = Person(server, prolific(second.link, pid))
    assert hits[0] not in elsewhere.hits()
    assert "0 of 1 HITs sent in" in elsewhere.home()
    assert "two" not in page(elsewhere, "/worker/finish").text
    elsewhere.do(hits[1])
    workers = {
        requester.list_assignments_for_hit(HITId=hit)["Assignments"][0]["WorkerId"]
        for hit in hits[:2]
    }
    assert len(workers) == 1
    other = Person(server, prolific(first.link, "b" * 24))
    assert "0 of 1 HITs sent in" in other.home()


def test_a_link_without_an_id_says_so(server: Running) -> None:
    link = recruit(server.db, "no id", "code").link
    bare = link.partition("?")[0]
    ids = ["", "a%20b", "a" * 129, "{{%PROLIFIC_PID%}}", "%3Cscript%3E", "a%0A"]
    wrong = ["", "?STUDY_ID=1", *(f"?PROLIFIC_PID={one}" for one in ids)]
    for query in wrong:
        answer = requests.get(bare + query, allow_redirects=False)
        assert answer.status_code == 400, query
        assert "PROLIFIC_PID" in answer.text and "once more" in answer.text
        assert "set-cookie" not in answer.headers
        assert "<script>" not in answer.text
    unknown = requests.get(f"{server.endpoint}/recruit/{'0' * 32}?PROLIFIC_PID={PID}")
    assert (unknown.status_code, "does not work" in unknown.text) == (404, True)


def test_other_platforms_use_other_names(server: Running, hits: list[str]) -> None:
    made = recruit(
        server.db, "sona", "tok", hits_needed=1, parameters=["survey_code=%SURVEY_CODE%", "x="],
        completion_url="https://uni.sona-systems.com/credit?token={code}&survey_code={survey_code}",
    )  # fmt: skip
    assert made.link.endswith("?survey_code=%SURVEY_CODE%")
    person = Person(server, made.link.replace("%SURVEY_CODE%", "31415@x"))
    person.do(hits[0])
    back = "https://uni.sona-systems.com/credit?token=tok&amp;survey_code=31415%40x"
    assert f'href="{back}"' in page(person, "/worker/finish").text
    # A browser that has lost what the way back needs shows the code alone.
    del person.session.cookies["replicate_platform"]
    alone = page(person, "/worker/finish").text
    assert "tok" in alone and "sona-systems" not in alone
    assert b"31415" not in server.db.read_bytes()


def test_who_was_invited_has_no_code(server: Running) -> None:
    from replicate.crowdserver.admin import invite

    person = Person(server, invite(server.db, names=["no code"])[0])
    assert page(person, "/worker/finish").url == server.worker_url
    assert "/worker/finish" not in person.home()


def test_no_platform_id_is_kept_anywhere(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    pid, name = "5a5a5a5a5a5a5a5a5a5a5a5a", "Ada Lovelace"
    with running(tmp_path / "crowd.db", access_log=str(log), sandbox=True, seed=1) as server:
        from support.crowd import client

        from replicate.crowdserver.admin import invite

        requester = client(server)
        hit = requester.create_hit(**hit_values())["HIT"]["HITId"]
        link = recruit(server.db, "kept nowhere", "code", parameters=["PROLIFIC_PID", "STUDY_ID"])
        study = "57d457d457d4"
        address = prolific(link.link, pid).replace("s1", study)
        for person in (Person(server, address), Person(server, invite(server.db, names=[name])[0])):
            person.do(hit)
            page(person, "/worker/work")
            page(person, "/worker/finish")
        secret = link.link.partition("?")[0].rpartition("/")[2]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"/recruit/" in log.read_bytes()
    for text in (pid, name, study, secret):
        assert text.encode() not in kept, text
    with sqlite3.connect(tmp_path / "crowd.db") as database:
        dump = "\n".join(database.iterdump())
    for text in (pid, name, study, secret):
        assert text not in dump


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"completion_code": " "}, "completion code"),
        ({"hits_needed": 3, "hits_per_worker": 2}, "send in 3 HITs"),
        ({"parameters": ["A B"]}, "'A B'"),
        ({"parameters": ["A", "A"]}, "'A'"),
        ({"parameters": ["A=x&y"]}, "x&y"),
        ({"completion_url": "javascript:alert(1)"}, "javascript"),
        ({"completion_url": "https://x.org/{cod}"}, "{cod}"),
        ({"completion_url": "https://x.org/{PID}", "parameters": ["P"]}, "{PID}"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    values = {"name": "n", "completion_code": "c", **changes}
    with pytest.raises(UsageError) as error:
        recruit(tmp_path / "none.db", **values)
    assert said in str(error.value)
    assert not (tmp_path / "none.db").exists()


def test_the_command(tmp_path: Path) -> None:
    arguments = ["crowd", "recruit", "--db", tmp_path / "c.db", "--name", "p"]
    made = replicate(
        *arguments, "--completion-code", "X", "--hits-per-worker", "4", "--hits-needed", "3",
        "--url", "https://crowd.example.org", "--json",
    ).json()  # fmt: skip
    assert made["link"].startswith("https://crowd.example.org/recruit/")
    assert (made["hits_per_worker"], made["hits_needed"], made["joined"]) == (4, 3, 0)
    assert made["completion_url"].endswith("?cc={code}")
    named = replicate(*arguments, "--completion-code", "X", "--parameter", "PROLIFIC_PID", "--json")
    assert named.json()["completion_url"] == made["completion_url"]
    assert named.json()["link"].endswith("?PROLIFIC_PID={{%PROLIFIC_PID%}}")
    refused = replicate(*arguments, "--completion-code", "X", "--completion-url", "nowhere")
    assert refused.code == 2
    assert "Traceback" not in refused.err
