"""Assignments through an unchanged boto3 client; the sandbox's clock moves."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from support.crowd import Person, Running, client, hit_values, running

from replicate.crowdserver.admin import invite
from replicate.crowdserver.protocol import service_model


def people(server: Running, count: int, word: str) -> list[Person]:
    links = invite(server.db, names=[f"{word} {n}" for n in range(count)])
    return [Person(server, link) for link in links]


def test_pages_of_assignments_in_the_order_of_submission(server: Running, requester: Any) -> None:
    made = requester.create_hit(**hit_values(MaxAssignments=7, UniqueRequestToken="seven"))
    hit = made["HIT"]["HITId"]
    done = [p.do(hit, f'{{"n": {n}}}') for n, p in enumerate(people(server, 7, "pager"))]
    paginator = requester.get_paginator("list_assignments_for_hit")
    pages = list(paginator.paginate(HITId=hit, PaginationConfig={"PageSize": 3}))
    assert [page["NumResults"] for page in pages] == [3, 3, 1]
    assert [a["AssignmentId"] for page in pages for a in page["Assignments"]] == done
    first = pages[0]["Assignments"][0]
    assert '<FreeText>{"n": 0}</FreeText>' in first["Answer"]
    assert first["SubmitTime"] >= first["AcceptTime"]
    assert first["AutoApprovalTime"] - first["SubmitTime"] == timedelta(hours=1)
    assert first["Deadline"] - first["AcceptTime"] == timedelta(minutes=10)
    hit_now = requester.get_hit(HITId=hit)["HIT"]
    assert hit_now["HITStatus"] == "Reviewable"
    assert hit_now["NumberOfAssignmentsAvailable"] == 0


def test_deciding(server: Running, requester: Any) -> None:
    hit = requester.create_hit(**hit_values(UniqueRequestToken="decide"))["HIT"]["HITId"]
    good, bad = (person.do(hit) for person in people(server, 2, "decided"))
    requester.approve_assignment(AssignmentId=good, RequesterFeedback="Thank you.")
    requester.reject_assignment(AssignmentId=bad, RequesterFeedback="Empty.")
    for operation, values in (
        (requester.approve_assignment, {"AssignmentId": good}),
        (requester.approve_assignment, {"AssignmentId": bad}),
        (requester.reject_assignment, {"AssignmentId": good, "RequesterFeedback": "x"}),
    ):
        with pytest.raises(ClientError) as error:
            operation(**values)
        assert error.value.response["TurkErrorCode"].endswith("InvalidAssignmentState")

    def listed(*states: str) -> list[str]:
        found = requester.list_assignments_for_hit(HITId=hit, AssignmentStatuses=list(states))
        return [a["AssignmentId"] for a in found["Assignments"]]

    assert listed("Approved") == [good]
    assert listed("Rejected") == [bad]
    assert listed("Submitted") == []
    answer = requester.get_assignment(AssignmentId=bad)
    assert answer["Assignment"]["RequesterFeedback"] == "Empty."
    assert "RejectionTime" in answer["Assignment"]
    assert answer["HIT"]["NumberOfAssignmentsCompleted"] == 2
    requester.approve_assignment(AssignmentId=bad, OverrideRejection=True)
    found = requester.get_assignment(AssignmentId=bad)["Assignment"]
    assert found["AssignmentStatus"] == "Approved"
    assert "RejectionTime" not in found


def test_an_assignment_that_is_being_worked_on_is_not_the_requesters(
    server: Running, requester: Any
) -> None:
    hit = requester.create_hit(**hit_values(UniqueRequestToken="private"))["HIT"]["HITId"]
    page = people(server, 1, "private")[0].accept(hit)
    assignment = page.url.partition("/assignments/")[2].partition("?")[0]
    assert requester.list_assignments_for_hit(HITId=hit)["NumResults"] == 0
    assert requester.get_hit(HITId=hit)["HIT"]["NumberOfAssignmentsPending"] == 1
    with pytest.raises(ClientError) as error:
        requester.get_assignment(AssignmentId=assignment)
    assert error.value.response["TurkErrorCode"].endswith("AssignmentDoesNotExist")


def test_every_answer_fits_the_service_model(server: Running, requester: Any) -> None:
    hit = requester.create_hit(**hit_values(UniqueRequestToken="shapes"))["HIT"]["HITId"]
    assignment = people(server, 1, "shapes")[0].do(hit)
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GetHIT", "get_hit", {"HITId": hit}),
        ("ListHITs", "list_hits", {}),
        ("GetAssignment", "get_assignment", {"AssignmentId": assignment}),
        ("ListAssignmentsForHIT", "list_assignments_for_hit", {"HITId": hit}),
    ]
    for operation, method, values in calls:
        answer = getattr(requester, method)(**values)
        answer.pop("ResponseMetadata")
        shape = service_model().operation_model(operation).output_shape
        report = ParamValidator().validate(answer, shape)
        assert not report.has_errors(), report.generate_report()


def test_time_passes(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db", sandbox=True, seed=1) as server:
        requester = client(server)
        hit = requester.create_hit(**hit_values())["HIT"]["HITId"]
        slow, quick, late = people(server, 3, "timed")
        page = slow.accept(hit)
        done = quick.do(hit)
        assert requester.get_hit(HITId=hit)["HIT"]["HITStatus"] == "Unassignable"
        assert late.hits() == []
        server.advance(601)  # the slow one's time is over
        assert slow.submit(page, answer="{}").status_code == 410
        assert late.hits() == slow.hits() == [hit]
        state = requester.get_hit(HITId=hit)["HIT"]
        assert (state["HITStatus"], state["NumberOfAssignmentsAvailable"]) == ("Assignable", 1)
        page = late.accept(hit)
        server.advance(3000)  # the quick one's answer approves itself
        found = requester.get_assignment(AssignmentId=done)["Assignment"]
        assert found["AssignmentStatus"] == "Approved"
        assert found["ApprovalTime"] == found["AutoApprovalTime"]
        server.advance(86_400)  # the HIT ends
        assert slow.hits() == []
        assert slow.accept(hit).status_code == 409
        assert requester.get_hit(HITId=hit)["HIT"]["HITStatus"] == "Reviewable"
        assert late.submit(page, answer="{}").status_code == 410


def test_a_started_assignment_may_end_after_its_hit(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db", sandbox=True, seed=1) as server:
        requester = client(server)
        hit = requester.create_hit(**hit_values(LifetimeInSeconds=60))["HIT"]["HITId"]
        person = people(server, 1, "last")[0]
        page = person.accept(hit)
        server.advance(61)
        assert requester.get_hit(HITId=hit)["HIT"]["HITStatus"] == "Unassignable"
        assert person.submit(page, answer="{}").status_code == 200
        assert requester.list_assignments_for_hit(HITId=hit)["NumResults"] == 1
