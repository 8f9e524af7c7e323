"""HITs through an unchanged boto3 client."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.crowd import Person, Running, client, hit_values, html_question

from replicate.crowd.mturk import MTurkProvider
from replicate.crowd.providers import HitRequest, HitTerms
from replicate.crowdserver.admin import add_key, invite

from .calls import refused


def turk_code(error: pytest.ExceptionInfo[ClientError]) -> str:
    assert error.value.response["Error"]["Code"] == "RequestError"
    return str(error.value.response["TurkErrorCode"]).rpartition(".")[2]


def test_balance_is_that_of_a_sandbox(requester: Any) -> None:
    assert requester.get_account_balance()["AvailableBalance"] == "10000.00"


def test_a_hit_is_given_back_as_it_was_made(requester: Any) -> None:
    values = hit_values(RequesterAnnotation="note", UniqueRequestToken="as made")
    made = requester.create_hit(**values)["HIT"]
    read = requester.get_hit(HITId=made["HITId"])["HIT"]
    assert read == made
    for name in ("Title", "Description", "Keywords", "Reward", "MaxAssignments", "Question"):
        assert read[name] == values[name]
    assert read["HITStatus"] == "Assignable"
    assert read["NumberOfAssignmentsAvailable"] == 2
    assert read["Expiration"] - read["CreationTime"] == timedelta(seconds=86_400)
    assert abs(read["CreationTime"] - datetime.now(UTC)) < timedelta(minutes=1)


def test_same_terms_are_the_same_hit_type(requester: Any) -> None:
    names = ("Title", "Description", "Reward", "AssignmentDurationInSeconds")
    terms = {name: hit_values()[name] for name in names}
    first = requester.create_hit_type(**terms)["HITTypeId"]
    assert requester.create_hit_type(**{**terms, "Reward": "0.1"})["HITTypeId"] == first
    assert requester.create_hit_type(**{**terms, "Reward": "0.11"})["HITTypeId"] != first
    hit = requester.create_hit_with_hit_type(
        HITTypeId=first, LifetimeInSeconds=60, Question=hit_values()["Question"]
    )["HIT"]
    assert hit["HITTypeId"] == first
    assert hit["Reward"] == "0.10"


def test_a_repeated_token_names_the_hit_that_exists(requester: Any) -> None:
    made = requester.create_hit(**hit_values(UniqueRequestToken="once"))["HIT"]
    with pytest.raises(ClientError) as error:
        requester.create_hit(**hit_values(UniqueRequestToken="once"))
    assert turk_code(error) == "HITAlreadyExists"
    message = error.value.response["Error"]["Message"]
    assert made["HITId"] in message
    assert message.endswith("(AWS.MechanicalTurk.HITAlreadyExists)")


def test_our_own_provider_publishes_twice_and_has_one_hit(server: Running) -> None:
    provider = MTurkProvider(server.endpoint, *add_key(server.db))
    terms = HitTerms(
        title="T", description="D", keywords="", reward=0.1, assignments=3,
        duration=600, auto_approval=3600, lifetime=3600,
    )  # fmt: skip
    request = HitRequest(key="provider", question=hit_values()["Question"], note="")
    kind = provider.hit_type(terms)
    first = provider.publish(request, kind, terms)
    assert provider.publish(request, kind, terms) == first
    assert provider.progress(first).available == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Reward": "$1"}, "InvalidParameterValue"),
        ({"Reward": "0.10\n"}, "InvalidParameterValue"),
        ({"Title": "x" * 129}, "InvalidParameterValue"),
        ({"Title": "  "}, "InvalidParameterValue"),
        ({"MaxAssignments": 0}, "InvalidParameterValue"),
        ({"LifetimeInSeconds": 29}, "InvalidParameterValue"),
        ({"AssignmentDurationInSeconds": 2**40}, "InvalidParameterValue"),
        ({"UniqueRequestToken": "x" * 65}, "InvalidParameterValue"),
        ({"Question": None}, "MissingParameters"),
        ({"Question": "<HTMLQuestion"}, "XMLParseError"),
        ({"Question": "<a/>"}, "InvalidParameterValue"),
        ({"Question": html_question("x" * 65_536)}, "InvalidParameterValue"),
        ({"Question": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, "XMLParseError"),
        (
            {"QualificationRequirements": [{"QualificationTypeId": "Q", "Comparator": "Exists"}]},
            "InvalidParameterValue",
        ),
    ],
)
def test_what_boto3_lets_through_is_refused(
    requester: Any, changes: dict[str, Any], code: str
) -> None:
    before = len(requester.list_hits(MaxResults=100)["HITs"])
    with pytest.raises(ClientError) as error:
        requester.create_hit(**hit_values(**changes))
    assert turk_code(error) == code
    assert len(requester.list_hits(MaxResults=100)["HITs"]) == before


def test_limits_patterns_and_enums_of_other_operations(requester: Any) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("list_hits", {"MaxResults": 500}),
        ("list_hits", {"NextToken": "made up"}),
        ("list_reviewable_hits", {"Status": "Assignable"}),
        ("get_hit", {"HITId": "../../etc"}),
    ]
    for operation, values in wrong:
        with pytest.raises(ClientError) as error:
            getattr(requester, operation)(**values)
        assert turk_code(error) == "InvalidParameterValue", operation
    with pytest.raises(ClientError) as error:
        requester.get_hit(HITId="3NONE")
    assert turk_code(error) == "HITDoesNotExist"


def test_operations_that_are_not_offered_say_so(requester: Any) -> None:
    specification = {
        "Destination": "https://sqs.example.org/q", "Transport": "SQS", "Version": "2006-05-05",
        "EventTypes": ["HITReviewable"],
    }  # fmt: skip
    for call, values in (
        (requester.get_file_upload_url, {"AssignmentId": "3A", "QuestionIdentifier": "q"}),
        (requester.list_review_policy_results_for_hit, {"HITId": "3A"}),
        (
            requester.send_test_event_notification,
            {"Notification": specification, "TestEventType": "Ping"},
        ),
        (requester.update_notification_settings, {"HITTypeId": "3A", "Active": True}),
    ):
        assert refused(call, **values) == "OperationNotSupported"


def test_all_pages_together_are_all_hits_the_newest_first(server: Running) -> None:
    requester = client(server)
    made = [
        requester.create_hit(**hit_values(UniqueRequestToken=f"page {n}"))["HIT"]["HITId"]
        for n in range(7)
    ]
    pages = requester.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 3})
    listed = [hit["HITId"] for page in pages for hit in page["HITs"]]
    assert listed[:7] == made[::-1]
    assert len(listed) == len(set(listed))
    first = requester.list_hits(MaxResults=3)
    assert first["NumResults"] == 3
    with pytest.raises(ClientError):  # a token of one list does not open another
        requester.list_reviewable_hits(NextToken=first["NextToken"])


def test_expiring_and_deleting(server: Running) -> None:
    requester = client(server)
    hit = requester.create_hit(**hit_values(UniqueRequestToken="to delete"))["HIT"]["HITId"]
    with pytest.raises(ClientError) as error:
        requester.delete_hit(HITId=hit)
    assert turk_code(error) == "InvalidHITState"
    person = Person(server, invite(server.db, names=["deleter"])[0])
    assignment = person.do(hit)
    requester.update_expiration_for_hit(HITId=hit, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    assert requester.get_hit(HITId=hit)["HIT"]["HITStatus"] == "Reviewable"
    with pytest.raises(ClientError) as error:
        requester.delete_hit(HITId=hit)  # an assignment is not decided yet
    assert "1 assignments to approve" in str(error.value)
    reviewable = requester.list_reviewable_hits(MaxResults=100)["HITs"]
    assert [found["HITId"] for found in reviewable] == [hit]
    requester.approve_assignment(AssignmentId=assignment)
    requester.delete_hit(HITId=hit)
    assert requester.get_hit(HITId=hit)["HIT"]["HITStatus"] == "Disposed"
    assert hit not in [found["HITId"] for found in requester.list_hits(MaxResults=100)["HITs"]]
    assert hit not in person.hits()
    with pytest.raises(ClientError) as error:
        requester.create_hit(**hit_values(UniqueRequestToken="to delete"))
    assert turk_code(error) == "HITAlreadyExists"
