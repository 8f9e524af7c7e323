"""What every request handler of the server shares."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Row
from starlette.requests import Request

from replicate.base.clock import Clock
from replicate.crowdserver.allowance import NO_LIMITS, Limits
from replicate.crowdserver.clocks import SandboxClock
from replicate.crowdserver.context import Context
from replicate.crowdserver.database import Database
from replicate.crowdserver.faults import Faults
from replicate.crowdserver.images import Addresses, Issue
from replicate.crowdserver.keys import REQUESTER
from replicate.crowdserver.questions import html_of, image_digests
from replicate.crowdserver.states import OPEN, Agenda
from replicate.crowdserver.throttle import API_RATE, Throttle
from replicate.crowdserver.workers import WorkerError, task, worker_exists
from replicate.web.pictures import Pictures

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}\Z")
_QUESTIONS = 256  # questions kept in memory, at most 64 KiB each


@dataclass
class Site:
    """The server's state.

    Attributes:
        database: Its database.
        clock: Its clock; sandboxes can move it.
        pictures: The images.
        public_url: Its address as browsers see it; None to believe each request.
        limits: What one worker may do here.
        api_rate: Calls of the API that one key may make in a second, over a while.
        faults: What goes wrong with the next calls of the API; only a sandbox plans any.
    """

    database: Database
    clock: Clock
    pictures: Pictures
    public_url: str | None = None
    limits: Limits = NO_LIMITS
    api_rate: float = API_RATE
    faults: Faults = field(init=False, default_factory=Faults)
    throttle: Throttle = field(init=False)
    addresses: Addresses = field(init=False)
    _agenda: Agenda = field(init=False, default_factory=Agenda)
    _known: set[str] = field(init=False, default_factory=set)
    _questions: dict[str, tuple[str, list[str]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.throttle = Throttle(self.api_rate, time.monotonic)
        self.addresses = Addresses(self.database.key, self._issue)

    def now(self) -> float:
        """The present moment, in seconds since 1970."""
        return self.clock.now().timestamp()

    @property
    def is_sandbox(self) -> bool:
        """Whether this is a sandbox: simulated work, a clock that can be moved."""
        return isinstance(self.clock, SandboxClock)

    @contextmanager
    def context(self, requester: str = REQUESTER) -> Iterator[Context]:
        """One transaction of one request."""
        now = self.now()
        if self._agenda.is_due(now):
            # In a transaction of its own: what is due happens even if the request is refused.
            with self.database.begin() as connection:
                self._agenda.settle(connection, now)
        with self.database.begin() as connection:
            yield Context(connection, self.database.key, requester, now, self._agenda)

    def origin(self, request: Request) -> str:
        """Scheme, host and port of this server, as the browser sees them.

        Raises:
            WorkerError: The request names no possible host.
        """
        if self.public_url is not None:
            return self.public_url
        host = request.headers.get("host", "")
        if not _HOST.match(host):
            raise WorkerError(400, "Bad request", "The request names no host.")
        return f"{request.url.scheme}://{host}"

    def knows(self, context: Context, worker: str) -> bool:
        """Whether a worker was invited here."""
        if worker not in self._known and worker_exists(context, worker):
            self._known.add(worker)
        return worker in self._known

    def forget(self, worker: str) -> None:
        """A worker has left."""
        self._known.discard(worker)

    def question(self, hit_id: str, xml: str) -> tuple[str, list[str]]:
        """A question's HTML and the images that it names, from memory if it was read before."""
        found = self._questions.get(hit_id)
        if found is None:
            html = html_of(xml)
            found = (html, image_digests(html))
            while len(self._questions) >= _QUESTIONS:
                self._questions.pop(next(iter(self._questions)))
            self._questions[hit_id] = found
        return found

    def addressed(self, row: Row[Any]) -> tuple[str, list[str]]:
        """An assignment's HTML, and the addresses of its images in the page's order."""
        html, digests = self.question(row.hit_id, row.question)
        issue = Issue(digests, row.accepted, row.deadline)
        return html, self.addresses.issue(row.assignment_id, issue)

    def _issue(self, assignment_id: str) -> Issue | None:
        try:
            with self.context() as context:
                row = task(context, assignment_id)
        except WorkerError:
            return None
        if row.state != OPEN:
            return None
        _, digests = self.question(row.hit_id, row.question)
        return Issue(digests, row.accepted, row.deadline)


TEMPLATES = Path(__file__).resolve().parent / "templates"
