"""What every store of images does: a folder, and S3 over real HTTP."""

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from support.s3 import s3_server

from replicate.base.blobs import Blobs, below, open_blobs
from replicate.base.digests import sha256_bytes
from replicate.base.errors import MissingError, ReplicateError, UsageError
from replicate.base.s3 import S3Blobs

NONE = "0" * 64
BUCKET = "photos"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server(BUCKET, "other") as address:
        yield address


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path: Path, s3: str) -> str:
    return (
        str(tmp_path / "blobs") if request.param == "folder" else f"s3://{BUCKET}/{tmp_path.name}"
    )


def test_a_whole_bucket_can_be_a_store(s3: str):
    store = open_blobs("s3://other/")
    digest = store.put(b"in no folder")
    assert store.where(digest) == f"s3://other/{digest[:2]}/{digest}"
    assert store.missing([digest, *(sha256_bytes(b"%d" % n) for n in range(250))])[0] != digest


def test_content_is_kept_once_and_found_by_its_name(place: str):
    store = open_blobs(place)
    assert store.location == place
    digest = store.put(b"one")
    assert digest == sha256_bytes(b"one") == store.put(b"one")
    assert store.get(digest) == b"one"
    assert store.exists(digest)
    assert store.where(digest) == f"{place}/{digest[:2]}/{digest}"
    assert store.put(b"") == sha256_bytes(b"")
    assert store.get(sha256_bytes(b"")) == b""
    assert open_blobs(store.location).get(digest) == b"one"


def test_what_is_not_there_is_said_so(place: str):
    store = open_blobs(place)
    store.put(b"one")
    assert not store.exists(NONE)
    assert not store.delete(NONE)
    with pytest.raises(FileNotFoundError):
        store.get(NONE)
    with pytest.raises(FileNotFoundError):
        open_blobs(below(place, "more")).adopt(store, NONE)


def test_content_can_be_deleted(place: str):
    store = open_blobs(place)
    digest = store.put(b"one")
    assert store.delete(digest)
    assert not store.exists(digest)
    assert store.put(b"one") == digest
    assert store.get(digest) == b"one"


@pytest.mark.parametrize("number", [3, 250])
def test_what_is_missing_of_few_and_of_many(place: str, number: int):
    store = open_blobs(place)
    there = [store.put(b"%d" % n) for n in range(3)]
    absent = [sha256_bytes(b"no %d" % n) for n in range(number)]
    assert store.missing([absent[0], *there, *absent[1:]]) == absent
    assert store.missing([]) == []


def test_many_threads_may_put_the_same(place: str):
    store = open_blobs(place)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(store.put, [b"same"] * 24))
    assert [store.get(digest) for digest in found] == [b"same"]


def test_a_store_can_be_sent_to_another_process(place: str):
    store = open_blobs(place)
    digest = store.put(b"one")
    assert pickle.loads(pickle.dumps(store)).get(digest) == b"one"


@pytest.mark.parametrize("other", ["same kind", "other kind"])
def test_a_store_takes_over_what_another_holds(place: str, tmp_path: Path, s3: str, other: str):
    first = open_blobs(below(place, "first"))
    remote = place.startswith("s3://")
    elsewhere = str(tmp_path / "second") if remote else f"s3://other/{tmp_path.name}"
    second: Blobs = open_blobs(below(place, "second") if other == "same kind" else elsewhere)
    digest = first.put(b"content")
    assert second.adopt(first, digest) == second.adopt(first, digest) == digest
    first.delete(digest)
    assert second.get(digest) == b"content"


@pytest.mark.parametrize("place", ["s3://", "gs://bucket/x", "https://bucket/x"])
def test_places_that_are_none_are_refused(place: str):
    with pytest.raises(UsageError):
        open_blobs(place)


USES: list[Callable[[S3Blobs], object]] = [
    lambda store: store.put(b"one"),
    lambda store: store.get(NONE),
    lambda store: store.exists(NONE),
    lambda store: store.missing([sha256_bytes(b"%d" % n) for n in range(300)]),
]


@pytest.mark.parametrize("use", USES)
def test_a_missing_bucket_is_one_clear_message(s3: str, use):
    with pytest.raises(MissingError, match="no bucket 'nowhere'") as caught:
        use(S3Blobs("nowhere", "x"))
    assert "aws s3 mb s3://nowhere" in caught.value.hint


@pytest.mark.parametrize("use", USES)
def test_missing_keys_are_one_clear_message(s3: str, monkeypatch, use):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(MissingError, match="no keys") as caught:
        use(S3Blobs(BUCKET))
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


class Faulty(BaseHTTPRequestHandler):
    """A store that fails as its test says, one answer after another."""

    protocol_version = "HTTP/1.1"
    answers: list[tuple[int, str, bytes]]
    asked: list[tuple[str, str | None]]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.asked.append((self.command, self.headers.get("if-none-match")))
        status, code, body = self.answers.pop(0)
        text = body or f"<Error><Code>{code}</Code><Message>planted</Message></Error>".encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text) + (5 if code == "cut" else 0)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(text)
        self.close_connection = True

    do_GET = do_PUT = _answer  # noqa: N815


@pytest.fixture
def faulty(s3: str, monkeypatch) -> Iterator[type[Faulty]]:
    kind = type("Own", (Faulty,), {"answers": [], "asked": []})
    server = HTTPServer(("127.0.0.1", 0), kind)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_address[1]}")
    yield kind
    server.shutdown()
    thread.join()
    server.server_close()


def test_putting_is_conditional_where_the_store_knows_conditions(faulty):
    faulty.answers += [(412, "PreconditionFailed", b"")]
    S3Blobs(BUCKET).put(b"one")
    assert faulty.asked == [("PUT", "*")]
    faulty.asked.clear()
    faulty.answers += [(501, "NotImplemented", b""), (200, "", b"<a/>")]
    S3Blobs(BUCKET).put(b"one")
    assert faulty.asked[-1] == ("PUT", None)


def test_what_comes_cut_or_changed_is_asked_for_again(faulty):
    faulty.answers += [(200, "cut", b"on"), (200, "", b"uno"), (200, "", b"one")]
    assert S3Blobs(BUCKET).get(sha256_bytes(b"one")) == b"one"
    faulty.answers += [(200, "", b"uno")] * 5
    with pytest.raises(ReplicateError, match="not hold what its name says"):
        S3Blobs(BUCKET).get(sha256_bytes(b"one"))


def test_a_store_that_fails_for_a_moment_is_asked_again(faulty, monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    faulty.answers += [(503, "SlowDown", b""), (500, "InternalError", b""), (200, "", b"one")]
    assert S3Blobs(BUCKET).get(sha256_bytes(b"one")) == b"one"


@pytest.mark.parametrize(
    ("status", "code", "error", "hint"),
    [
        (403, "AccessDenied", UsageError, "s3:GetObject"),
        (403, "InvalidAccessKeyId", UsageError, "AWS_ACCESS_KEY_ID"),
        (400, "SomethingElse", ReplicateError, "carries on"),
    ],
)
def test_a_refusal_is_one_clear_message(faulty, status: int, code: str, error, hint: str):
    faulty.answers += [(status, code, b"")]
    with pytest.raises(error) as caught:
        S3Blobs(BUCKET).get(NONE)
    assert hint in caught.value.hint


def test_a_store_that_is_not_there_is_one_clear_message(s3: str, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with pytest.raises(ReplicateError, match="cannot be reached") as caught:
        S3Blobs(BUCKET).put(b"one")
    assert "127.0.0.1:1" in caught.value.hint
