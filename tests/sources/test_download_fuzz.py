"""Whatever a server answers, every download ends with bytes or with a reason."""

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.image_files import bombs, grey_files, several_frames, whole_files
from support.image_server import PNG, fetch

from replicate.base.files import BlobStore
from replicate.sources.download import Outcome
from replicate.sources.keep import Keeper

REASONS = {
    "gone", "forbidden", "placeholder", "noai", "not_an_image", "cut", "empty", "too_large",
    "timeout", "connection", "throttled", "server_error", "refused",
}  # fmt: skip


class RawServer:
    """Answers every request with the same bytes, whatever they are, and hangs up."""

    def __init__(self) -> None:
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if not connection.recv(4096):
                    return  # closed at once: the end of the test
                try:
                    connection.sendall(self.answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
                except OSError:
                    continue

    def close(self) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def raw() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


NAMES = st.sampled_from(
    ["content-length", "content-type", "content-encoding", "transfer-encoding", "location",
     "retry-after", "x-robots-tag", "date", "connection", "set-cookie", "", "content length"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["0", "5", "-1", "99999999999999999999", "1e3", "image/png", "gzip", "br", "chunked",
         "identity, chunked", "/good.png", "http://[", "file:///etc/passwd", "//", "noai", ": noai",
         "Wed, 25 Nov 2026 08:00:30 GMT", "bot: noai, x", "http://127.0.0.1:99999/", "\x00"]
    ),
    st.text(max_size=12),
)  # fmt: skip
STATUS = st.sampled_from([b"200 OK", b"301 Gone", b"302 F", b"404", b"429 Slow", b"503 x", b"999 y",
                          b"100 Continue", b"204 No", b"206 P", b"0", b"abc", b""])  # fmt: skip


@settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    STATUS, st.lists(st.tuples(NAMES, VALUES), max_size=4), st.binary(max_size=40) | st.just(PNG)
)
@example(b"200 OK", [("transfer-encoding", "chunked")], b"5\r\nabc")
@example(b"200 OK", [("transfer-encoding", "chunked")], b"ffffffffffffffffffff\r\nabc")
@example(b"200 OK", [("content-encoding", "gzip")], b"\x1f\x8b")
def test_any_answer_is_bytes_or_a_reason(raw: RawServer, status, headers, body):
    lines = [b"HTTP/1.1 " + status]
    lines += [f"{name}: {value}".encode(errors="replace") for name, value in headers]
    raw.answer = b"\r\n".join([*lines, b"", body])
    url = f"http://127.0.0.1:{raw.port}/a.png"
    (outcome,) = fetch([url], timeout=2.0, attempts=1, longest_wait=0.01, max_bytes=1000)
    assert (outcome.data is None) == (outcome.reason in REASONS)
    assert outcome.reason is None or outcome.message


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=60))
def test_any_bytes_instead_of_an_answer_are_a_reason(raw: RawServer, answer: bytes):
    raw.answer = answer
    url = f"http://127.0.0.1:{raw.port}/a.png"
    (outcome,) = fetch([url], timeout=2.0, attempts=1)
    assert (outcome.data is None) == (outcome.reason in REASONS)


def test_processes_keep_what_one_keeps_and_nothing_that_is_refused(tmp_path):
    corpus = [*whole_files().values(), *grey_files().values(), *several_frames().values(),
              *bombs().values(), b"", b"<html>", whole_files()["bmp"][:400]]  # fmt: skip
    outcomes = [Outcome(number, 1, None, "", data) for number, data in enumerate(corpus)]
    outcomes.append(Outcome(len(corpus), 3, "gone", "status 404", None))
    found = []
    for workers in (1, 2):
        store = BlobStore(tmp_path / str(workers))
        found.append(list(Keeper(store, 80_000_000, 8).keep(outcomes, workers)))
        kept = {path.name for path in store.root.rglob("*") if path.is_file()}
        assert kept == {item.image_id for item in found[-1] if item.image_id}
    assert found[0] == found[1]
    assert [item.key for item in found[0]] == [outcome.key for outcome in outcomes]
    reasons = {item.reason for item in found[0]}
    assert reasons == {None, "animated", "too_large", "empty", "not_an_image", "truncated", "gone"}
