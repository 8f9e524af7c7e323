"""Throttling, failures and lost answers, met by an unchanged boto3 client that tries again."""

from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, ConnectionClosedError
from support.crowd import Running, client, hit_values, running

from replicate.cli.crowd import serve
from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.keys import add_key
from replicate.crowdserver.throttle import API_RATE, Throttle


@pytest.fixture(scope="module")
def patient(server: Running) -> Any:
    return client(server, attempts=4)


@pytest.fixture(scope="module")
def hasty(server: Running) -> Any:
    return client(server)


def hits(requester: Any) -> list[str]:
    pages = requester.get_paginator("list_hits").paginate()
    return [hit["HITId"] for page in pages for hit in page["HITs"]]


def test_each_fault_is_what_it_is_called(server: Running, hasty: Any) -> None:
    before = hits(hasty)
    server.faults("throttle")
    with pytest.raises(ClientError) as throttled:
        hasty.create_hit(**hit_values())
    assert throttled.value.response["Error"]["Code"] == "ThrottlingException"
    server.faults("fail")
    with pytest.raises(ClientError) as failed:
        hasty.create_hit(**hit_values())
    assert failed.value.response["Error"]["Code"] == "ServiceFault"
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert hits(hasty) == before
    server.faults("drop")
    with pytest.raises(ConnectionClosedError):
        hasty.create_hit(**hit_values())
    assert len(hits(hasty)) == len(before) + 1  # the work was done, only its answer was lost


@pytest.mark.parametrize("kind", ["throttle", "fail", "drop"])
@pytest.mark.parametrize("token", [None, "given"])
def test_boto3_tries_again_and_there_is_one_hit(
    server: Running, patient: Any, kind: str, token: str | None
) -> None:
    before = hits(patient)
    server.faults(kind, operation="CreateHIT")
    given = None if token is None else f"{kind} {token}"
    answer = patient.create_hit(**hit_values(UniqueRequestToken=given))["HIT"]
    made = answer["HITId"]
    assert answer == patient.get_hit(HITId=made)["HIT"]
    assert sorted(hits(patient)) == sorted([*before, made])


def test_another_call_with_the_token_of_a_lost_answer_names_the_hit(
    server: Running, hasty: Any
) -> None:
    server.faults("drop", operation="CreateHIT")
    with pytest.raises(ConnectionClosedError):
        hasty.create_hit(**hit_values(UniqueRequestToken="lost"))
    with pytest.raises(ClientError) as error:
        hasty.create_hit(**hit_values(UniqueRequestToken="lost"))
    assert error.value.response["TurkErrorCode"] == "AWS.MechanicalTurk.HITAlreadyExists"
    assert hits(hasty)[0] in error.value.response["Error"]["Message"]


def test_a_fault_of_one_operation_leaves_the_others_alone(server: Running, hasty: Any) -> None:
    server.faults("fail", operation="GetAccountBalance")
    hits(hasty)
    with pytest.raises(ClientError):
        hasty.get_account_balance()
    hasty.get_account_balance()


@pytest.mark.parametrize(
    "document",
    [[], {}, {"kind": "burn"}, {"kind": "fail", "calls": -1}, {"kind": "fail", "calls": True},
     {"kind": "fail", "operation": 3}, {"kind": "fail", "more": 1}, {"kind": []}],
)  # fmt: skip
def test_a_plan_that_is_none(server: Running, document: Any) -> None:
    answer = requests.post(f"{server.endpoint}/sandbox/faults", json=document)
    assert answer.status_code == 400


def test_plans_can_be_taken_back(server: Running, hasty: Any) -> None:
    server.faults("fail", 3)
    server.faults("fail", 0)
    hasty.get_account_balance()


def test_no_faults_outside_a_sandbox(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db") as server:
        answer = requests.post(f"{server.endpoint}/sandbox/faults", json={"kind": "fail"})
        assert answer.status_code == 404


def test_a_key_that_calls_too_fast_is_throttled_and_carries_on(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db", sandbox=True, api_rate=1.0) as server:
        fast, other = add_key(server.db), add_key(server.db)
        hasty, patient = client(server, fast), client(server, fast, attempts=6)
        with pytest.raises(ClientError) as error:
            for _ in range(30):  # no machine needs a second for each
                hasty.get_account_balance()
        assert error.value.response["Error"]["Code"] == "ThrottlingException"
        client(server, other).get_account_balance()  # another key has its own measure
        assert patient.list_hits()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_the_command_offers_the_same_rate() -> None:
    [rate] = [option for option in serve.params if option.name == "api_rate"]
    assert rate.default == API_RATE


def test_the_measure_of_a_key() -> None:
    now = 0.0
    throttle = Throttle(2.0, lambda: now)

    def count() -> int:
        taken = 0
        while True:
            try:
                throttle.take("k")
            except ApiError:
                return taken
            taken += 1

    assert count() == 4  # two seconds' worth at once
    now = 1.0
    assert count() == 2
    now = 1.25
    assert count() == 0
    now = 1.5
    assert count() == 1
    now = 1e6
    assert count() == 4
