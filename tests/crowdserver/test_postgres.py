"""The crowd server on a real PostgreSQL, by URL."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from support.crowd import Person, Running, client, hit_values, process, put_images, running
from support.load import Crowd, check_what_is_stored, publish_pages
from support.postgres import postgres_server
from support.requester import Requester, our_answer, our_page

from replicate.crowdserver.admin import add_key, invite
from replicate.crowdserver.database import SCHEMA, Database
from replicate.crowdserver.tables import Base

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def url(postgres_bin: Path) -> Iterator[str]:
    with postgres_server(postgres_bin) as found:
        yield found


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("crowd")
    digests = put_images(folder / "images", 6)
    options = {"images": folder / "images", "sandbox": True, "seed": 3}
    with running(folder / "crowd.db", url, **options) as found:
        found.digests = digests
        yield found
        assert not (folder / "crowd.db").exists()


def publish(server: Running, api: Any, **changes: Any) -> str:
    values = hit_values(our_page(server.digests), **{"MaxAssignments": 3, **changes})
    return str(api.create_hit(**values)["HIT"]["HITId"])


def test_the_schema_is_the_one_of_the_code(server: Running) -> None:
    database = Database(server.db, 3)
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    database.close()
    assert found == []


def test_from_a_hit_to_its_approval(server: Running) -> None:
    api = client(server)
    hit = publish(server, api, UniqueRequestToken="once")
    with pytest.raises(api.exceptions.RequestError, match=f"HIT with ID {hit} already exists"):
        publish(server, api, UniqueRequestToken="once")
    first, second = (Person(server, link) for link in invite(server.db, 2))
    assert hit in first.hits()
    sent = [first.do(hit, our_answer(["i01"])), second.do(hit, our_answer([]))]
    assert hit not in first.hits()
    pages = [api.list_assignments_for_hit(HITId=hit, MaxResults=1)]
    token = pages[0]["NextToken"]
    pages.append(api.list_assignments_for_hit(HITId=hit, MaxResults=1, NextToken=token))
    found = [page["Assignments"][0] for page in pages]
    assert {one["AssignmentId"] for one in found} == set(sent)
    api.approve_assignment(AssignmentId=sent[0])
    api.reject_assignment(AssignmentId=sent[1], RequesterFeedback="No <answer>.")
    states = api.list_assignments_for_hit(HITId=hit)["Assignments"]
    assert [one["AssignmentStatus"] for one in states] == ["Approved", "Rejected"]
    api.update_expiration_for_hit(HITId=hit, ExpireAt=1)
    assert api.get_hit(HITId=hit)["HIT"]["HITStatus"] == "Reviewable"
    api.delete_hit(HITId=hit)


def test_time_passes(server: Running) -> None:
    api = client(server)
    hit = publish(server, api, AutoApprovalDelayInSeconds=60)
    first, second = (Person(server, link) for link in invite(server.db, 2))
    first.do(hit)
    second.accept(hit)
    server.advance(700)  # longer than the work may take
    assert api.get_hit(HITId=hit)["HIT"]["NumberOfAssignmentsPending"] == 0
    found = api.list_assignments_for_hit(HITId=hit)["Assignments"]
    assert [one["AssignmentStatus"] for one in found] == ["Approved"]


def test_the_requesters_page(server: Running) -> None:
    key = add_key(server.db, "page")
    api = client(server, key)
    hit = publish(server, api, RequesterAnnotation="goldfish-v2: n01443537, page 1")
    Person(server, invite(server.db, 1)[0]).do(hit, our_answer(["i01"]))
    owner = Requester(server, key).sign_in()
    overview = owner.get().text
    assert "<b>1</b> of 3 assignments are in" in overview
    path = re.findall(r'<h2><a href="/requester([^"]+)"', overview)[0].replace("&amp;", "&")
    assert "goldfish-v2" in owner.get(path).text
    assert "Selected 1 of 6" in owner.get(f"/hits/{hit}").text
    start, _, query = path.partition("?")
    assert owner.post(f"{start}/approve?{query}").status_code == 303
    assert owner.post(f"{start}/end?{query}").status_code == 303
    found = api.get_hit(HITId=hit)["HIT"]
    assert (found["HITStatus"], found["NumberOfAssignmentsCompleted"]) == ("Reviewable", 1)


def test_health_names_the_database(server: Running) -> None:
    answer = requests.get(f"{server.endpoint}/health", headers={"Accept": "application/json"})
    assert answer.json()["database"] == "postgresql"
    assert answer.json()["schema"] == SCHEMA


def test_two_servers_on_one_database_lose_nothing(
    url: str, tmp_path: Path, server: Running
) -> None:
    """Twelve workers at each, on the same HITs, which have too few assignments for all."""
    digests = put_images(tmp_path / "images", 3)
    options = {"images": str(tmp_path / "images"), "rate": 0, "sandbox": True, "seed": 3}
    key = add_key(url, "load")
    database = Database(url, 3)
    with database.begin() as connection:  # what other tests left does not count here
        connection.exec_driver_sql("TRUNCATE assignments CASCADE")
        connection.exec_driver_sql("UPDATE hits SET disposed = 1")
    database.close()
    with (
        process(tmp_path / "a" / "crowd.db", url, **options) as (_, first),
        process(tmp_path / "b" / "crowd.db", url, **options) as (_, second),
    ):
        publish_pages(first, key, digests, 10, assignments=8)
        crowds = [
            Crowd(one.endpoint, invite(url, 12, base_url=one.endpoint), think=0.02, seed=number)
            for number, one in enumerate((first, second))
        ]
        crowds[1].tally = crowds[0].tally
        crowds[1].lock = crowds[0].lock
        crowds[0].work(60, lambda: crowds[1].work(60) and None)
    assert check_what_is_stored(url, crowds[0].tally) == 80
