"""What can be done to a HIT that exists, by the documented rules."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.crowd import Running, client, hit_values, running

from .calls import person, refused

PAST = datetime(2015, 1, 1, tzinfo=UTC)


def status(requester: Any, hit: str) -> str:
    return str(requester.get_hit(HITId=hit)["HIT"]["HITStatus"])


def make(requester: Any, **changes: Any) -> str:
    return str(requester.create_hit(**hit_values(**changes))["HIT"]["HITId"])


def test_additional_assignments_are_given_once_a_token(server: Running, requester: Any) -> None:
    hit = make(requester, MaxAssignments=1)
    first, second = person(server, "additional 1"), person(server, "additional 2")
    first.do(hit)
    assert hit not in second.hits()
    values = {"HITId": hit, "NumberOfAdditionalAssignments": 2, "UniqueRequestToken": "more"}
    requester.create_additional_assignments_for_hit(**values)
    assert hit in second.hits()
    assert refused(requester.create_additional_assignments_for_hit, **values) == "DuplicateRequest"
    found = requester.get_hit(HITId=hit)["HIT"]
    assert (found["MaxAssignments"], found["NumberOfAssignmentsAvailable"]) == (3, 2)


@pytest.mark.parametrize(
    ("made", "more", "allowed"),
    [(9, 1, False), (1, 9, False), (1, 8, True), (9, 10**9, False), (10, 1, True), (10, 500, True)],
)
def test_a_hit_of_fewer_than_ten_never_grows_to_ten(
    requester: Any, made: int, more: int, allowed: bool
) -> None:
    hit = make(requester, MaxAssignments=made)
    values = {"HITId": hit, "NumberOfAdditionalAssignments": more}
    if allowed:
        requester.create_additional_assignments_for_hit(**values)
    else:
        code = refused(requester.create_additional_assignments_for_hit, **values)
        assert code == "InvalidMaximumAssignmentsIncrease"
    assert requester.get_hit(HITId=hit)["HIT"]["MaxAssignments"] == made + more * allowed


def test_a_refused_increase_does_not_use_its_token(requester: Any) -> None:
    hit = make(requester, MaxAssignments=9)
    values: dict[str, Any] = {"HITId": hit, "UniqueRequestToken": "tried"}
    extend = requester.create_additional_assignments_for_hit
    refused(extend, NumberOfAdditionalAssignments=1, **values)
    refused(extend, NumberOfAdditionalAssignments=0, **values)
    other = make(requester, MaxAssignments=10)
    extend(HITId=other, NumberOfAdditionalAssignments=1, UniqueRequestToken="tried")


def test_reviewing_and_back(server: Running) -> None:
    requester = client(server)
    hit = make(requester)
    review = requester.update_hit_review_status
    assert refused(review, HITId=hit) == "InvalidHITState"
    requester.update_expiration_for_hit(HITId=hit, ExpireAt=PAST)
    assert refused(review, HITId=hit, Revert=True) == "InvalidHITState"
    review(HITId=hit)
    assert status(requester, hit) == "Reviewing"
    assert refused(review, HITId=hit) == "InvalidHITState"
    assert refused(requester.delete_hit, HITId=hit) == "InvalidHITState"

    def listed(state: str) -> bool:
        pages = requester.get_paginator("list_reviewable_hits").paginate(Status=state)
        return hit in [found["HITId"] for page in pages for found in page["HITs"]]

    assert (listed("Reviewing"), listed("Reviewable")) == (True, False)
    review(HITId=hit, Revert=True)
    assert status(requester, hit) == "Reviewable"
    assert (listed("Reviewing"), listed("Reviewable")) == (False, True)


def test_a_hit_that_is_taken_up_again_is_no_longer_reviewed(server: Running) -> None:
    requester = client(server)
    hit = make(requester)
    requester.update_expiration_for_hit(HITId=hit, ExpireAt=PAST)
    requester.update_hit_review_status(HITId=hit)
    requester.update_expiration_for_hit(HITId=hit, ExpireAt=datetime(2100, 1, 1, tzinfo=UTC))
    assert status(requester, hit) == "Assignable"
    requester.update_expiration_for_hit(HITId=hit, ExpireAt=PAST)
    assert status(requester, hit) == "Reviewable"


def test_a_hit_takes_other_terms(server: Running, requester: Any) -> None:
    hit = make(requester)
    terms = {
        "Title": "Other", "Description": "Terms", "Reward": "2",
        "AssignmentDurationInSeconds": 60, "AutoApprovalDelayInSeconds": 0,
    }  # fmt: skip
    kind = requester.create_hit_type(**terms)["HITTypeId"]
    requester.update_hit_type_of_hit(HITId=hit, HITTypeId=kind)
    found = requester.get_hit(HITId=hit)["HIT"]
    assert (found["Title"], found["Reward"], found["HITTypeId"]) == ("Other", "2.00", kind)
    code = refused(requester.update_hit_type_of_hit, HITId=hit, HITTypeId="3NONE")
    assert code == "HITTypeDoesNotExist"


def test_nothing_is_done_to_a_deleted_hit(requester: Any) -> None:
    hit = make(requester)
    kind = requester.get_hit(HITId=hit)["HIT"]["HITTypeId"]
    requester.update_expiration_for_hit(HITId=hit, ExpireAt=PAST)
    requester.delete_hit(HITId=hit)
    for call, values in (
        (requester.create_additional_assignments_for_hit, {"NumberOfAdditionalAssignments": 1}),
        (requester.update_expiration_for_hit, {"ExpireAt": PAST}),
        (requester.update_hit_type_of_hit, {"HITTypeId": kind}),
        (requester.update_hit_review_status, {}),
        (requester.delete_hit, {}),
    ):
        assert refused(call, HITId=hit, **values) == "InvalidHITState"
    assert status(requester, hit) == "Disposed"


def test_the_borders_of_time(tmp_path: Path) -> None:
    """Approval comes at its very second, and an override within 30 days of sending in."""
    with running(tmp_path / "crowd.db", sandbox=True, seed=1) as server:
        requester = client(server)
        hit = make(requester, MaxAssignments=3, AutoApprovalDelayInSeconds=1000)
        good, bad = (person(server, name).do(hit) for name in ("good", "bad"))
        requester.reject_assignment(AssignmentId=bad, RequesterFeedback="Empty.")

        def state(assignment: str) -> str:
            answer = requester.get_assignment(AssignmentId=assignment)
            return str(answer["Assignment"]["AssignmentStatus"])

        server.advance(900)
        assert state(good) == "Submitted"
        server.advance(101)
        assert (state(good), state(bad)) == ("Approved", "Rejected")
        reject = requester.reject_assignment
        assert refused(reject, AssignmentId=good, RequesterFeedback="x") == "InvalidAssignmentState"
        server.advance(30 * 86_400)
        late = {"AssignmentId": bad, "OverrideRejection": True}
        assert refused(requester.approve_assignment, **late) == "InvalidAssignmentState"
        assert status(requester, hit) == "Reviewable"  # a day of life, and 30 days have passed
