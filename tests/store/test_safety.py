"""Which reports are heard, and which images they hold, on either engine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from support.databases import ENGINES, new_database

from replicate.store import database, queries
from replicate.store.progress import objections
from replicate.store.safety import (
    REVIEWER,
    WORKER,
    forget_reports,
    held,
    let_stay,
    report_unsafe,
    reported,
)
from replicate.store.tables import Assignment, DedupDecision, Hit, Image, Rule
from replicate.store.takedowns import IMAGE, enter

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture(scope="module", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A database with three images in the pool and three submissions of one page."""
    with new_database(request, tmp_path_factory) as engine:
        with database.session(engine) as session:
            _fill(session)
        yield engine


def _fill(session: Session) -> None:
    session.add_all(Image(image_id=name, width=8, height=8, n_bytes=9) for name in "abc")
    hit = Hit(hit_key="h", class_id="c", number=0, assignments=3, reward="0.10", status="complete")
    session.add_all([hit, Rule(name="hold_reported", value=2.0)])
    session.flush()
    session.add_all(DedupDecision(image_id=name, class_id="c", keep=True) for name in "abc")
    session.add_all(
        Assignment(
            assignment_id=name,
            hit_key="h",
            worker_id=name.lower(),
            status=status,
            answer="",
            simulated=False,
        )
        for name, status in (("U", "Approved"), ("V", "Submitted"), ("W", "Rejected"))
    )


def by_workers(session: Session, image: str, workers: str) -> None:
    for worker in workers:
        report_unsafe(session, [image], worker.lower(), WORKER, NOW, assignment_id=worker)


@pytest.mark.parametrize(
    ("workers", "holds"), [("", False), ("U", False), ("UV", True), ("UW", False)]
)
def test_workers_hold_an_image_together(session: Session, workers: str, holds: bool) -> None:
    by_workers(session, "a", workers)
    assert held(session) == ({"a"} if holds else set())
    pool = {member.image_id for member in queries.pool(session)}
    assert pool == ({"b", "c"} if holds else {"a", "b", "c"})


def test_nobody_reports_twice(session: Session) -> None:
    assert report_unsafe(session, ["a", "a", "b"], "u", WORKER, NOW, assignment_id="U") == 2
    assert report_unsafe(session, ["a"], "u", WORKER, LATER, assignment_id="U") == 0
    assert [row.workers for row in reported(session)] == [1, 1]


def test_who_has_looked_is_heard_until_a_reviewer_objects(session: Session) -> None:
    by_workers(session, "a", "UV")
    let_stay(session, "a", "ada", "harmless", LATER)
    assert held(session) == set()
    report_unsafe(session, ["a"], "bob", REVIEWER, NOW, "private")
    assert held(session) == set()  # before ada looked
    report_unsafe(session, ["a"], "bob", REVIEWER, LATER + timedelta(hours=1), "private")
    (row,) = reported(session)
    assert row.held and (row.workers, row.reviewers, row.reasons) == (2, ("bob",), ("private",))
    let_stay(session, "a", "ada", "still harmless", LATER + timedelta(hours=2))
    assert held(session) == set()


def test_one_reviewer_is_enough_and_work_that_is_taken_back_is_forgotten(session: Session) -> None:
    report_unsafe(session, ["b"], "bob", REVIEWER, NOW, "private")
    by_workers(session, "a", "UV")
    assert held(session) == {"a", "b"}
    assert [row.image_id for row in reported(session)] == ["a", "b"]
    assert objections(session) == {"takedowns": 0, "images": 0, "reported": 2, "held": 2}
    forget_reports(session, ["U"])
    assert held(session) == {"b"}
    enter(session, IMAGE, ["b"], "private", None, NOW)
    assert objections(session) == {"takedowns": 1, "images": 1, "reported": 1, "held": 0}
