"""A wire between a requester and the crowd server on which things happen at chosen moments."""

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Hook = Callable[[], None]


@dataclass
class Wire:
    """What passes on the wire, and what happens to it.

    Attributes:
        target: The server's address; may change while the wire is used.
        before: Called when the n-th call of an operation arrives, before the server hears of it.
        after: Called when the server has answered it, before the answer is passed on; the answer
            is lost.
        passed: How often each operation reached the server.
        bodies: The bodies of the calls that reached the server, by operation.
    """

    target: str
    endpoint: str = ""
    before: dict[tuple[str, int], Hook] = field(default_factory=dict)
    after: dict[tuple[str, int], Hook] = field(default_factory=dict)
    passed: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, list[bytes]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def expect(self) -> None:
        """Forget what was planned, and count from the start."""
        self.before.clear()
        self.after.clear()
        self.seen.clear()


@contextmanager
def wire(target: str) -> Iterator[Wire]:
    """A wire to a server; its `endpoint` is what a requester is to be told."""
    state = Wire(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            state.seen[operation] += 1
            moment = (operation, state.seen[operation])
            if moment in state.before:
                state.before.pop(moment)()
                self.close_connection = True
                return
            status, headers, data = self._forward(body)
            state.passed[operation] += 1
            state.bodies.setdefault(operation, []).append(body)
            if moment in state.after:
                state.after.pop(moment)()
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("connection", "date", "server", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(urlsplit(state.target).netloc, timeout=30)
            # The headers as they came: the signature covers the host that the requester knows.
            connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            return answer.status, answer.getheaders(), data

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
