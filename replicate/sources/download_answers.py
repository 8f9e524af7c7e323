"""What a server's answer to the request for an image means."""

import re
import time
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urljoin, urlsplit

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from replicate.base.errors import ItemError
from replicate.sources.retry_after import seconds_to_wait

AGENT = "replicate-testsets"
_PLACEHOLDER = re.compile(r"/photo_unavailable[^/]*\.(png|gif|jpg)$")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSALS = frozenset({"noai", "noimageai"})
_BYTES = ("application/octet-stream", "binary/octet-stream")
_WITH_VALUES = frozenset(
    {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
)
_PIECE = 1 << 18
_DRAINED = 1 << 16
_DRAIN_SECONDS = 0.5


class ThrottledError(ItemError):
    """The host asks to be left alone.

    Args:
        reason: What the download fails for if nothing better comes.
        message: For a person.
        seconds: How long; 0.0: it does not say.
    """

    def __init__(self, reason: str, message: str, seconds: float) -> None:
        super().__init__(reason, message)
        self.seconds = seconds


class RedirectedError(Exception):
    """The image is elsewhere.

    Args:
        url: Where.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


@dataclass(frozen=True)
class Demands:
    """What an answer must keep to.

    Attributes:
        max_bytes: Larger files are refused.
        longest: Seconds that all of a file may take.
        noai: Whether a server's ``X-Robots-Tag: noai`` or ``noimageai`` is honoured.
    """

    max_bytes: int
    longest: float
    noai: bool = True


def host_of(url: str) -> str:
    """Whom an address belongs to: its host and port.

    Raises:
        ItemError: With reason ``refused``: it is no address to fetch from.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ItemError("refused", f"not an address: {url[:200]}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ItemError("refused", f"not an address to fetch from: {url[:200]}")
    return f"{parts.hostname}:{port or (443 if parts.scheme == 'https' else 80)}"


def read_answer(response: BaseHTTPResponse, url: str, demands: Demands) -> bytes:
    """The bytes of an image, once the answer has been found worth reading.

    Args:
        response: The answer, its body not yet read.
        url: What was asked for.
        demands: What it must keep to.

    Raises:
        RedirectedError: The image is elsewhere.
        ThrottledError: The host asks to be left alone.
        ItemError: There is no image, or it must not be used; with a reason.
    """
    _check_status(response, url)
    headers = response.headers
    kind = headers.get("content-type", "image/").split(";")[0].strip().lower()
    if not kind.startswith("image/") and kind not in _BYTES:
        raise ItemError("not_an_image", f"the server sent {kind[:100]}")
    if demands.noai and refuses_ai(headers.getlist("x-robots-tag")):
        raise ItemError("noai", "the server says X-Robots-Tag: noai")
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise ItemError("refused", f"encoded as {coding[:100]}, which was not asked for")
    body = _body(response, demands)
    if not body:
        raise ItemError("empty", "nothing came")
    return body if coding in ("identity", "") else _unpacked(body, demands.max_bytes)


def refuses_ai(values: list[str]) -> bool:
    """Whether ``X-Robots-Tag`` headers keep an image from the use of learning machines.

    Args:
        values: The values of all such headers. A value may begin with the name of the robot that
            it is meant for; it then says nothing to others.

    >>> refuses_ai(["noindex, NoAI"]), refuses_ai(["otherbot: noai"]), refuses_ai([])
    (True, False, False)
    """
    for value in values:
        meant = True
        for directive in value.lower().split(","):
            name, colon, rest = (part.strip() for part in directive.partition(":"))
            if colon and name not in _WITH_VALUES:
                meant, name = name in (AGENT, "*"), rest
            if meant and name in _REFUSALS:
                return True
    return False


def discard(response: BaseHTTPResponse) -> None:
    """Read the rest of a short answer, so that its connection can be used again; or close it."""
    left = response.length_remaining
    until = time.monotonic() + _DRAIN_SECONDS
    try:
        while left and left <= _DRAINED and time.monotonic() < until:
            if not response.read1(_DRAINED, decode_content=False):
                break
            left = response.length_remaining
    except (HTTPError, HTTPException, OSError):
        left = None
    if left != 0:
        response.close()
    response.release_conn()


def _check_status(response: BaseHTTPResponse, url: str) -> None:
    status = response.status
    if status == 200:
        return
    if status in _REDIRECTS:
        target = _target(url, response.headers.get("location", ""))
        if _PLACEHOLDER.search(urlsplit(target).path):
            raise ItemError("placeholder", f"redirected to {target[:200]}")
        raise RedirectedError(target)
    if status in (429, 503):
        wait = seconds_to_wait(response.headers.get("retry-after"), response.headers.get("date"))
        reason = "throttled" if status == 429 or wait else "server_error"
        raise ThrottledError(reason, f"status {status}", wait)
    if status >= 500:
        raise ItemError("server_error", f"status {status}")
    if status in (404, 410):
        raise ItemError("gone", f"status {status}")
    if status in (401, 403, 451):
        raise ItemError("forbidden", f"status {status}")
    raise ItemError("refused", f"status {status}")


def _target(url: str, location: str) -> str:
    if not location:
        raise ItemError("refused", "redirected to nowhere")
    try:
        target = urljoin(url, location)
    except ValueError as error:
        raise ItemError("refused", f"redirected to no address: {location[:200]}") from error
    host_of(target)
    return target


def _body(response: BaseHTTPResponse, demands: Demands) -> bytes:
    """All bytes of an answer as they were sent; stopped as soon as there are too many."""
    declared = response.length_remaining
    if declared is not None and declared > demands.max_bytes:
        raise ItemError("too_large", f"{declared} bytes, more than {demands.max_bytes}")
    until = time.monotonic() + demands.longest
    pieces, size = [], 0
    while size != declared and (piece := response.read1(_PIECE, decode_content=False)):
        pieces.append(piece)
        size += len(piece)
        if size > demands.max_bytes:
            raise ItemError("too_large", f"more than {demands.max_bytes} bytes")
        if time.monotonic() > until:
            raise ItemError("timeout", f"{size} bytes in {demands.longest:.0f} seconds")
    if declared is not None and size != declared:
        raise ItemError("cut", f"{size} of {declared} bytes came")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _unpacked(body: bytes, max_bytes: int) -> bytes:
    """A body that was packed although nobody asked for that; never more than is allowed."""
    raw_deflate = body[:1] and body[0] & 0x0F != 8 and body[:2] != b"\x1f\x8b"
    unpacker = zlib.decompressobj(-15 if raw_deflate else 47)  # 47: gzip or zlib, as it begins
    try:
        data = unpacker.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise ItemError("cut", f"the packed answer is broken: {error}") from error
    if len(data) > max_bytes:
        raise ItemError("too_large", f"more than {max_bytes} bytes when unpacked")
    if not unpacker.eof:
        raise ItemError("cut", "the packed answer is cut off")
    return data
