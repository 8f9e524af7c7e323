"""Any JSON at all, for any operation: an answer of the protocol, never a failure of the server."""

import json
import string
from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.crowd import Running, client, hit_values

from replicate.crowdserver.guard import MAX_BODY
from replicate.crowdserver.keys import add_key
from replicate.crowdserver.protocol import service_model
from replicate.crowdserver.requirements import LOCALE

from .calls import FORM, KEY, person, worker_id

OPERATIONS = sorted(service_model().operation_names)
TEXT = st.text(max_size=30) | st.sampled_from(
    ["", " ", "\x00", "\ud800", "A" * 300, "é" * 33_000, "%_\\", "9" * 5000, "1.", "0.5", "-1",
     "<a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", hit_values()["Question"]],
)  # fmt: skip
NUMBERS = st.integers() | st.sampled_from([-(2**63), 2**31, 2**63, 0, 1, 10, 30, 101, 10**400])
FLOATS = st.floats() | st.sampled_from([1e11, -1e11, 1e308, 0.0, 4e9])
JUNK = st.recursive(
    st.none() | st.booleans() | NUMBERS | FLOATS | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
Send = Callable[[str, bytes], requests.Response]


@pytest.fixture(scope="module")
def known(server: Running) -> dict[str, list[Any]]:
    """Sensible values by the names of parameters, so that calls get beyond the first check."""
    requester = client(server, add_key(server.db, "fuzz"))
    hits = [requester.create_hit(**hit_values(MaxAssignments=n))["HIT"] for n in (1, 5, 12)]
    kinds = [
        requester.create_qualification_type(
            Name=f"fuzzed {n}", Description="d", QualificationTypeStatus="Active"
        )["QualificationType"]["QualificationTypeId"]
        for n in range(2)
    ]
    done = person(server, "fuzz").do(hits[1]["HITId"])
    return {
        "HITId": [hit["HITId"] for hit in hits],
        "HITTypeId": [hits[0]["HITTypeId"]],
        "QualificationTypeId": [*kinds, LOCALE],
        "AssignmentId": [done],
        "WorkerId": [worker_id(server, "fuzz")],
        "WorkerIds": [[worker_id(server, "fuzz")]],
        "Question": [hit_values()["Question"], FORM],
        "Reward": ["0.1", "2."],
        "BonusAmount": ["1.50"],
        "Test": [FORM],
        "AnswerKey": [KEY],
        "Name": [f"named {n}" for n in range(50)],
        "Country": ["US", "DE"],
        "Subdivision": ["CA"],
        "Query": ["fuzzed", "%"],
        "LifetimeInSeconds": [3600],
        "AssignmentDurationInSeconds": [600],
        "AutoApprovalDelayInSeconds": [60],
        "MaxAssignments": [3],
        "NumberOfAdditionalAssignments": [1],
        "TestDurationInSeconds": [60],
        "RetryDelayInSeconds": [60],
        "MaxResults": [1, 100],
        "HITLayoutId": [None],
        "HITLayoutParameters": [None],
        "AssignmentReviewPolicy": [None],
        "HITReviewPolicy": [None],
        "NextToken": [None],
    }


@pytest.fixture(scope="module")
def send(server: Running) -> Send:
    credentials = Credentials(*add_key(server.db, "fuzz"))
    session = requests.Session()

    def call(operation: str, body: bytes) -> requests.Response:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"MTurkRequesterServiceV20170117.{operation}",
        }
        request = AWSRequest("POST", f"{server.endpoint}/", headers=headers, data=body)
        SigV4Auth(credentials, "mturk-requester", "us-east-1").add_auth(request)
        return session.post(f"{server.endpoint}/", data=body, headers=dict(request.headers))

    return call


def fitting(shape: Any, known: dict[str, list[Any]], name: str = "") -> st.SearchStrategy[Any]:
    """Values that have the form of a shape, and are mostly sensible."""
    sensible, any_value = known.get(name), _fitting(shape, known)
    if not sensible:
        return any_value
    return st.integers(0, 11).flatmap(lambda n: st.sampled_from(sensible) if n else any_value)


def _fitting(shape: Any, known: dict[str, list[Any]]) -> st.SearchStrategy[Any]:
    kind = shape.type_name
    if kind == "structure":
        members = {name: fitting(member, known, name) for name, member in shape.members.items()}
        needed = {name: members.pop(name) for name in shape.required_members}
        return st.fixed_dictionaries(needed, optional=members)
    if kind == "list":
        return st.lists(fitting(shape.member, known), max_size=3)
    if kind == "string":
        usual = st.sampled_from(shape.enum or ["text", "3A", "A1"])
        letters = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=20)
        return st.one_of(usual, usual, usual, letters, TEXT)
    plain = {"boolean": st.booleans(), "timestamp": FLOATS | st.integers(0, 2**33)}
    return plain.get(kind, st.integers(0, 200) | st.integers(1, 20) | NUMBERS)


def check(operation: str, answer: requests.Response) -> None:
    if len(answer.request.body or b"") > MAX_BODY:
        assert answer.status_code == 413
        return
    assert answer.status_code in (200, 400), answer.text[:500]
    document = answer.json()
    if answer.status_code == 400:
        assert document["__type"] in ("RequestError", "SerializationException")
        assert document["Message"].strip()
        assert ("TurkErrorCode" in document) == (document["__type"] == "RequestError")
    else:
        shape = service_model().operation_model(operation).output_shape
        report = ParamValidator().validate(document, shape)
        assert not report.has_errors(), report.generate_report()


FUZZ = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
                                          HealthCheck.data_too_large, HealthCheck.filter_too_much]
)  # fmt: skip


@settings(FUZZ, max_examples=120)
@given(operation=st.sampled_from(OPERATIONS), body=JUNK)
def test_any_json(send: Send, operation: str, body: Any) -> None:
    check(operation, send(operation, json.dumps(body).encode()))


@settings(FUZZ, max_examples=60)
@given(operation=st.sampled_from(OPERATIONS), body=st.binary(max_size=60))
def test_any_bytes(send: Send, operation: str, body: bytes) -> None:
    check(operation, send(operation, body))


@settings(FUZZ, max_examples=350)
@given(data=st.data(), operation=st.sampled_from(OPERATIONS))
def test_requests_of_the_right_form(
    send: Send, known: dict[str, list[Any]], data: st.DataObject, operation: str
) -> None:
    shape = service_model().operation_model(operation).input_shape
    body = {} if shape is None else data.draw(fitting(shape, known))
    if data.draw(st.integers(0, 9)) == 0 and body:
        body[data.draw(st.sampled_from(sorted(body)))] = data.draw(JUNK)
    check(operation, send(operation, json.dumps(body).encode()))
