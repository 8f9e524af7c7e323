"""A database of the first schema is brought up to date, and everything in it still works."""

import time
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from support.crowd import Person, client, hit_values, running

from replicate.base.databases import connect
from replicate.base.resources import data_dir
from replicate.crowdserver.admin import invite

KEY = ("RPLOLDOLDOLDOLDOLDOL", "an old secret")


def first_schema(db: Path) -> None:
    engine = connect(f"sqlite:///{db}")
    config = Config()
    config.set_main_option("script_location", str(data_dir("db") / "crowd"))
    now = time.time()
    rows: list[tuple[str, dict[str, Any]]] = [
        ("settings", {"name": "secret", "value": "ab" * 32}),
        ("keys", {"access_key_id": KEY[0], "secret": KEY[1], "requester": "default",
                  "created": now}),
        ("hit_types", {"hit_type_id": "3TYPE", "requester": "default", "title": "Old",
                       "description": "Old.", "keywords": "", "reward": "0.10",
                       "duration": 600, "auto_approval_delay": 3600}),
        ("hits", {"serial": 1, "hit_id": "3OLD", "hit_type_id": "3TYPE", "requester": "default",
                  "request_token": "old token", "question": hit_values()["Question"],
                  "max_assignments": 2, "created": now, "expires": now + 3600, "disposed": 0}),
    ]  # fmt: skip
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, row in rows:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    engine.dispose()


def test_an_old_database_goes_on(tmp_path: Path) -> None:
    db = tmp_path / "crowd.db"
    first_schema(db)
    with running(db, sandbox=True) as server:
        requester = client(server, KEY)
        [hit] = requester.list_hits()["HITs"]
        assert (hit["HITId"], hit["HITStatus"]) == ("3OLD", "Assignable")
        assert hit["QualificationRequirements"] == []
        with pytest.raises(requester.exceptions.RequestError, match="3OLD already exists"):
            requester.create_hit(**hit_values(UniqueRequestToken="old token"))
        worker = Person(server, invite(db, names=["ada"])[0])
        done = worker.do("3OLD")
        requester.approve_assignment(AssignmentId=done)
        found = requester.list_qualification_types(MustBeRequestable=False)
        assert found["NumResults"] == 4  # the server's own
