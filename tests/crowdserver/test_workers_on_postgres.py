"""The workers' side on a real PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import create_engine, select
from support.crowd import hit_values

from replicate.crowdserver import hits, own_work, recruiting, workers
from replicate.crowdserver.allowance import Limits, allowance_of
from replicate.crowdserver.context import Context
from replicate.crowdserver.database import Database
from replicate.crowdserver.states import Agenda
from replicate.crowdserver.tables import Assignment, Worker
from replicate.crowdserver.workers import WorkerError

from .test_shown import STEPS, check_the_rule, digest, page_of

pytestmark = pytest.mark.postgres


@pytest.fixture
def place(postgres_url: str) -> str:
    """The URL of a database of our own."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS workers")
        connection.exec_driver_sql("CREATE DATABASE workers")
    engine.dispose()
    return postgres_url.rpartition("/")[0] + "/workers"


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    found = Database(place)
    yield found
    found.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_the_rule_against_an_oracle(database: Database, steps: list[Any]) -> None:
    check_the_rule(database, steps)


def test_from_the_link_to_leaving(place: str, database: Database) -> None:
    made = recruiting.recruit(place, "p", "CODE", hits_per_worker=1)
    secret = made.link.partition("?")[0].rpartition("/")[2]
    with database.begin() as connection:
        context = Context(connection, database.key, "default", 1000.0, Agenda())
        first, second = (
            hits.create_hit(context, hit_values(page_of("c", [digest(n)])))["HIT"]["HITId"]
            for n in (1, 2)
        )
        worker, number = recruiting.follow(context, secret, {"PROLIFIC_PID": "somebody"})
        assert recruiting.follow(context, secret, {"PROLIFIC_PID": "somebody"})[0] == worker
        found = workers.accept(context, worker, first, recruitment=number)
        assert allowance_of(context, worker, number).refusal(Limits()) is not None
        with pytest.raises(WorkerError, match="Not yet"):
            recruiting.completion(context, worker, number, {})
        workers.submit(context, found, [("answer", "{}")])
        code, url = recruiting.completion(context, worker, number, {})
        assert (code, url) == ("CODE", recruiting.PROLIFIC_URL.replace("{code}", "CODE"))
        with pytest.raises(WorkerError, match="done all your HITs"):
            workers.accept(context, worker, second, recruitment=number)
        assert [piece.assignment_id for piece in own_work.pieces(context, worker)] == [found]
        assert own_work.earned(context, worker).pieces == 1
        assert own_work.withdraw(context, worker) == 1
        own_work.leave(context, worker)
        rows = connection.execute(select(Assignment.worker_id, Assignment.answer)).all()
        assert [row.answer for row in rows] == [own_work.WITHDRAWN]
        assert connection.execute(select(Worker.worker_id)).scalars().all() == [rows[0].worker_id]
        assert rows[0].worker_id != worker
    again = recruiting.recruit(place, "p", "CODE", hits_per_worker=1)
    assert (again.joined, again.completed) == (0, 0)
