"""A server of images on loopback, with everything that can go wrong with an answer."""

import gzip
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from replicate.sources.download import Download, Downloader, Limits, Outcome
from support.flickr import picture

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
        handler.answer(429, retry_after="1")
    else:
        handler.answer(200, PNG)


def throttle_503(handler: Handler, times: int) -> None:
    if times == 1:
        until = formatdate(time.time() + 1.5, usegmt=True)
        handler.answer(503, retry_after=until)
    else:
        handler.answer(200, PNG)


def drip(handler: Handler, times: int) -> None:
    handler.answer(200, content_length="1000")
    with suppress(OSError):
        for _ in range(1000):
            handler.wfile.write(b"a")
            time.sleep(0.005)
    handler.close_connection = True


def endless(handler: Handler, times: int) -> None:
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(b"8\r\n" + b"x" * 8 + b"\r\n")
    handler.close_connection = True


class Busy:
    """Counts the requests that each server has at a time."""

    lock = threading.Lock()
    now: ClassVar[Counter[int]] = Counter()
    most: ClassVar[Counter[int]] = Counter()


def busy(handler: Handler, times: int) -> None:
    port = handler.server.server_address[1]
    with Busy.lock:
        Busy.now[port] += 1
        Busy.most[port] = max(Busy.most[port], Busy.now[port])
    time.sleep(0.01)
    with Busy.lock:
        Busy.now[port] -= 1
    handler.answer(200, PNG)


def redirect(location: str) -> Callable[[Handler, int], None]:
    return lambda handler, _: handler.answer(302, location=location)


PAGES: dict[str, Callable[[Handler, int], None]] = {
    "/good.png": lambda h, _: h.answer(200, PNG),
    "/stream.png": lambda h, _: h.answer(200, PNG, content_type="application/octet-stream"),
    "/gone.png": lambda h, _: h.answer(410),
    "/private.png": lambda h, _: h.answer(403),
    "/teapot.png": lambda h, _: h.answer(418),
    "/html.png": lambda h, _: h.answer(200, b"<html>", content_type="text/html; charset=utf-8"),
    "/empty.png": lambda h, _: h.answer(200, b""),
    "/cut.png": cut,
    "/slow.png": slow,
    "/throttled.png": throttle,
    "/throttled-503.png": throttle_503,
    "/drip.png": drip,
    "/endless.png": endless,
    "/busy.png": busy,
    "/packed.png": lambda h, _: h.answer(200, gzip.compress(PNG), content_encoding="gzip"),
    "/half-packed.png": lambda h, _: h.answer(
        200, gzip.compress(PNG)[:-9], content_encoding="gzip"
    ),
    "/packed-bomb.png": lambda h, _: h.answer(
        200, zlib.compress(bytes(10**7), 9)[:19], content_encoding="deflate"
    ),
    "/odd-coding.png": lambda h, _: h.answer(200, PNG, content_encoding="br"),
    "/bad-length.png": lambda h, _: h.answer(200, PNG, content_length="70, 71"),
    "/noai.png": lambda h, _: h.answer(200, PNG, x_robots_tag="noindex, noai"),
    "/away.png": redirect("file:///etc/hostname"),
    "/nowhere-else.png": lambda h, _: h.answer(302),
    "/always503.png": lambda h, _: h.answer(503),
    "/always429.png": lambda h, _: h.answer(429),
    "http://photos.invalid/by-proxy.png": lambda h, _: h.answer(200, PNG),
    "/long-wait.png": lambda h, _: h.answer(429, retry_after="100"),
    "/always500.png": lambda h, _: h.answer(500),
    "/once500.png": lambda h, times: h.answer(500) if times == 1 else h.answer(200, PNG),
    "/moved.png": redirect("/good.png"),
    "/circle.png": redirect("/circle.png"),
    "/dead.png": redirect("/images/photo_unavailable_l.png"),
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


def fetch(urls: list[str], **limits: Any) -> list[Outcome[str]]:
    """What comes of these downloads."""
    with Downloader(Limits(**{"timeout": 5.0, "backoff": 0.01, **limits})) as downloader:
        return list(downloader.fetch(Download(url, url) for url in urls))
