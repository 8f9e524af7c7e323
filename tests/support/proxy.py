"""A small reverse proxy, as it may stand before the server."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_OWN = {"connection", "transfer-encoding", "keep-alive", "x-forwarded-for", "x-forwarded-proto"}


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else None
        seen = self.headers.get("X-Forwarded-For")
        client = self.client_address[0]
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _OWN}
        headers["X-Forwarded-For"] = f"{seen}, {client}" if seen else client
        headers["X-Forwarded-Proto"] = "http"
        server = self.server
        assert isinstance(server, Proxy)
        back = http.client.HTTPConnection(*server.target, timeout=30)
        try:
            back.request(self.command, self.path, body, headers)
            answer = back.getresponse()
            content = answer.read()
        finally:
            back.close()
        server.passed += 1
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _OWN | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_HEAD = forward  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass


class Proxy(ThreadingHTTPServer):
    """The proxy; it is told later where to."""

    daemon_threads = True
    target = ("127.0.0.1", 0)
    passed = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def lead_to(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self.target = (str(parts.hostname), int(parts.port or 80))


@contextmanager
def proxy() -> Iterator[Proxy]:
    """A running proxy."""
    server = Proxy(("127.0.0.1", 0), _Forward)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
