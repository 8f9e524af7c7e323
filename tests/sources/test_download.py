import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from support.flickr import picture

from replicate.sources.download import Download, Downloader, Limits, Outcome

PNG = picture(5)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: dict[str, int]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        name = self.path.split("?")[0]
        self.asked[name] = self.asked.get(name, 0) + 1
        PAGES.get(name, missing)(self, self.asked[name])

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        headers = {"content-type": "image/png", "content-length": str(len(body))} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def missing(handler: Handler, times: int) -> None:
    handler.answer(404)


def cut(handler: Handler, times: int) -> None:
    handler.answer(200, PNG[:30], content_length=str(len(PNG)))
    handler.close_connection = True


def slow(handler: Handler, times: int) -> None:
    time.sleep(1.0)
    handler.answer(200, PNG)


def throttle(handler: Handler, times: int) -> None:
    if times == 1:
        handler.answer(429, retry_after="2")
    else:
        handler.answer(200, PNG)


def animation(handler: Handler, times: int) -> None:
    import io

    buffer = io.BytesIO()
    frames = [Image.new("L", (4, 4), value) for value in (0, 200)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    handler.answer(200, buffer.getvalue(), content_type="image/gif")


PAGES: dict[str, Callable[[Handler, int], None]] = {
    "/good.png": lambda h, _: h.answer(200, PNG),
    "/stream.png": lambda h, _: h.answer(200, PNG, content_type="application/octet-stream"),
    "/gone.png": lambda h, _: h.answer(410),
    "/private.png": lambda h, _: h.answer(403),
    "/teapot.png": lambda h, _: h.answer(418),
    "/html.png": lambda h, _: h.answer(200, b"<html>", content_type="text/html; charset=utf-8"),
    "/lie.png": lambda h, _: h.answer(200, b"<html>"),
    "/empty.png": lambda h, _: h.answer(200, b""),
    "/half.png": lambda h, _: h.answer(200, picture(5, side=300)[:-30]),
    "/cut.png": cut,
    "/slow.png": slow,
    "/throttled.png": throttle,
    "/animated.gif": animation,
    "/long-wait.png": lambda h, _: h.answer(429, retry_after="100"),
    "/always500.png": lambda h, _: h.answer(503),
    "/once500.png": lambda h, times: h.answer(500) if times == 1 else h.answer(200, PNG),
    "/moved.png": lambda h, _: h.answer(302, location="/good.png"),
    "/circle.png": lambda h, _: h.answer(302, location="/circle.png"),
    "/dead.png": lambda h, _: h.answer(302, location="/images/photo_unavailable_l.png"),
    "/images/photo_unavailable_l.png": lambda h, _: h.answer(200, PNG),
}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    disable_nagle_algorithm = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up early are what some tests are about."""


@contextmanager
def serving() -> Iterator[tuple[str, dict[str, int]]]:
    asked: dict[str, int] = {}
    server = Server(("127.0.0.1", 0), type("Own", (Handler,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving() as (address, _):
        yield address


def fetch(urls: list[str], sleep: Callable[[float], None] = lambda _: None, **limits):
    with Downloader(Limits(**{"timeout": 5.0, **limits}), sleep=sleep) as downloader:
        return list(downloader.fetch(Download(url, url) for url in urls))


@pytest.mark.parametrize(
    ("name", "reason", "attempts"),
    [
        ("good.png", None, 1),
        ("stream.png", None, 1),
        ("moved.png", None, 1),
        ("gone.png", "gone", 1),
        ("nowhere.png", "gone", 1),
        ("private.png", "forbidden", 1),
        ("teapot.png", "refused", 1),
        ("html.png", "not_an_image", 1),
        ("lie.png", "not_an_image", 1),
        ("half.png", "truncated", 1),
        ("animated.gif", "animated", 1),
        ("dead.png", "placeholder", 1),
        ("circle.png", "refused", 1),
        ("empty.png", "empty", 3),
        ("cut.png", "cut", 3),
        ("always500.png", "server_error", 3),
    ],
)
def test_every_outcome_has_its_reason(base: str, name: str, reason: str | None, attempts: int):
    (outcome,) = fetch([f"{base}/{name}"])
    assert (outcome.reason, outcome.attempts) == (reason, attempts)
    assert (outcome.data == PNG) == (reason is None)
    assert outcome.size == ((24, 24) if reason is None else (0, 0))
    assert bool(outcome.message) == (reason is not None)


def test_what_fails_once_is_tried_again():
    with serving() as (base, asked):
        (outcome,) = fetch([f"{base}/once500.png"])
        assert (outcome.reason, outcome.attempts) == (None, 2)
        assert asked == {"/once500.png": 2}


def test_no_answer_in_time_is_a_timeout(base: str):
    (outcome,) = fetch([f"{base}/slow.png"], timeout=0.2, attempts=1)
    assert outcome.reason == "timeout"


def test_a_throttling_host_is_left_alone_as_long_as_it_asks():
    waits: list[float] = []
    with serving() as (base, _):
        (outcome,) = fetch([f"{base}/throttled.png"], sleep=waits.append)
    assert (outcome.reason, outcome.attempts) == (None, 2)
    assert max(waits) > 1.5


def test_whoever_leaves_does_not_wait_for_a_throttling_host():
    started = time.monotonic()
    with serving() as (base, _), Downloader(Limits(connections=2)) as downloader:
        urls = [f"{base}/good.png", *[f"{base}/long-wait.png?{i}" for i in range(9)]]
        next(downloader.fetch(Download(url, url) for url in urls))
    assert time.monotonic() - started < 20


def test_too_many_bytes_are_refused(base: str):
    (outcome,) = fetch([f"{base}/good.png"], max_bytes=20)
    assert outcome.reason == "too_large"


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://a/b.png", "http://", "file:///etc/hostname", "http://[bad/x"]
)
def test_addresses_that_are_none_are_refused(url: str):
    (outcome,) = fetch([url])
    assert outcome.reason == "refused"


def test_nobody_there_is_a_connection_error():
    (outcome,) = fetch(["http://127.0.0.1:1/x.png"], attempts=2)
    assert (outcome.reason, outcome.attempts) == ("connection", 2)


def test_outcomes_come_in_the_order_of_the_requests(base: str):
    urls = [f"{base}/{name}?{i}" for i in range(40) for name in ("good.png", "gone.png")]
    outcomes: list[Outcome] = fetch(urls, connections=8)
    assert [outcome.key for outcome in outcomes] == urls
    assert [outcome.reason for outcome in outcomes] == [None, "gone"] * 40


def test_only_a_few_downloads_are_held_at_a_time(base: str):
    taken = 0

    def endless() -> Iterator[Download]:
        nonlocal taken
        while True:
            taken += 1
            yield Download(str(taken), f"{base}/good.png")

    with Downloader(Limits(connections=2)) as downloader:
        outcomes = downloader.fetch(endless())
        for _ in range(5):
            next(outcomes)
        assert taken <= 5 + 8
        outcomes.close()


def test_files_are_read_only_where_that_is_allowed(tmp_path: Path):
    (tmp_path / "a b.png").write_bytes(PNG)
    urls = [(tmp_path / "a b.png").as_uri(), (tmp_path / "none.png").as_uri()]
    assert [outcome.reason for outcome in fetch(urls)] == ["refused", "refused"]
    good, bad = fetch(urls, allow_files=True)
    assert (good.data, good.reason, bad.reason) == (PNG, None, "gone")
