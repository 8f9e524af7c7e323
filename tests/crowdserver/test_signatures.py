"""Signature Version 4: against botocore's signer, and against a running server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.crowd import Running, client

from replicate.crowdserver.admin import add_key
from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.signatures import SignedRequest, verify

URL = "http://127.0.0.1:8800/"


def sign(body: bytes, secret: str = "s", service: str = "mturk-requester", query: str = "") -> Any:
    request = AWSRequest("POST", URL + query, data=body, headers={"X-Amz-Target": "a  b"})
    SigV4Auth(Credentials("KEY", secret), service, "eu-west-3").add_auth(request)
    return request


def signed(body: bytes, request: Any, query: str = "") -> SignedRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return SignedRequest("POST", "/", query, {"host": "127.0.0.1:8800", **headers}, body)


def check(request: SignedRequest, secret: str | None = "s", late: float = 0.0) -> str:
    now = datetime.now(UTC) + timedelta(seconds=late)
    return verify(request, lambda key: secret if key == "KEY" else None, now)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_what_botocore_signs_is_believed(body: bytes) -> None:
    request = sign(body, query="?b=2&a=%20x")
    assert check(signed(body, request, "b=2&a=%20x")) == "KEY"


@pytest.mark.parametrize(
    ("body", "secret", "service", "late", "kind"),
    [
        (b"{ }", "s", "mturk-requester", 0, "InvalidSignatureException"),
        (b"{}", "other", "mturk-requester", 0, "InvalidSignatureException"),
        (b"{}", "s", "sqs", 0, "InvalidSignatureException"),
        (b"{}", "s", "mturk-requester", 1000, "InvalidSignatureException"),
        (b"{}", "s", "mturk-requester", -1000, "InvalidSignatureException"),
        (b"{}", None, "mturk-requester", 0, "UnrecognizedClientException"),
    ],
)
def test_everything_else_is_not(
    body: bytes, secret: str | None, service: str, late: float, kind: str
) -> None:
    request = sign(b"{}", service=service)
    with pytest.raises(ApiError) as error:
        check(signed(body, request), secret, late)
    assert (error.value.kind, error.value.status) == (kind, 403)


@pytest.mark.parametrize("name", ["authorization", "x-amz-date", "host"])
def test_headers_that_are_missing_or_changed(name: str) -> None:
    good = signed(b"{}", sign(b"{}"))
    for value in ("", "20260101T000000Z"):
        changed = SignedRequest("POST", "/", "", {**good.headers, name: value}, b"{}")
        with pytest.raises(ApiError):
            check(changed)


def test_signed_headers_must_hold_host_and_date() -> None:
    good = signed(b"{}", sign(b"{}"))
    text = good.headers["authorization"].replace("host;", "")
    with pytest.raises(ApiError, match="must be signed"):
        check(SignedRequest("POST", "/", "", {**good.headers, "authorization": text}, b"{}"))


def test_keys_of_a_running_server(server: Running) -> None:
    access, secret = add_key(server.db)
    assert client(server, (access, secret)).get_account_balance()
    with pytest.raises(ClientError) as error:
        client(server, (access, secret + "x")).get_account_balance()
    assert error.value.response["Error"]["Code"] == "InvalidSignatureException"
    with pytest.raises(ClientError) as error:
        client(server, ("NOBODY", secret)).get_account_balance()
    assert error.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_an_unsigned_request_learns_nothing(server: Running) -> None:
    target = "MTurkRequesterServiceV20170117.ListHITs"
    for headers in ({}, {"X-Amz-Target": target}, {"X-Amz-Target": target, "Authorization": "x"}):
        answer = requests.post(server.endpoint, data="{}", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["__type"] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("ListHITs", b"{", "SerializationException"),
        ("ListHITs", b"[]", "SerializationException"),
        ("ListHITs", b"[" * 5000, "SerializationException"),
        ("ListHITs", b'{"Nonsense": 1}', "RequestError"),
        ("ListHITs", b'{"MaxResults": "5"}', "RequestError"),
        ("ListHITs", b'{"MaxResults": true}', "RequestError"),
        ("UpdateExpirationForHIT", b'{"HITId": "A", "ExpireAt": NaN}', "RequestError"),
        ("UpdateExpirationForHIT", b'{"HITId": "A", "ExpireAt": "now"}', "RequestError"),
        ("GetHIT", b"{}", "RequestError"),
        ("Nonsense", b"{}", "UnknownOperationException"),
    ],
)
def test_requests_that_no_client_would_send(
    server: Running, target: str, body: bytes, kind: str
) -> None:
    access, secret = add_key(server.db)
    name = f"MTurkRequesterServiceV20170117.{target}"
    request = AWSRequest("POST", server.endpoint + "/", data=body, headers={"X-Amz-Target": name})
    SigV4Auth(Credentials(access, secret), "mturk-requester", "us-east-1").add_auth(request)
    answer = requests.post(server.endpoint, data=body, headers=dict(request.headers))
    assert answer.status_code == 400
    assert answer.json()["__type"] == kind
    assert "Traceback" not in answer.text
