"""Fetching many images: several at a time, politely, and every outcome a row.

Outcomes come in the order of the requests, whatever order the answers arrive in. The reasons that
a download can fail for:

===================  =======================================================================
``gone``             the server says that it is not there (404, 410)
``forbidden``        the server refuses (401, 403, 451)
``placeholder``      it redirects to a picture that stands in for photos that are no more
``not_an_image``     something else came: a web page, an unknown format
``truncated``        the picture is cut off, although all of the file came
``cut``              the connection closed before all of the file came
``animated``         it has several frames
``empty``            nothing came
``too_large``        more bytes or pixels than allowed
``timeout``          no answer in time
``connection``       no connection, or it broke
``throttled``        429, also after waiting as asked
``server_error``     the server failed (5xx)
``refused``          another status, too many redirects, or an address that is none
===================  =======================================================================
"""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests

from replicate.base.errors import ItemError
from replicate.base.images import decode
from replicate.sources.flickr_calls import seconds_to_wait

MAX_BYTES = 50_000_000
MAX_WAIT = 120.0
PASSING = frozenset({"timeout", "connection", "throttled", "server_error", "cut", "empty"})
_PLACEHOLDER = re.compile(r"/photo_unavailable[^/]*\.(png|gif|jpg)$")


@dataclass(frozen=True, slots=True)
class Download:
    """One image to fetch.

    Attributes:
        key: What the caller knows it by.
        url: Its address; ``file:`` only where the source is a folder.
    """

    key: str
    url: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one download.

    Attributes:
        key: The caller's key.
        attempts: How often it was tried.
        reason: Why it failed; None: it did not.
        message: More about that, for a person.
        data: The file's bytes; None if it failed.
        size: Width and height in pixels, upright; (0, 0) if it failed.
    """

    key: str
    attempts: int
    reason: str | None
    message: str
    data: bytes | None
    size: tuple[int, int]


@dataclass(frozen=True)
class Limits:
    """How to fetch.

    Attributes:
        connections: Downloads at a time.
        timeout: Seconds to wait for a connection, and between two pieces of an answer.
        attempts: Tries of one download.
        max_bytes: Larger files are refused.
        allow_files: Whether ``file:`` addresses may be read.
    """

    connections: int = 8
    timeout: float = 30.0
    attempts: int = 3
    max_bytes: int = MAX_BYTES
    allow_files: bool = False


class Downloader:
    """Fetches images over HTTP. Use it as a context manager.

    Args:
        limits: How to fetch.
        user_agent: How to introduce ourselves.
        sleep: How to wait. Default: until the time is over or the downloader is closed.
    """

    def __init__(
        self,
        limits: Limits,
        user_agent: str = "replicate-testsets (image gathering for research)",
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._limits = limits
        self._headers = {"user-agent": user_agent, "accept": "image/*"}
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._pool = ThreadPoolExecutor(limits.connections, thread_name_prefix="download")
        self._own = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()
        self._not_before: dict[str, float] = {}

    def fetch(self, downloads: Iterable[Download]) -> Iterator[Outcome]:
        """Fetch images; outcomes come in the order of the requests.

        Only a few downloads per connection are held in memory at a time.
        """
        ahead = 4 * self._limits.connections
        waiting: deque[Future[Outcome]] = deque()
        try:
            for download in downloads:
                waiting.append(self._pool.submit(self._fetch_one, download))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _fetch_one(self, download: Download) -> Outcome:
        reason, message, attempt = "refused", "", 0
        for attempt in range(1, self._limits.attempts + 1):
            if attempt > 1:
                self._sleep(0.25 * 2.0 ** (attempt - 2))
            if self._closed.is_set():
                break
            try:
                data = self._get(download.url)
                image = decode(data)
            except ItemError as error:
                reason, message = error.reason, str(error)
                if reason not in PASSING:
                    break
            else:
                return Outcome(download.key, attempt, None, "", data, image.size)
        return Outcome(download.key, attempt, reason, message, None, (0, 0))

    def _get(self, url: str) -> bytes:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise ItemError("refused", f"not an address: {url}") from error
        if parts.scheme == "file" and self._limits.allow_files:
            return _read(Path(unquote(parts.path)), self._limits.max_bytes)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ItemError("refused", f"not an address to fetch from: {url}")
        self._wait_for(parts.netloc)
        try:
            with self._session(f"{parts.scheme}://{parts.netloc}").get(
                url, timeout=self._limits.timeout, stream=True, headers=self._headers
            ) as response:
                self._check(response, parts.netloc)
                return self._body(response)
        except requests.Timeout as error:
            raise ItemError("timeout", str(error)) from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise ItemError("cut", str(error)) from error
        except requests.ConnectionError as error:
            raise ItemError("connection", str(error)) from error
        except requests.RequestException as error:
            raise ItemError("refused", str(error)) from error

    def _check(self, response: requests.Response, host: str) -> None:
        """Refuse an answer by its status, its address and its type."""
        status = response.status_code
        if _PLACEHOLDER.search(urlsplit(response.url).path):
            raise ItemError("placeholder", f"redirected to {response.url}")
        if status == 429:
            wait = min(MAX_WAIT, seconds_to_wait(response.headers.get("retry-after")))
            with self._lock:
                until = time.monotonic() + wait
                self._not_before[host] = max(until, self._not_before.get(host, 0.0))
            raise ItemError("throttled", f"429 from {host}")
        if status >= 500:
            raise ItemError("server_error", f"status {status}")
        if status in (404, 410):
            raise ItemError("gone", f"status {status}")
        if status in (401, 403, 451):
            raise ItemError("forbidden", f"status {status}")
        if status != 200:
            raise ItemError("refused", f"status {status}")
        kind = response.headers.get("content-type", "image/").split(";")[0].strip().lower()
        if not kind.startswith("image/") and kind != "application/octet-stream":
            raise ItemError("not_an_image", f"the server sent {kind}")

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for piece in response.iter_content(1 << 20):
            body += piece
            if len(body) > self._limits.max_bytes:
                raise ItemError("too_large", f"more than {self._limits.max_bytes} bytes")
        return bytes(body)

    def _wait_for(self, host: str) -> None:
        """Wait until the host may be asked again: all threads keep away while it throttles."""
        with self._lock:
            pause = self._not_before.get(host, 0.0) - time.monotonic()
        if pause > 0:
            self._sleep(pause)
            if self._closed.is_set():
                raise ItemError("connection", "the download was called off")

    def _session(self, site: str) -> requests.Session:
        """This thread's session for a site; its connection is kept open between downloads."""
        if not hasattr(self._own, "sessions"):
            self._own.sessions = {}
        own: dict[str, requests.Session] = self._own.sessions
        if site not in own:
            session = requests.Session()
            session.max_redirects = 5
            # requests looks into the environment and the user's netrc for every single request,
            # which costs as much as the request itself; once a site is enough.
            session.trust_env = False
            session.proxies = dict(requests.utils.get_environ_proxies(site))
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
            with self._lock:
                self._sessions.append(session)
            own[site] = session
        return own[site]

    def __enter__(self) -> "Downloader":
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Call off what is not done, stop the threads and close the connections."""
        self._closed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for session in self._sessions:
            session.close()


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if path.stat().st_size > max_bytes:
            raise ItemError("too_large", f"more than {max_bytes} bytes")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ItemError("gone", str(error)) from error
    except OSError as error:
        raise ItemError("forbidden", str(error)) from error
