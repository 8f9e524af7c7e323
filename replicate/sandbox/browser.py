"""A small browser for simulated workers: one kept-alive connection, cookies, redirects, forms.

A crowd fetches tens of thousands of small images, so all images of a page are asked for at once
on the one connection (HTTP/1.1 pipelining) and read as they come: that costs a tenth of what one
call after the other costs through a general client. Plain HTTP only: the sandbox is local.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

from replicate.base.errors import ProviderError

REDIRECTS = (301, 302, 303, 307, 308)
MAX_HOPS = 5
ATTEMPTS = 5
BUSY = (429, 502, 503, 504)
BUFFER = 1 << 16


@dataclass(frozen=True)
class Page:
    """What came back.

    Attributes:
        status: The HTTP status, after redirects.
        url: The address it came from, after redirects.
        body: The content.
    """

    status: int
    url: str
    body: bytes

    @property
    def text(self) -> str:
        """The content as text."""
        return self.body.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str | None
    cookies: list[str]
    body: bytes
    last: bool


class Browser:
    """One worker's browser, for one server.

    Args:
        origin: Scheme, host and port, such as ``http://127.0.0.1:8700``; a path is ignored.
        timeout: Seconds to wait for an answer.

    Raises:
        ProviderError: The address is not one of plain HTTP.
    """

    def __init__(self, origin: str, timeout: float = 60.0) -> None:
        parts = urlsplit(origin)
        if parts.scheme != "http" or not parts.hostname:
            raise ProviderError(
                f"Simulated workers cannot work at {origin}: they speak plain HTTP.",
                "Let them join the crowd server itself, on this machine.",
            )
        self.origin = f"http://{parts.netloc}"
        self._host = parts.netloc
        self._address = (parts.hostname, parts.port or 80)
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._reader: io.BufferedReader[socket.SocketIO] | None = None
        self._cookies: dict[str, str] = {}

    def close(self) -> None:
        """Close the connection."""
        if self._reader is not None:
            self._reader.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._reader = None

    def get(self, url: str) -> Page:
        """Fetch a page of the server, following redirects."""
        return self._follow("GET", url, None)

    def post(self, url: str, fields: dict[str, str]) -> Page:
        """Submit a form, following redirects as a browser does (with GET)."""
        return self._follow("POST", url, urlencode(fields).encode())

    def resolve(self, base: str, url: str) -> str:
        """The whole address that a page's link means.

        Args:
            base: The page's address.
            url: The link as it stands there.
        """
        if url.startswith("/") and not url.startswith("//"):
            return self.origin + url  # what our server sends, without taking addresses apart
        return urljoin(base, url)

    def images(self, urls: Sequence[str]) -> list[Page]:
        """Fetch all images of a page.

        Args:
            urls: Their addresses.

        Returns:
            What came back, in the same order. Redirects are not followed.
        """
        found = self._exchange([self._request("GET", url, None) for url in urls])
        return [Page(a.status, url, a.body) for url, a in zip(urls, found, strict=True)]

    def _follow(self, method: str, url: str, body: bytes | None) -> Page:
        url = urljoin(self.origin, url)
        for _ in range(MAX_HOPS):
            (answer,) = self._exchange([self._request(method, url, body)])
            if answer.status not in REDIRECTS or answer.location is None:
                return Page(answer.status, url, answer.body)
            url = urljoin(url, answer.location)
            if answer.status not in (307, 308):
                method, body = "GET", None
        raise ProviderError(f"The crowd server redirects in circles at {url}.")

    def _request(self, method: str, url: str, body: bytes | None) -> bytes:
        if not url.startswith("/"):
            start, url = url[: len(self.origin)], url[len(self.origin) :] or "/"
            if start != self.origin or not url.startswith("/"):
                raise ProviderError(f"The crowd server sends its workers elsewhere: {start}{url}")
        lines = [f"{method} {url.partition('#')[0]} HTTP/1.1", f"Host: {self._host}"]
        if self._cookies:
            lines.append("Cookie: " + "; ".join(f"{k}={v}" for k, v in self._cookies.items()))
        if body is not None:
            lines.append(f"Origin: {self.origin}")
            lines.append("Content-Type: application/x-www-form-urlencoded")
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace") + (body or b"")

    def _exchange(self, requests: list[bytes]) -> list[_Answer]:
        """Send requests and read their answers; what was lost on the way is sent again.

        Sending again is safe: accepting or submitting the same twice is the same as once.
        """
        answers: list[_Answer] = []
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                while len(answers) < len(requests):
                    self._send(b"".join(requests[len(answers) :]))
                    self._read(len(requests), answers, last)
            except (OSError, EOFError, ValueError) as error:
                self.close()
                if last:
                    raise ProviderError(
                        f"The crowd server at {self.origin} does not answer: {error}",
                        "Start it again: replicate crowd serve --db FILE --port PORT",
                    ) from error
                time.sleep(0.05 * 2**attempt)
            else:
                break
        return answers

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader = io.BufferedReader(self._socket.makefile("rb", 0), BUFFER)
        self._socket.sendall(data)

    def _read(self, wanted: int, answers: list[_Answer], last: bool) -> None:
        """Read answers until all are there or the server closes the connection."""
        if self._reader is None:
            raise EOFError("there is no connection")
        while len(answers) < wanted:
            answer = _read_answer(self._reader)
            if answer.status in BUSY and not last:
                raise EOFError(f"the server is busy ({answer.status})")
            self._keep_cookies(answer.cookies)
            answers.append(answer)
            if answer.last:
                self.close()
                return

    def _keep_cookies(self, lines: list[str]) -> None:
        for line in lines:
            try:
                parsed = SimpleCookie(line)
            except CookieError:
                continue
            for name, morsel in parsed.items():
                if morsel["max-age"] == "0":
                    self._cookies.pop(name, None)
                else:
                    self._cookies[name] = morsel.value


def _read_answer(reader: io.BufferedReader[socket.SocketIO]) -> _Answer:
    """One HTTP answer.

    Raises:
        EOFError: The connection ended within it.
        ValueError: It is not HTTP/1.1 with a stated length.
    """
    first = reader.readline(BUFFER)
    if not first:
        raise EOFError("the connection was closed")
    parts = first.split(None, 2)
    if len(parts) < 2 or not first.startswith(b"HTTP/1."):
        raise ValueError("the answer is not HTTP")
    status, length, location, last = int(parts[1]), -1, None, False
    cookies = []
    while (line := reader.readline(BUFFER)) not in (b"\r\n", b"\n"):
        name, _, text = line.partition(b":")
        match name.lower():
            case b"content-length":
                length = int(text)
            case b"location":
                location = text.strip().decode("latin-1")
            case b"set-cookie":
                cookies.append(text.strip().decode("latin-1"))
            case b"connection":
                last = text.strip().lower() == b"close"
            case b"":
                raise EOFError("the connection was closed")
    if length < 0 and status not in (204, 304):
        raise ValueError("the answer does not say how long it is")
    body = reader.read(max(length, 0))
    if len(body) < length:
        raise EOFError("the connection was closed")
    return _Answer(status, location, cookies, body, last)
