"""Each border of time, at its very moment and a millisecond before; the clock stands still."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.clocks import ManualClock
from support.crowd import Running, client, hit_values, running

from .calls import person, refused
from .test_api_qualifications import ask, make

BEFORE, AT = timedelta(milliseconds=-1), timedelta(milliseconds=1)


class World:
    def __init__(self, server: Running, clock: ManualClock) -> None:
        self.server, self.clock, self.requester = server, clock, client(server)

    def to(self, seconds: float) -> None:
        """Move to a millisecond before so many seconds from now."""
        self.clock.advance(timedelta(seconds=seconds) + BEFORE)

    def over(self) -> None:
        """Move over the border."""
        self.clock.advance(AT)

    def make(self, **changes: Any) -> str:
        return str(self.requester.create_hit(**hit_values(**changes))["HIT"]["HITId"])

    def hit(self, hit: str) -> dict[str, Any]:
        return dict(self.requester.get_hit(HITId=hit)["HIT"])

    def state(self, assignment: str) -> str:
        found = self.requester.get_assignment(AssignmentId=assignment)["Assignment"]
        return str(found["AssignmentStatus"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    with running(tmp_path_factory.mktemp("borders") / "crowd.db", clock=clock) as server:
        yield World(server, clock)


def test_the_deadline_of_an_assignment(world: World) -> None:
    hit = world.make(MaxAssignments=2, AssignmentDurationInSeconds=600)
    early, late = person(world.server, "early"), person(world.server, "late")
    pages = [early.accept(hit), late.accept(hit)]
    world.to(600)
    assert early.submit(pages[0], answer="{}").status_code == 200
    assert world.hit(hit)["NumberOfAssignmentsPending"] == 1
    world.over()
    assert late.submit(pages[1], answer="{}").status_code == 410
    found = world.hit(hit)
    assert (found["NumberOfAssignmentsPending"], found["NumberOfAssignmentsAvailable"]) == (0, 1)


def test_the_end_of_a_hit(world: World) -> None:
    hit = world.make(LifetimeInSeconds=60)
    first, second = person(world.server, "in time"), person(world.server, "too late")
    world.to(60)
    assert first.accept(hit).status_code == 200
    world.over()
    assert second.accept(hit).status_code == 409
    assert hit not in second.hits()
    assert world.hit(hit)["HITStatus"] == "Unassignable"  # the first may finish
    world.to(599.999)
    assert world.hit(hit)["HITStatus"] == "Unassignable"
    world.over()
    assert world.hit(hit)["HITStatus"] == "Reviewable"


def test_approval_by_itself(world: World) -> None:
    hit = world.make(AutoApprovalDelayInSeconds=3600)
    done = person(world.server, "patient").do(hit)
    world.to(3600)
    assert world.state(done) == "Submitted"
    world.over()
    assert world.state(done) == "Approved"
    found = world.requester.get_assignment(AssignmentId=done)["Assignment"]
    assert found["ApprovalTime"] == found["AutoApprovalTime"]
    code = refused(world.requester.reject_assignment, AssignmentId=done, RequesterFeedback="x")
    assert code == "InvalidAssignmentState"


def test_approval_at_once(world: World) -> None:
    hit = world.make(AutoApprovalDelayInSeconds=0)
    done = person(world.server, "at once").do(hit)
    assert world.state(done) == "Approved"


@pytest.mark.parametrize("late", [False, True])
def test_the_thirty_days_of_an_override(world: World, late: bool) -> None:
    hit = world.make(LifetimeInSeconds=3600)
    done = person(world.server, "rejected").do(hit)
    world.requester.reject_assignment(AssignmentId=done, RequesterFeedback="Empty.")
    world.to(30 * 86_400)
    values = {"AssignmentId": done, "OverrideRejection": True}
    if late:
        world.over()
        assert refused(world.requester.approve_assignment, **values) == "InvalidAssignmentState"
    else:
        world.requester.approve_assignment(**values)
    assert world.state(done) == ("Rejected" if late else "Approved")


def test_no_override_once_the_hit_is_deleted(world: World) -> None:
    hit = world.make(MaxAssignments=1)
    done = person(world.server, "deleted").do(hit)
    world.requester.reject_assignment(AssignmentId=done, RequesterFeedback="Empty.")
    world.requester.delete_hit(HITId=hit)
    values = {"AssignmentId": done, "OverrideRejection": True}
    assert refused(world.requester.approve_assignment, **values) == "InvalidHITState"


def test_the_delay_until_a_qualification_is_asked_for_again(world: World) -> None:
    kind = make(world.requester, "Delayed", AutoGranted=True, RetryDelayInSeconds=600)
    worker = person(world.server, "asking")
    assert ask(worker, kind) == 200
    world.to(600)
    assert ask(worker, kind) == 409
    world.over()
    assert ask(worker, kind) == 200
