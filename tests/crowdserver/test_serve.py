"""Starting, stopping, and what stays."""

import json
import socket
import sqlite3
from pathlib import Path

import pytest
import requests
from support.crowd import Person, client, hit_values, process, running

from replicate.base.errors import GuardError, MissingError, UsageError
from replicate.crowdserver.admin import add_key, invite
from replicate.crowdserver.database import SCHEMA, Database
from replicate.crowdserver.serve import serve


def test_a_killed_server_forgets_nothing(tmp_path: Path) -> None:
    db = tmp_path / "crowd.db"
    key = add_key(db)
    link = invite(db, names=["ada"])[0]
    with process(db, sandbox=True) as (child, server):
        made = client(server, key).create_hit(**hit_values(UniqueRequestToken="t"))["HIT"]
        person = Person(server, server.endpoint + link)
        page = person.accept(made["HITId"])
        server.advance(100)
        child.kill()
        child.wait()
    with running(db, sandbox=True) as server:
        requester = client(server, key)
        found = requester.get_hit(HITId=made["HITId"])["HIT"]
        assert found["NumberOfAssignmentsPending"] == 1
        assert found["CreationTime"] == made["CreationTime"]
        again = person.session.get(server.endpoint + "/worker" + page.url.partition("/worker")[2])
        left = int(again.text.partition('data-seconds="')[2].partition('"')[0])
        assert left <= 500  # the moved clock did not go back
        assert person.submit(again, answer="{}").status_code == 200
        assert requester.list_assignments_for_hit(HITId=made["HITId"])["NumResults"] == 1


def test_one_seed_gives_the_same_ids(tmp_path: Path) -> None:
    def ids(name: str, seed: int | None) -> list[str]:
        db = tmp_path / f"{name}.db"
        with running(db, sandbox=True, seed=seed) as server:
            requester = client(server)
            hit = requester.create_hit(**hit_values(UniqueRequestToken="t"))["HIT"]
            person = Person(server, invite(db, names=["ada"])[0])
            person.do(hit["HITId"])
            answer = requester.list_assignments_for_hit(HITId=hit["HITId"])
            one = answer["Assignments"][0]
            return [hit["HITId"], hit["HITTypeId"], one["AssignmentId"], one["WorkerId"]]

    first = ids("a", 1)
    assert ids("b", 1) == first
    assert not set(ids("c", 2)) & set(first)
    assert not set(ids("d", None)) & set(first)


def test_ready_file_and_orderly_end(tmp_path: Path) -> None:
    with process(tmp_path / "crowd.db") as (child, server):
        document = json.loads(server.ready_file.read_text())
        assert set(document) == {"endpoint", "worker_url", "pid"}
        assert requests.get(f"{server.endpoint}/health").text == "ok\n"
        answer = requests.get(server.endpoint, allow_redirects=False)
        assert answer.headers["location"] == "/worker"
        assert requests.post(f"{server.endpoint}/sandbox/clock", json={}).status_code == 404
        child.terminate()
        assert child.wait(timeout=20) == 0
        assert not server.ready_file.exists()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    with process(tmp_path / "crowd.db", exit_with_stdin=True) as (child, server):
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(timeout=20) == 0
        assert not server.ready_file.exists()


def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1 port {port}") as error:
            serve(tmp_path / "crowd.db", port=port)
    assert "--port 0" in error.value.hint
    assert not (tmp_path / "crowd.db").exists()


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    db = tmp_path / "crowd.db"
    with pytest.raises(UsageError, match="guessable"):
        serve(db, seed=1)
    with pytest.raises(MissingError, match="no folder"):
        serve(db, images=tmp_path / "none")
    with pytest.raises(UsageError, match="not the address"):
        serve(db, public_url="crowd.example.org")
    with pytest.raises(UsageError, match="cannot listen"):
        serve(db, port=99_999)
    with pytest.raises(UsageError, match="0 workers"):
        invite(db, 0)


def test_another_seed_is_refused_once_there_is_work(tmp_path: Path) -> None:
    db = tmp_path / "crowd.db"
    add_key(db)  # keys do not depend on the seed
    Database(db, 1).close()
    assert Database(db).key == Database(db, 1).key
    invite(db, 1)
    with pytest.raises(UsageError, match="another seed"):
        Database(db, 2)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    db = tmp_path / "crowd.db"
    Database(db).close()
    with sqlite3.connect(db) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(GuardError, match="schema 9999"):
        add_key(db)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    db = tmp_path / "crowd.db"
    db.write_text("not a database, but long enough to be read as one" * 30)
    with pytest.raises(UsageError, match="cannot be opened"):
        Database(db)
    with pytest.raises(UsageError, match="cannot be opened"):
        Database(tmp_path)


def test_the_migrations_make_the_tables_that_the_code_has(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from replicate.base.resources import data_dir
    from replicate.crowdserver.tables import Base

    assert ScriptDirectory(str(data_dir("db") / "crowd")).get_current_head() == SCHEMA
    database = Database(tmp_path / "crowd.db")
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    database.close()
    assert found == []
