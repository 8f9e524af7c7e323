import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.crowd import html_question, running, simple_html

from replicate.base.errors import MissingError, ProviderError
from replicate.crowd.mturk import MTurkProvider
from replicate.crowd.providers import HitRequest
from replicate.crowdserver.admin import add_key

from .test_provider_contract import TERMS

KEYS = ("RPLAAAAAAAAAAAAAAAAA", "secret")


class _Endpoint:
    """Answers each operation with what a script says, and keeps what it was asked."""

    def __init__(self):
        self.script = []
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.headers["X-Amz-Target"].rpartition(".")[2], body))
                status, value = outer.script.pop(0)
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def endpoint():
    found = _Endpoint()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def test_throttling_and_server_faults_are_tried_again(endpoint):
    endpoint.script = [
        (400, {"__type": "ThrottlingException", "message": "slow down"}),
        (500, {"__type": "ServiceFault", "message": "oops"}),
        (200, {"AvailableBalance": "1.00"}),
    ]
    MTurkProvider(endpoint.url, *KEYS).check()
    assert [name for name, _ in endpoint.asked] == ["GetAccountBalance"] * 3


def test_it_gives_up_after_its_attempts(endpoint):
    endpoint.script = [(500, {"__type": "ServiceFault", "message": "oops"})] * 3
    with pytest.raises(ProviderError, match="oops"):
        MTurkProvider(endpoint.url, *KEYS, attempts=2).check()
    assert len(endpoint.asked) == 2


def test_a_refusal_is_not_tried_again(endpoint):
    endpoint.script = [(400, {"__type": "RequestError", "Message": "no such reward"})] * 2
    with pytest.raises(ProviderError, match="no such reward"):
        MTurkProvider(endpoint.url, *KEYS).hit_type(TERMS)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "message",
    [
        # as Amazon worded it, and as our own server does
        "The HIT with ID 3IJXV6UZ1XJBDAW3NUSG5YBB7J5IRU already exists. (1485460823)",
        "The HIT with ID 3IJXV6UZ1XJBDAW3NUSG5YBB7J5IRU already exists: its UniqueRequestToken "
        "was used before. (AWS.MechanicalTurk.HITAlreadyExists)",
    ],
)
def test_a_hit_that_exists_is_found_in_the_error(endpoint, message):
    code = "AWS.MechanicalTurk.HITAlreadyExists"
    endpoint.script = [(400, {"__type": "RequestError", "Message": message, "TurkErrorCode": code})]
    provider = MTurkProvider(endpoint.url, *KEYS)
    found = provider.publish(HitRequest("k", "<x/>"), "TYPE", TERMS)
    assert found == "3IJXV6UZ1XJBDAW3NUSG5YBB7J5IRU"


def test_another_error_with_an_id_in_it_is_an_error(endpoint):
    message = "HIT type 3IJXV6UZ1XJBDAW3NUSG5YBB7J5IRU does not exist."
    endpoint.script = [(400, {"__type": "RequestError", "Message": message})]
    with pytest.raises(ProviderError, match="does not exist"):
        MTurkProvider(endpoint.url, *KEYS).publish(HitRequest("k", "<x/>"), "TYPE", TERMS)


def test_all_pages_of_assignments_are_read(endpoint):
    def page(first, last, token=None):
        items = [
            {
                "AssignmentId": f"A{i}",
                "HITId": "H",
                "WorkerId": f"W{i}",
                "AssignmentStatus": "Submitted",
                "Answer": "<x/>",
            }
            for i in range(first, last)
        ]
        return 200, {"Assignments": items, "NumResults": len(items), "NextToken": token}

    # a page may be empty although others follow
    endpoint.script = [page(0, 100, "t1"), page(0, 0, "t2"), page(100, 130)]
    found = list(MTurkProvider(endpoint.url, *KEYS).assignments("H"))
    assert [item.assignment_id for item in found] == [f"A{i}" for i in range(130)]
    assert [body.get("NextToken") for _, body in endpoint.asked] == [None, "t1", "t2"]
    assert found[0].accepted is None


def test_nobody_listens():
    provider = MTurkProvider("http://127.0.0.1:9", *KEYS, attempts=1)
    with pytest.raises(ProviderError, match=r"http://127.0.0.1:9 does not answer") as caught:
        provider.check()
    assert "replicate crowd serve" in caught.value.hint


def test_wrong_keys_are_named_as_such(tmp_path):
    with running(tmp_path / "crowd.db", sandbox=True, seed=1) as server:
        good, _ = add_key(server.db)
        for key in ((good, "wrong"), KEYS):
            with pytest.raises(ProviderError, match="refuses the keys") as caught:
                MTurkProvider(server.endpoint, *key).check()
            assert "replicate crowd keys add" in caught.value.hint


def test_keys_come_from_the_environment(monkeypatch, endpoint):
    with pytest.raises(MissingError, match="REPLICATE_CROWD_ACCESS_KEY_ID"):
        MTurkProvider(endpoint.url)
    monkeypatch.setenv("REPLICATE_CROWD_ACCESS_KEY_ID", KEYS[0])
    with pytest.raises(MissingError, match="REPLICATE_CROWD_SECRET_ACCESS_KEY"):
        MTurkProvider(endpoint.url)
    monkeypatch.setenv("REPLICATE_CROWD_SECRET_ACCESS_KEY", KEYS[1])
    endpoint.script = [(200, {"AvailableBalance": "1.00"})]
    MTurkProvider(endpoint.url).check()


def test_an_address_that_is_none():
    with pytest.raises(MissingError, match="not the address"):
        MTurkProvider("nonsense", *KEYS)


def test_a_botocore_without_the_protocol_is_named(monkeypatch):
    import boto3

    monkeypatch.setattr(boto3.session.Session, "get_available_services", lambda self: ["s3"])
    with pytest.raises(MissingError, match="no longer ships the MTurk protocol") as caught:
        MTurkProvider("http://127.0.0.1:9", *KEYS)
    assert "pip install" in caught.value.hint


def test_the_longest_key_and_a_real_page_are_taken(tmp_path):
    question = html_question(simple_html(["a" * 64]))
    with running(tmp_path / "crowd.db", sandbox=True, seed=1) as server:
        provider = MTurkProvider(server.endpoint, *add_key(server.db))
        hit_type = provider.hit_type(TERMS)
        found = provider.publish(
            HitRequest("f" * 64, question, "digits: 3, page 1"), hit_type, TERMS
        )
        assert provider.progress(found).wanted == TERMS.assignments
