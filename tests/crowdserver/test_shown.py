"""Nobody sees the same image for the same class on two HITs."""

import re
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, select
from support.crowd import Person, Running, hit_values, html_question, process, simple_html

from replicate.base.databases import connect
from replicate.base.resources import data_dir
from replicate.crowdserver import hits, workers
from replicate.crowdserver.admin import invite
from replicate.crowdserver.context import Context
from replicate.crowdserver.database import Database
from replicate.crowdserver.shown import image_key, read_page
from replicate.crowdserver.states import Agenda
from replicate.crowdserver.tables import Worker
from replicate.crowdserver.worker_tables import HitImage, Seen
from replicate.crowdserver.workers import WorkerError


def page_of(class_id: str | None, digests: list[str]) -> str:
    html = simple_html(digests)
    if class_id is not None:
        html = html.replace("<form ", f'<form data-class-id="{class_id}" ')
    return html_question(html)


def digest(number: int) -> str:
    return f"{number:064x}"


def test_what_a_page_says() -> None:
    page = read_page(page_of("a &amp; b", [digest(1), digest(2), digest(1)]))
    assert page.images == {image_key("a & b", digest(1)), image_key("a & b", digest(2))}
    assert page.max_per_worker is None
    escaped = page_of("7", [digest(1)]).replace("<![CDATA[", "").replace("]]>", "")
    start, end = escaped.index("<!doctype"), escaped.index("</HTMLContent>")
    body = escaped[start:end].replace("&", "&amp;").replace("<", "&lt;")
    assert read_page(escaped[:start] + body + escaped[end:]).images == {image_key("7", digest(1))}
    single = page_of("7", []).replace('data-class-id="7"', "\n data-max-per-worker='12'")
    assert read_page(single).max_per_worker == 12
    for nothing in (page_of(None, [digest(1)]), page_of("", [digest(1)]), "<ExternalQuestion/>"):
        assert read_page(nothing).images == frozenset()
    for odd in ("0", "-1", "ten", "1.5", "9" * 10):
        assert read_page(single.replace("'12'", f"'{odd}'")).max_per_worker is None


# The rule against an oracle that remembers everything.

IMAGES = st.lists(st.integers(0, 5), min_size=1, max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.sampled_from(["A", "B", None]), IMAGES, st.integers(1, 2)),
        st.tuples(
            st.sampled_from(["accept", "return", "submit", "list"]),
            st.integers(0, 2),
            st.integers(0, 7),
        ),
        st.tuples(st.just("wait")),
    ),
    min_size=4,
    max_size=30,
)


class Oracle:
    """Every HIT with what it shows, and every (worker, HIT) with the state it is in."""

    def __init__(self) -> None:
        self.hits: list[tuple[str, str | None, set[int], int]] = []
        self.states: dict[tuple[int, int], str] = {}

    def may(self, worker: int, hit: int) -> bool:
        """Whether a worker may take up a HIT that they are not working on."""
        _, class_id, images, most = self.hits[hit]
        taken = [w for (w, h), state in self.states.items() if h == hit and state in "od"]
        if self.states.get((worker, hit)) in ("o", "d") or len(taken) >= most:
            return False
        shown: set[int] = set()
        for who, other in self.states:
            if who == worker and other != hit and self.hits[other][1] == class_id:
                shown |= self.hits[other][2]
        return class_id is None or not shown & images


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    found = Database(tmp_path_factory.mktemp("shown") / "crowd.db")
    yield found
    found.close()


def check_the_rule(database: Database, steps: list[Any]) -> None:
    """Do what the steps say, and compare with the oracle all the time."""
    oracle, now, assignments = Oracle(), 1000.0, dict[tuple[int, int], str]()
    names = [f"AW{number}" for number in range(3)]
    with database.engine.connect() as connection:  # rolled back at the end
        connection.execute(insert(Worker), [{"worker_id": n, "created": 0.0} for n in names])
        agenda = Agenda()
        for step in steps:
            agenda.settle(connection, now)
            context = Context(connection, database.key, "default", now, agenda)
            if step[0] == "make":
                _, class_id, images, most = step
                question = page_of(class_id, [digest(image) for image in images])
                values = hit_values(question, MaxAssignments=most)
                made = hits.create_hit(context, values)["HIT"]["HITId"]
                oracle.hits.append((made, class_id, set(images), most))
            elif step[0] == "wait":
                now += 601.0
                oracle.states = {
                    key: "r" if state == "o" else state for key, state in oracle.states.items()
                }
            elif step[2] < len(oracle.hits):
                key, found = (step[1], step[2]), oracle.hits[step[2]][0]
                before = oracle.states.get(key)
                if step[0] == "accept":
                    allowed = before == "o" or oracle.may(*key)
                    try:
                        assignments[key] = workers.accept(context, names[step[1]], found)
                        assert allowed
                        oracle.states[key] = "o"
                    except WorkerError:
                        assert not allowed
                elif step[0] == "return" and before == "o":
                    workers.give_back(context, assignments[key])
                    oracle.states[key] = "r"
                elif step[0] == "submit" and before == "o":
                    workers.submit(context, assignments[key], [("answer", "{}")])
                    oracle.states[key] = "d"
        agenda.settle(connection, now)
        context = Context(connection, database.key, "default", now, agenda)
        for number, name in enumerate(names):
            listed = {offer.hit_id for offer in workers.available(context, name)}
            for place, (hit, *_) in enumerate(oracle.hits):
                assert (hit in listed) == oracle.may(number, place)
                try:
                    workers.offer(context, name, hit)
                    assert hit in listed
                except WorkerError:
                    assert hit not in listed


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_the_rule_against_an_oracle(database: Database, steps: list[Any]) -> None:
    check_the_rule(database, steps)


# Over HTTP.


def make(requester: Any, class_id: str | None, digests: list[str], **changes: Any) -> str:
    values = hit_values(page_of(class_id, digests), MaxAssignments=3, **changes)
    return str(requester.create_hit(**values)["HIT"]["HITId"])


def test_not_listed_not_previewed_not_accepted(server: Running, requester: Any) -> None:
    shared = server.digests
    first = make(requester, "fish", [*shared[:3], shared[0]])  # within one page: allowed
    second = make(requester, "fish", shared[2:4])
    other = make(requester, "bird", shared[:3])
    apart = make(requester, "fish", shared[3:5])
    foreign = make(requester, None, shared[:3])
    person = Person(server, invite(server.db, names=["sees once"])[0])
    assert {first, second, other, apart, foreign} <= set(person.hits())
    page = person.accept(first)
    assert page.status_code == 200
    listed = set(person.hits())
    assert second not in listed
    assert {other, apart, foreign} <= listed
    for path in ("", "/question"):
        url = f"{server.endpoint}/worker/hits/{second}{path}"
        assert person.session.get(url).status_code == 404
    refused = person.accept(second)
    assert refused.status_code == 409
    assert "You have seen some of its images" in refused.text
    # Returned, it was still seen; and it may be taken up again itself.
    url = page.url.partition("?")[0]
    person.session.post(f"{url}/return", data={"csrf": person.csrf})
    assert second not in person.hits()
    assert first in person.hits()
    assert person.accept(first).status_code == 200
    server.advance(601)
    assert person.accept(second).status_code == 409
    assert person.accept(first).status_code == 200
    someone = Person(server, invite(server.db, names=["sees the other"])[0])
    assert someone.accept(second).status_code == 200
    assert set(someone.hits()) & {first, apart} == set()


def test_at_most_so_many_of_a_type(server: Running, requester: Any) -> None:
    question = html_question(simple_html([]).replace("<form ", '<form data-max-per-worker="2" '))
    made = [
        requester.create_hit(**hit_values(question, Title="capped", MaxAssignments=5))["HIT"]
        for _ in range(3)
    ]
    ids = [hit["HITId"] for hit in made]
    person = Person(server, invite(server.db, names=["capped"])[0])
    person.do(ids[0])
    page = person.accept(ids[1])
    assert page.status_code == 200
    assert not set(ids) & set(person.hits())
    refused = person.accept(ids[2])
    assert (refused.status_code, "your share" in refused.text) == (409, True)
    person.session.post(page.url.partition("?")[0] + "/return", data={"csrf": person.csrf})
    assert person.accept(ids[2]).status_code == 200


def test_two_servers_and_many_tabs_at_once(server: Running, requester: Any) -> None:
    made = [make(requester, "rush", server.digests[:2]) for _ in range(6)]
    links = invite(server.db, names=["in a hurry", "also in a hurry"], base_url=server.endpoint)
    options = {"images": server.db.parent / "images", "sandbox": True, "seed": 3}
    with process(server.db, **options) as (_, second):
        people = [
            Person(place, link.replace(server.endpoint, place.endpoint))
            for link in links
            for place in (server, second) * 2
        ]
        for person in people:
            person.csrf = re.findall(r'name="csrf" value="(\w+)"', person.home())[0]
        gate = threading.Barrier(len(people))

        def rush(person: Person) -> list[int]:
            gate.wait()
            urls = [f"{person.server.endpoint}/worker/hits/{hit}/accept" for hit in made]
            data = {"csrf": person.csrf}
            return [person.session.post(url, data=data).status_code for url in urls]

        with ThreadPoolExecutor(len(people)) as pool:
            codes = [code for found in pool.map(rush, people) for code in found]
    assert set(codes) == {200, 409}
    pending = [requester.get_hit(HITId=hit)["HIT"]["NumberOfAssignmentsPending"] for hit in made]
    assert sum(pending) == 2  # one of the six for each of the two


def test_what_was_there_before_is_taken_over(tmp_path: Path, server: Running) -> None:
    place = tmp_path / "old.db"
    engine = connect(f"sqlite:///{place}")
    config = Config()
    config.set_main_option("script_location", str(data_dir("db") / "crowd"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    rows = [(1, "H1", "fish", [1, 2]), (2, "H2", "fish", [2, 3]), (3, "H3", None, [1])]
    with sqlite3.connect(place) as old:
        old.execute("INSERT INTO hit_types VALUES ('T', 'default', 't', 'd', '', '0.10', 60, 60)")
        old.execute("INSERT INTO workers VALUES ('W', 0.0)")
        for serial, hit, class_id, images in rows:
            question = page_of(class_id, [digest(n) for n in images])
            old.execute(
                "INSERT INTO hits VALUES (?, ?, 'T', 'default', NULL, ?, NULL, 2, 0.0, 9e9, 0)",
                (serial, hit, question),
            )
        for number, (hit, state) in enumerate([("H1", "Submitted"), ("H2", "Returned")]):
            old.execute(
                "INSERT INTO assignments (assignment_id, hit_id, worker_id, state, accepted, "
                "deadline) VALUES (?, ?, 'W', ?, 0.0, 60.0)",
                (f"X{number}", hit, state),
            )
    database = Database(place)
    with database.begin() as connection:
        shown = set(map(tuple, connection.execute(select(HitImage.serial, HitImage.image))))
        seen = set(map(tuple, connection.execute(select(Seen.image, Seen.serial))))
        context = Context(connection, database.key, "default", 10.0, Agenda())
        assert [offer.hit_id for offer in workers.available(context, "W")] == ["H3"]
        assert connection.exec_driver_sql("SELECT done FROM hits").scalars().all() == [1, 0, 0]
    database.close()
    keys = [image_key("fish", digest(number)) for number in range(4)]
    assert shown == {(1, keys[1]), (1, keys[2]), (2, keys[2]), (2, keys[3])}
    assert seen == {(keys[1], 1), (keys[2], 1), (keys[3], 2)}


def test_a_list_passes_over_what_is_done_in_the_index_alone(tmp_path: Path) -> None:
    database, said = Database(tmp_path / "many.db"), list[tuple[str, Any]]()
    event.listen(database.engine, "before_cursor_execute", lambda *a: said.append((a[2], a[3])))
    with database.begin() as connection:
        context = Context(connection, database.key, "default", 10.0, Agenda())
        assert workers.available(context, "W") == []
        statement, given_values = said[-1]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given_values).all()
    database.close()
    steps = [row[3] for row in plan]
    assert any(re.search(r"SEARCH hits USING INDEX ix_hits_open", step) for step in steps), steps
    assert not any(re.match(r"SCAN (hits|assignments|seen|hit_images)\b", s) for s in steps), steps
