"""A worker's own work: seen, withdrawn, left behind; limits; signing out."""

import re
import sqlite3
from typing import Any

import pytest
import requests
from support.crowd import Person, Running, client, hit_values, running

from replicate.crowdserver.admin import invite
from replicate.crowdserver.allowance import Limits
from replicate.crowdserver.recruiting import recruit
from replicate.crowdserver.tables import Base


@pytest.fixture
def person(server: Running, request: pytest.FixtureRequest) -> Person:
    return Person(server, invite(server.db, names=[request.node.name])[0])


def make(requester: Any, **changes: Any) -> str:
    return str(requester.create_hit(**hit_values(**changes))["HIT"]["HITId"])


def page(person: Person, path: str) -> requests.Response:
    return person.session.get(person.server.endpoint + path)


def press(person: Person, path: str, **fields: str) -> requests.Response:
    """Open a page that asks, and say yes."""
    csrf = re.findall(r'name="csrf" value="(\w+)"', page(person, path).text)[0]
    url = person.server.endpoint + path
    return person.session.post(url, data={"csrf": csrf, **fields})


def answers(requester: Any, hit: str) -> list[dict[str, Any]]:
    return list(requester.list_assignments_for_hit(HITId=hit)["Assignments"])


def test_what_was_sent_in_and_what_it_is_worth(
    server: Running, requester: Any, person: Person
) -> None:
    titles = {"approved": "0.10", "rejected": "0.20", "waiting": "0.30"}
    done = {}
    for title, reward in titles.items():
        hit = make(requester, Title=f"<b>{title}</b>", Reward=reward)
        done[title] = person.do(hit)
    requester.approve_assignment(AssignmentId=done["approved"], RequesterFeedback="Well <done>")
    requester.reject_assignment(AssignmentId=done["rejected"], RequesterFeedback="Too fast")
    worker = requester.get_assignment(AssignmentId=done["approved"])["Assignment"]["WorkerId"]
    requester.send_bonus(
        WorkerId=worker, AssignmentId=done["approved"], BonusAmount="0.05", Reason="r"
    )
    text = page(person, "/worker/work").text
    assert "<dt>Sent in</dt><dd>3</dd>" in text
    assert "<dt>Approved</dt><dd>$0.10</dd>" in text
    assert "<dt>Waiting for a decision</dt><dd>$0.30</dd>" in text
    assert "<dt>Bonuses</dt><dd>$0.05</dd>" in text
    assert re.findall(r'class="state (\w+)"', text) == ["submitted", "rejected", "approved"]
    assert "“Well &lt;done&gt;”" in text and "“Too fast”" in text
    assert "<b>" not in text
    other = Person(server, invite(server.db, 1)[0])
    assert "You have not sent in anything yet" in page(other, "/worker/work").text


def test_one_piece_is_withdrawn(server: Running, requester: Any, person: Person) -> None:
    hit = make(requester, MaxAssignments=2)
    other = Person(server, invite(server.db, 1)[0])
    mine, theirs = person.do(hit, "my secret"), other.do(hit, "another")
    requester.approve_assignment(AssignmentId=mine)
    path = f"/worker/assignments/{mine}/withdraw"
    assert page(other, path).status_code == 404
    assert person.session.post(server.endpoint + path).status_code == 403
    stolen = re.findall(r'name="csrf" value="(\w+)"', page(person, path).text)[0]
    forged = other.session.post(server.endpoint + path, data={"csrf": stolen})
    assert forged.status_code == 403
    said = press(person, path)
    assert "Your answer has been deleted here" in said.text
    assert press(person, path).status_code == 200  # once more: no harm
    found = {row["AssignmentId"]: row for row in answers(requester, hit)}
    assert set(found) == {mine, theirs}
    assert found[mine]["AssignmentStatus"] == "Approved"  # what was to be paid stays so
    assert re.findall(
        "<QuestionIdentifier>(.*?)</QuestionIdentifier><FreeText>(.*?)</FreeText>",
        found[mine]["Answer"],
    ) == [("withdrawn", "true")]
    assert "another" in found[theirs]["Answer"]
    assert requester.get_hit(HITId=hit)["HIT"]["NumberOfAssignmentsAvailable"] == 0
    with sqlite3.connect(server.db) as database:
        assert "my secret" not in "\n".join(database.iterdump())
    text = page(person, "/worker/work").text
    assert "You withdrew your answer" in text
    assert path not in text
    assert person.accept(hit).status_code == 409


def test_everything_is_withdrawn(server: Running, requester: Any, person: Person) -> None:
    hits = [make(requester) for _ in range(3)]
    for hit in hits:
        person.do(hit, "all mine")
    bystander = Person(server, invite(server.db, 1)[0])
    bystander.do(hits[0], "not mine")
    press(person, "/worker/withdraw")
    found = [row["Answer"] for hit in hits for row in answers(requester, hit)]
    assert sum("withdrawn" in answer for answer in found) == 3
    assert sum("not mine" in answer for answer in found) == 1
    assert not any("all mine" in answer for answer in found)


@pytest.mark.parametrize("work", ["keep", "withdraw"])
def test_who_leaves_is_forgotten(server: Running, requester: Any, work: str) -> None:
    link = recruit(server.db, f"leaving {work}", "code", hits_needed=1).link.partition("?")[0]
    link += f"?PROLIFIC_PID=leaves{work}"
    person = Person(server, link)
    done, begun = make(requester), make(requester)
    assignment = person.do(done, "left behind")
    old = answers(requester, done)[0]["WorkerId"]
    requester.notify_workers(Subject="s", MessageText="m", WorkerIds=[old])
    paper = person.accept(begun)
    cookies = person.session.cookies.copy()
    assert "Get your completion code first" in page(person, "/worker/leave").text
    said = press(person, "/worker/leave", work=work)
    assert "You have left" in said.text
    assert page(person, "/worker").status_code == 401
    elsewhere = requests.get(server.worker_url, cookies=requests.utils.dict_from_cookiejar(cookies))
    assert elsewhere.status_code == 401
    assert requests.get(paper.url).status_code == 401
    row = requester.get_assignment(AssignmentId=assignment)["Assignment"]
    assert row["WorkerId"] != old
    assert ("left behind" in row["Answer"]) == (work == "keep")
    assert requester.get_hit(HITId=begun)["HIT"]["NumberOfAssignmentsAvailable"] == 2
    with sqlite3.connect(server.db) as database:
        # Answers to calls of the API are kept for a while, for a client that lost them.
        database.execute("DELETE FROM replies")
        assert old not in "\n".join(database.iterdump())
        database.rollback()
    again = Person(server, link)  # the same id would be the same worker, with nothing done
    assert "0 of 1 HITs" in again.home()
    assert again.accept(done).status_code == 409


def test_a_block_outlives_leaving(server: Running, requester: Any) -> None:
    link = recruit(server.db, "blocked", "code").link.partition("?")[0] + "?PROLIFIC_PID=blocked"
    person, hit = Person(server, link), make(requester)
    person.do(hit)
    worker = answers(requester, hit)[0]["WorkerId"]
    requester.create_worker_block(WorkerId=worker, Reason="r")
    press(person, "/worker/leave")
    assert make(requester) not in Person(server, link).hits()


def test_every_table_that_names_workers_is_thought_of() -> None:
    """`own_work.leave` goes through these; a new one must be added there."""
    naming = {
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.target_fullname == "workers.worker_id"
    }
    assert naming == {
        "assignments", "bonuses", "invitations", "messages", "participations",
        "qualification_requests", "qualifications", "seen", "worker_blocks",
    }  # fmt: skip


def test_an_invitation_number_never_comes_again(server: Running) -> None:
    link = invite(server.db, 1)[0]
    press(Person(server, link), "/worker/leave")
    assert requests.get(link).status_code == 404
    assert link not in invite(server.db, 3)


def test_signing_out(server: Running, requester: Any) -> None:
    link = invite(server.db, names=["at a shared computer"])[0]
    person, hit = Person(server, link), make(requester)
    paper = person.accept(hit)
    assert person.session.post(f"{server.endpoint}/worker/sign-out").status_code == 403
    out = press(person, "/worker/sign-out")
    assert "You have signed out" in out.text
    assert out.headers["clear-site-data"] == '"cache", "storage"'
    assert not person.session.cookies
    for path in ("/worker", "/worker/work", "/worker/finish", "/worker/leave"):
        assert page(person, path).status_code == 401
    assert person.session.get(paper.url).status_code == 401
    back = Person(server, link)
    assert back.hits("running") == [hit]


def test_so_many_at_once_and_so_many_in_all(tmp_path: Any) -> None:
    with running(tmp_path / "crowd.db", limits=Limits(3, 2), sandbox=True, seed=3) as server:
        requester = client(server)
        hits = [make(requester) for _ in range(5)]
        person = Person(server, invite(server.db, names=["limited"])[0])
        first, second = person.accept(hits[0]), person.accept(hits[1])
        assert (first.status_code, second.status_code) == (200, 200)
        assert (person.hits(), person.hits("running")) == ([], hits[:2])
        assert "You can work on 2 HITs at a time" in person.home()
        refused = person.accept(hits[2])
        assert (refused.status_code, "at a time" in refused.text) == (409, True)
        assert person.accept(hits[0]).url == first.url  # what is begun goes on
        person.submit(first, answer="{}")
        assert person.hits() == hits[2:]
        person.submit(second, answer="{}")
        person.do(hits[2])
        assert person.hits() == []
        refused = person.accept(hits[3])
        assert (refused.status_code, "One person may do 3 HITs here" in refused.text) == (409, True)
        preview = page(person, f"/worker/hits/{hits[3]}").text
        assert "Accept this HIT" not in preview and "your share" in preview
