"""Which download begins next: fair to all hosts, polite to each of them.

No threads and no clock in here: whoever asks says what time it is.
"""

import heapq
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

K = TypeVar("K")

_STEADY = 50  # successes after which a host that throttled is trusted with one connection more
_DOWN = 10  # downloads in a row that got no connection: the host is not there


@dataclass(slots=True)
class Task(Generic[K]):
    """One download on its way.

    Attributes:
        key: What the caller knows it by.
        url: Where it is to be fetched from now; redirects change it.
        host: Whom that address belongs to.
        attempts: Requests made, not counting redirects.
        failures: Requests that failed, not counting those that were throttled.
        throttled: Requests that were throttled.
        hops: Redirects followed.
        began: When its last request began.
        hopeless: Why it is not to be asked for at all: reason and message.
    """

    key: K
    url: str
    host: str
    attempts: int = 0
    failures: int = 0
    throttled: int = 0
    hops: int = 0
    began: float = 0.0
    hopeless: tuple[str, str] | None = None


class _Host(Generic[K]):
    """What is known of one host.

    Attributes:
        waiting: Its downloads, next first.
        active: Requests under way.
        allowed: Requests that it may get at a time now.
        ceiling: Up to which `allowed` grows with every success.
        steady: Successes since `ceiling` last changed.
        not_before: When it may be asked again.
        paused_at: When it last asked to be left alone.
        pauses: How often it did, without a success in between.
        lost: Downloads in a row that got no connection.
        hopeless: Why it is asked no more: reason and message.
        listed: Whether it is in line already.
    """

    __slots__ = (
        "active",
        "allowed",
        "ceiling",
        "hopeless",
        "listed",
        "lost",
        "not_before",
        "paused_at",
        "pauses",
        "steady",
        "waiting",
    )

    def __init__(self, allowed: int) -> None:
        self.waiting: deque[Task[K]] = deque()
        self.active = self.pauses = self.lost = self.steady = 0
        self.allowed = self.ceiling = allowed
        self.not_before = self.paused_at = float("-inf")
        self.hopeless: tuple[str, str] | None = None
        self.listed = False


class HostQueue(Generic[K]):
    """Downloads by host.

    Each host gets at most so many requests at a time, hosts take turns, and one that asked to be
    left alone keeps nobody else waiting. After a pause it gets one request, and with every answer
    one more at a time; half as many as before at first, then slowly up to the limit.

    Args:
        per_host: Requests to one host at a time.
        pauses: How often a host may ask in a row to be left alone before it is given up.
    """

    def __init__(self, per_host: int, pauses: int = 5) -> None:
        self._per_host, self._pauses = per_host, pauses
        self._hosts: dict[str, _Host[K]] = {}
        self._line: deque[str] = deque()  # hosts that can be asked now
        self._later: list[tuple[float, int, str, Task[K] | None]] = []
        self._number = count()
        self.waiting = 0

    def put(self, task: Task[K], first: bool = False) -> None:
        """Put a download into its host's line."""
        host = self._host(task.host)
        self.waiting += 1
        (host.waiting.appendleft if first else host.waiting.append)(task)
        self._list(task.host, host)

    def put_later(self, task: Task[K], when: float) -> None:
        """Put a download into its host's line at that time."""
        self.waiting += 1
        heapq.heappush(self._later, (when, next(self._number), task.host, task))

    def take(self, now: float) -> Task[K] | None:
        """The next download that may begin; None: none may now."""
        while self._later and self._later[0][0] <= now:
            _, _, name, task = heapq.heappop(self._later)
            if task is not None:
                self.waiting -= 1
                self.put(task, first=True)
            else:
                self._list(name, self._host(name))
        while self._line:
            name = self._line.popleft()
            host = self._hosts[name]
            host.listed = False
            if not self._ready(host, now):
                continue
            task = host.waiting.popleft()
            host.active += 1
            self.waiting -= 1
            task.began, task.hopeless = now, host.hopeless
            self._list(name, host)
            return task
        return None

    def next_time(self) -> float | None:
        """When a download that must wait may begin; None: only others' ends can tell."""
        return self._later[0][0] if self._later else None

    def end(self, task: Task[K]) -> None:
        """A request is over, however it ended."""
        host = self._hosts[task.host]
        host.active -= 1
        if host.waiting:
            self._list(task.host, host)
        elif not host.active and host.hopeless is None and not host.pauses and not host.lost:
            del self._hosts[task.host]  # nothing to remember

    def succeeded(self, name: str) -> None:
        """A host answered well."""
        host = self._hosts[name]
        host.pauses = host.lost = 0
        if host.allowed < host.ceiling:
            host.allowed += 1
        elif host.ceiling < self._per_host:
            host.steady += 1
            if host.steady >= _STEADY:
                host.steady, host.ceiling = 0, host.ceiling + 1

    def paused(self, task: Task[K], seconds: float, reason: str, now: float) -> None:
        """A host asked to be left alone; answers to requests from before that count once.

        Args:
            task: The download that it was asked for.
            seconds: How long.
            reason: What its downloads fail for if it is given up now.
            now: The time.
        """
        host = self._hosts[task.host]
        if task.began > host.paused_at:
            host.pauses += 1
            host.ceiling = max(1, min(host.allowed, host.ceiling) // 2)
            host.allowed, host.steady, host.paused_at = 1, 0, now
        if now + seconds > host.not_before:
            host.not_before = now + seconds
            heapq.heappush(self._later, (host.not_before, next(self._number), task.host, None))
        if host.pauses >= self._pauses:
            text = f"{task.host} asked {host.pauses} times in a row to be left alone"
            self.give_up(task.host, reason, text)

    def lost(self, task: Task[K], reason: str) -> None:
        """A download failed for good because its host could not be reached."""
        host = self._hosts[task.host]
        host.lost += 1
        if host.lost >= _DOWN:
            self.give_up(
                task.host, reason, f"{host.lost} downloads in a row failed so at {task.host}"
            )

    def pauses_of(self, name: str) -> int:
        """How often a host asked in a row to be left alone."""
        return self._hosts[name].pauses

    def give_up(self, name: str, reason: str, message: str) -> None:
        """Ask a host no more: all its downloads are handed out as hopeless."""
        host = self._hosts[name]
        host.hopeless = (reason, message)
        self._list(name, host)

    def _host(self, name: str) -> _Host[K]:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(self._per_host)
        return host

    def _list(self, name: str, host: _Host[K]) -> None:
        if not host.listed and host.waiting:
            host.listed = True
            self._line.append(name)

    def _ready(self, host: _Host[K], now: float) -> bool:
        if not host.waiting:
            return False
        return host.hopeless is not None or (host.active < host.allowed and host.not_before <= now)
