"""Many workers at once on one server, each in a thread with a connection of its own."""

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from replicate.base.errors import ProviderError
from replicate.crowdserver.database import Database
from replicate.crowdserver.states import DONE
from replicate.crowdserver.tables import Assignment, Hit
from replicate.sandbox.browser import Browser, Page
from support.crowd import Running, client, hit_values
from support.requester import our_page

T = TypeVar("T")
_HIT = re.compile(r'<li [^>]*data-hit-id="(\w+)"[^>]*data-state="available"')
_CSRF = re.compile(r'name="csrf" value="(\w+)"')
_ASSIGNMENT = re.compile(r'name="assignmentId" value="(\w+)"')
_IMAGE = re.compile(r'src="(/i/[^"]+)"')


@dataclass
class Tally:
    """What the workers saw.

    Attributes:
        sent: The answer of each assignment that was sent, whether it was acknowledged or not.
        stored: The same of those that the server said it had stored.
        times: Milliseconds of each kind of request.
        images: Images that came.
        refused: Pages that another worker had taken up meanwhile.
    """

    sent: dict[str, str] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    images: int = 0
    refused: int = 0

    def quantile(self, kind: str, share: float) -> float:
        """A quantile of a kind's times, in milliseconds."""
        ordered = sorted(self.times[kind])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Crowd:
    """Workers who take up HITs, look at all images, think, and send an answer of their own.

    Args:
        endpoint: The server's address.
        links: One invitation a worker.
        think: Mean seconds between a page and its answer.
        seed: What they choose by.
    """

    def __init__(self, endpoint: str, links: Sequence[str], think: float, seed: int = 1) -> None:
        self.tally = Tally()
        self._endpoint = endpoint
        self._links = links
        self._think = think
        self._seed = seed
        self.lock = threading.Lock()
        self._stop = threading.Event()

    def work(self, seconds: float, meanwhile: Callable[[], None] | None = None) -> Tally:
        """Work for so long, or until ``meanwhile`` is done if that takes longer."""
        with ThreadPoolExecutor(len(self._links), thread_name_prefix="worker") as pool:
            jobs = [pool.submit(self._live, n, link) for n, link in enumerate(self._links)]
            try:
                end = time.monotonic() + seconds
                if meanwhile is not None:
                    meanwhile()
                while time.monotonic() < end and not all(job.done() for job in jobs):
                    time.sleep(0.05)
            finally:
                self._stop.set()
            for job in jobs:
                job.result()
        return self.tally

    def _live(self, number: int, link: str) -> None:
        choice = random.Random(f"{self._seed} {number}")
        browser = Browser(self._endpoint)
        try:
            self._patiently(lambda: browser.get(link))
            self._stop.wait(choice.random() * self._think)
            while not self._stop.is_set():
                if not self._one(browser, choice, number):
                    return
        finally:
            browser.close()

    def _one(self, browser: Browser, choice: random.Random, number: int) -> bool:
        """One HIT; False when there is none left."""
        home = self._timed("list", lambda: browser.get("/worker"))
        hits = _HIT.findall(home.text)
        if not hits:
            return False
        fields = {"csrf": _CSRF.findall(home.text)[0]}
        url = f"/worker/hits/{choice.choice(hits)}/accept"
        page = self._timed("page", lambda: browser.post(url, fields))
        if page.status != 200:  # somebody else was faster
            with self.lock:
                self.tally.refused += 1
            return True
        assignment = _ASSIGNMENT.findall(page.text)[0]
        urls = _IMAGE.findall(page.text)
        images = self._patiently(lambda: browser.images(urls))
        assert all(image.status == 200 for image in images)
        if self._stop.wait(choice.expovariate(1 / self._think) if self._think else 0):
            return False  # the day is over, in the middle of a page
        answer = json.dumps({"worker": number, "number": choice.getrandbits(64)})
        with self.lock:
            self.tally.images += len(images)
            self.tally.sent[assignment] = answer
        given = {"assignmentId": assignment, "answer": answer}
        sent = self._timed("submit", lambda: browser.post("/mturk/externalSubmit", given))
        assert sent.status == 200 and "saved" in sent.url, (sent.status, sent.url)
        with self.lock:
            self.tally.stored[assignment] = answer
        return True

    def _timed(self, kind: str, ask: Callable[[], Page]) -> Page:
        begin = time.perf_counter()
        page = self._patiently(ask)
        with self.lock:
            taken = (time.perf_counter() - begin) * 1000
            self.tally.times.setdefault(kind, []).append(taken)
        return page

    @staticmethod
    def _patiently(ask: Callable[[], T]) -> T:
        """Ask until the server answers: it may just be started again."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return ask()
            except ProviderError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def publish_pages(
    server: Running, key: tuple[str, str], digests: list[str], count: int, assignments: int
) -> None:
    """HITs of 48 images each, or of as many as there are."""
    requester = client(server, key)
    for number in range(count):
        turned = [digests[(number + place) % len(digests)] for place in range(len(digests))]
        page = our_page(turned, class_id=f"class {number}")
        requester.create_hit(**hit_values(page, MaxAssignments=assignments))


def check_what_is_stored(place: Path | str, tally: Tally, killed: bool = False) -> int:
    """Every acknowledged answer is stored once and as it was sent; nothing else is stored.

    Args:
        place: The server's database.
        tally: What the workers saw.
        killed: Whether the server was killed meanwhile: then an answer may be stored whose
            acknowledgement was lost.

    Returns:
        How many are stored.
    """
    database = Database(place)
    with database.read() as connection:
        rows = connection.execute(
            select(
                Assignment.assignment_id, Assignment.hit_id, Assignment.worker_id, Assignment.answer
            ).where(Assignment.state.in_(DONE))
        ).all()
        wanted = dict(connection.execute(select(Hit.hit_id, Hit.max_assignments)).all())
    database.close()
    found = {row.assignment_id: answer_of(row.answer) for row in rows}
    assert len(found) == len(rows) == len({(row.hit_id, row.worker_id) for row in rows})
    assert {name: found.get(name) for name in tally.stored} == tally.stored
    assert {name: tally.sent.get(name) for name in found} == found
    if not killed:
        assert found == tally.stored == tally.sent
    done = Counter(row.hit_id for row in rows)
    assert all(done[hit] <= wanted[hit] for hit in done)
    return len(found)


def answer_of(xml: str) -> str:
    """The field ``answer`` of a stored submission."""
    return unescape(xml.partition("<FreeText>")[2].partition("</FreeText>")[0])
