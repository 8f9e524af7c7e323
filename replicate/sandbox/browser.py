"""A small browser for simulated workers: one kept-alive connection, cookies, redirects, forms.

It is built on `http.client` because a crowd fetches tens of thousands of images: a request costs
a sixth of what it costs through requests.Session.
"""

import http.client
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

from replicate.base.errors import ProviderError

REDIRECTS = (301, 302, 303, 307, 308)
MAX_HOPS = 5
ATTEMPTS = 5
BUSY = (429, 502, 503, 504)


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


@dataclass
class Form:
    """A form of a page: where it goes, and its hidden fields."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Element:
    """A start tag that a worker cares for.

    Attributes:
        tag: Its name.
        attributes: Its attributes.
        form: A form's own record; for a list entry, the form in it.
        link: For a list entry, the address of the first link in it.
    """

    tag: str
    attributes: dict[str, str]
    form: Form | None = None
    link: str | None = None


class Browser:
    """One worker's browser, for one server.

    Args:
        origin: Scheme, host and port, such as ``http://127.0.0.1:8700``.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, origin: str, timeout: float = 60.0) -> None:
        parts = urlsplit(origin)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(parts.netloc, timeout=timeout)
        self._cookies: dict[str, str] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def get(self, url: str) -> Page:
        """Fetch a page or an image of the server, following redirects."""
        return self._follow("GET", url, None)

    def post(self, url: str, fields: dict[str, str]) -> Page:
        """Submit a form, following redirects as a browser does (with GET)."""
        return self._follow("POST", url, urlencode(fields).encode())

    def _follow(self, method: str, url: str, body: bytes | None) -> Page:
        url = urljoin(self.origin, url)
        for _ in range(MAX_HOPS):
            status, location, content = self._send(method, url, body)
            if status not in REDIRECTS or location is None:
                return Page(status, url, content)
            url = urljoin(url, location)
            if status not in (307, 308):
                method, body = "GET", None
        raise ProviderError(f"The crowd server redirects in circles at {url}.")

    def _send(self, method: str, url: str, body: bytes | None) -> tuple[int, str | None, bytes]:
        path = self._path(url)
        headers = {"Origin": self.origin} if method == "POST" else {}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self._cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        for attempt in range(ATTEMPTS):
            try:
                self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                # A kept-alive connection may be closed by the server at any time. Sending again
                # is safe: accepting and submitting twice are the same as once.
                self._connection.close()
                if attempt == ATTEMPTS - 1:
                    raise ProviderError(
                        f"The crowd server at {self.origin} does not answer: {error}",
                        "Start it again: replicate crowd serve --db FILE --port PORT",
                    ) from error
            else:
                self._keep_cookies(answer.headers.get_all("Set-Cookie") or [])
                if answer.status not in BUSY or attempt == ATTEMPTS - 1:
                    return answer.status, answer.getheader("Location"), content
            time.sleep(0.05 * 2**attempt)
        raise ProviderError(f"The crowd server at {self.origin} does not answer.")

    def _path(self, url: str) -> str:
        parts = urlsplit(url)
        if parts.netloc and f"{parts.scheme}://{parts.netloc}" != self.origin:
            raise ProviderError(f"The crowd server sends its workers elsewhere: {url}")
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

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


def elements(html: str) -> list[Element]:
    """What a worker cares for on a page, in its order.

    Images, forms, list entries, links to a next page, and whatever has ``data-`` attributes.

    >>> page = '<li data-hit-id="H"><form action="/a"><input type=hidden name=c value=1></form>'
    >>> [(e.tag, e.form) for e in elements(page)]
    [('li', Form(action='/a', hidden={'c': '1'})), ('form', Form(action='/a', hidden={'c': '1'}))]
    """
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return [
        Element(tag, attributes, parser.forms.get(index), parser.links.get(index))
        for index, (tag, attributes) in enumerate(parser.found)
    ]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.forms: dict[int, Form] = {}
        self.links: dict[int, str] = {}
        self._item: int | None = None
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        place = len(self.found)
        if tag == "input":
            self._field(attributes)
            return
        if tag == "form":
            self._open = self.forms[place] = Form(attributes.get("action", ""))
            if self._item is not None:
                self.forms.setdefault(self._item, self._open)
        elif tag == "li":
            self._item = place
        elif tag == "a" and self._item is not None and "href" in attributes:
            self.links.setdefault(self._item, attributes["href"])
        wanted = tag in ("img", "form", "li") or attributes.get("rel") == "next"
        if wanted or any(name.startswith("data-") for name in attributes):
            self.found.append((tag, attributes))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "li":
            self._item = None

    def _field(self, attributes: dict[str, str]) -> None:
        if self._open is not None and attributes.get("type") == "hidden" and "name" in attributes:
            self._open.hidden[attributes["name"]] = attributes.get("value", "")
