"""Fetching many images: several at a time, politely, and every outcome with its reason.

Outcomes come as they are there, whatever order was asked in. The reasons that a download can fail
for:

===================  =======================================================================
``gone``             the server says that it is not there (404, 410)
``forbidden``        the server refuses (401, 403, 451)
``placeholder``      it redirects to a picture that stands in for photos that are no more
``noai``             the server asks that it be kept from learning machines (X-Robots-Tag)
``not_an_image``     something else came: a web page, an unknown format
``truncated``        the picture is cut off, although all of the file came
``cut``              the connection closed before all of the file came
``animated``         it has several frames
``empty``            nothing came
``too_large``        more bytes or pixels than allowed
``too_small``        fewer pixels than asked for
``timeout``          no answer in time
``connection``       no connection, or it broke
``throttled``        429, or 503 with Retry-After, also after waiting as asked
``server_error``     the server failed (5xx)
``refused``          another status, too many redirects, or an address that is none
===================  =======================================================================

``truncated``, ``animated``, ``too_small`` and ``not_an_image`` are also what decoding may find.

Only what may pass is tried again: ``timeout``, ``connection``, ``cut``, ``empty``,
``server_error``, ``throttled``. A host that throttles is left alone by all connections for as
long as it asks, or for twice as long each time; meanwhile others are fetched from. It is given up
when it goes on throttling, or asks for more time than the limits grant; so is one that is not
there.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from replicate.base.errors import ItemError
from replicate.sources.download_answers import Demands, RedirectedError, ThrottledError, host_of
from replicate.sources.download_queue import HostQueue, Task
from replicate.sources.download_sites import Sites
from replicate.sources.local_files import read_local

K = TypeVar("K")

MAX_BYTES = 50_000_000
MAX_REDIRECTS = 5
PASSING = frozenset({"timeout", "connection", "throttled", "server_error", "cut", "empty"})
_UNREACHED = frozenset({"timeout", "connection"})
_LONGEST_BACKOFF = 60.0
_FEW = 64  # files in memory at a time, however few connections there are
_STEP = 256  # addresses looked at at a time
_AHEAD = 50_000  # addresses in memory, to find one whose host need not be waited for


@dataclass(frozen=True, slots=True)
class Download(Generic[K]):
    """One image to fetch.

    Attributes:
        key: What the caller knows it by.
        url: Its address; ``file:`` only where the source is a folder.
    """

    key: K
    url: str


@dataclass(frozen=True, slots=True)
class Outcome(Generic[K]):
    """What came of one download.

    Attributes:
        key: The caller's key.
        attempts: How often it was asked for.
        reason: Why it failed; None: it did not.
        message: More about that, for a person.
        data: The file's bytes; None if it failed.
    """

    key: K
    attempts: int
    reason: str | None
    message: str
    data: bytes | None


@dataclass(frozen=True)
class Limits:
    """How to fetch.

    Attributes:
        connections: Downloads at a time.
        per_host: Downloads at a time from one host.
        timeout: Seconds to wait for a connection, and between two pieces of an answer; a whole
            file may take ten times as long.
        attempts: Tries of one download.
        max_bytes: Larger files are refused.
        allow_files: Whether ``file:`` addresses may be read.
        honour_noai: Whether ``X-Robots-Tag: noai`` is honoured.
        longest_wait: The most seconds that a host is waited for; one that asks for more is given
            up at once.
        backoff: Seconds to wait before the first repetition; then twice as long each time.
    """

    connections: int = 8
    per_host: int = 8
    timeout: float = 30.0
    attempts: int = 3
    max_bytes: int = MAX_BYTES
    allow_files: bool = False
    honour_noai: bool = True
    longest_wait: float = 300.0
    backoff: float = 0.5


class Downloader(Generic[K]):
    """Fetches images over HTTP. Use it as a context manager, for one call of `fetch`.

    Args:
        limits: How to fetch.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: HostQueue[K] = HostQueue(min(limits.per_host, limits.connections))
        self._sites = Sites(
            limits.timeout,
            limits.connections,
            Demands(limits.max_bytes, 10 * limits.timeout, limits.honour_noai),
        )
        self._change = threading.Condition()
        self._closed = False
        self._idle = 0
        self._held = 0  # downloads under way, and those done but not yet handed out
        self._most = max(_FEW, 4 * limits.connections)
        self._threads: list[threading.Thread] = []
        self._done: SimpleQueue[Outcome[K] | Exception | None] = SimpleQueue()

    def fetch(self, downloads: Iterable[Download[K]]) -> Iterator[Outcome[K]]:
        """Fetch images; outcomes come as they are there.

        Files of a few downloads per connection are held in memory at a time, and of the addresses
        only as many as it takes to find one whose host need not be waited for.
        """
        source, pending = iter(downloads), 0
        more = True
        while True:
            if more and (room := self._room()):
                added = self._add(list(islice(source, room)))
                more, pending = added == room, pending + added
            if not pending:
                return
            # While connections have nothing to do, look further ahead rather than wait.
            if more and self._done.empty() and self._room():
                continue
            outcomes = self._arrived()
            pending -= len(outcomes)
            yield from outcomes

    def _arrived(self) -> list[Outcome[K]]:
        """What is done, once something is; empty: it is time to look further ahead."""
        found = [self._done.get()]
        with suppress(Empty):
            while len(found) < self._most:
                found.append(self._done.get_nowait())
        outcomes = []
        for item in found:
            if isinstance(item, Exception):
                raise item
            if item is not None:
                outcomes.append(item)
        with self._change:
            self._held -= len(outcomes)
            if self._idle:
                self._change.notify(len(outcomes))
        return outcomes

    def _room(self) -> int:
        """How many more downloads to take up now, so that no connection is without work."""
        waiting = self._queue.waiting
        if waiting < _STEP:
            return 2 * _STEP - waiting
        with self._change:
            starving = self._idle > 0 and self._held < self._most and waiting < _AHEAD
        return _STEP if starving else 0

    def _add(self, downloads: list[Download[K]]) -> int:
        """Put downloads into their hosts' lines; how many they are."""
        refused = []
        with self._change:
            for download in downloads:
                try:
                    host = _host(download.url, self._limits.allow_files)
                except ItemError as error:
                    refused.append(Outcome(download.key, 0, error.reason, str(error), None))
                else:
                    self._queue.put(Task(download.key, download.url, host))
            self._held += len(refused)
            room = self._limits.connections - len(self._threads)
            new = min(room, max(0, self._queue.waiting - self._idle))
            if self._idle:
                self._change.notify(len(downloads))
        for outcome in refused:
            self._done.put(outcome)
        for _ in range(new):
            thread = threading.Thread(target=self._work, name="download", daemon=True)
            self._threads.append(thread)
            thread.start()
        return len(downloads)

    def _work(self) -> None:
        """What each thread does."""
        try:
            task = self._take(None)
            while task is not None:
                task = self._take(task if self._serve(task) else None)
        except Exception as error:  # a defect of ours: the caller must hear of it
            self._done.put(error)

    def _take(self, done: Task[K] | None) -> Task[K] | None:
        """The next download for this thread, as soon as there is one; None: it is all over.

        Args:
            done: The one that it has just done well.
        """
        with self._change:
            if done is not None:
                self._queue.succeeded(done.host)
                self._queue.end(done)
            while not self._closed:
                now = time.monotonic()
                task = self._queue.take(now) if self._held < self._most else None
                if task is not None:
                    self._held += 1
                    return task
                if not self._idle:
                    self._done.put(None)  # whoever waits for outcomes can look further ahead
                self._idle += 1
                due = self._queue.next_time()
                self._change.wait(None if due is None else max(0.0, due - now))
                self._idle -= 1
            return None

    def _serve(self, task: Task[K]) -> bool:
        """Try a download; whether it is done well, and only its end is still to be told."""
        if task.hopeless is not None:
            self._finish(task, *task.hopeless)
            return False
        task.attempts += 1
        try:
            data = self._get(task.url)
        except RedirectedError as elsewhere:
            self._follow(task, elsewhere.url)
        except ThrottledError as error:
            self._leave_alone(task, error)
        except ItemError as error:
            self._failed(task, error)
        else:
            self._done.put(Outcome(task.key, task.attempts, None, "", data))
            return True
        return False

    def _get(self, url: str) -> bytes:
        if not url.startswith(("http://", "https://")):
            return read_local(url, self._limits.max_bytes)
        return self._sites.get(url)

    def _follow(self, task: Task[K], url: str) -> None:
        """Go on elsewhere: another host is asked only when it is its turn."""
        task.attempts -= 1
        task.hops += 1
        if task.hops > MAX_REDIRECTS:
            task.attempts += 1
            self._failed(task, ItemError("refused", f"more than {MAX_REDIRECTS} redirects"))
            return
        with self._change:
            self._queue.succeeded(task.host)
            self._queue.end(task)
            task.url, task.host = url, host_of(url)
            self._queue.put(task, first=True)
            self._let_go()

    def _leave_alone(self, task: Task[K], error: ThrottledError) -> None:
        """Keep all threads away from a host that throttles."""
        with self._change:
            now = time.monotonic()
            task.throttled += 1
            task.failures += error.reason != "throttled"
            wait = error.seconds or self._backoff(1 + self._queue.pauses_of(task.host))
            self._queue.paused(task, wait, error.reason, now)
            if wait > self._limits.longest_wait:
                text = f"{task.host} asks to be left alone for {wait:.0f} seconds"
                self._queue.give_up(task.host, error.reason, text)
            if task.failures < self._limits.attempts:
                self._queue.end(task)
                self._queue.put(task, first=True)
                self._let_go()
                return
        self._finish(task, error.reason, str(error))

    def _failed(self, task: Task[K], error: ItemError) -> None:
        task.failures += 1
        final = error.reason not in PASSING or task.failures >= self._limits.attempts
        with self._change:
            if error.reason not in _UNREACHED:
                self._queue.succeeded(task.host)
            elif final:
                self._queue.lost(task, error.reason)
            if not final:
                self._queue.end(task)
                self._queue.put_later(task, time.monotonic() + self._backoff(task.failures))
                self._let_go()
                return
        self._finish(task, error.reason, str(error))

    def _backoff(self, times: int) -> float:
        return min(_LONGEST_BACKOFF, self._limits.backoff * 2.0 ** (times - 1))

    def _let_go(self) -> None:
        """A download waits again; the lock is held."""
        self._held -= 1
        self._change.notify_all()

    def _finish(self, task: Task[K], reason: str, message: str) -> None:
        with self._change:
            self._queue.end(task)
        self._done.put(Outcome(task.key, task.attempts, reason, message, None))

    def __enter__(self) -> "Downloader[K]":
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Call off what is not done, stop the threads and close the connections."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        self._sites.close()


def _host(url: str, allow_files: bool) -> str:
    """Whom a download belongs to; all files of this machine belong to nobody.

    Raises:
        ItemError: With reason ``refused``.
    """
    if allow_files and url.startswith("file:"):
        return ""
    return host_of(url)
