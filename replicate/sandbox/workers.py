"""Simulated workers: they find, accept, look at and submit HIT pages over HTTP, as browsers do.

Which worker takes which HIT depends on the seed, the HIT and the worker alone; what a worker
answers depends on the seed, the worker, the images and the class alone. So workers that are
killed at any moment and started again end with the same votes, whatever order things happened in.

A worker may not take a HIT that shows what another HIT has shown them. Then the next in line
stands in: first all do what falls to them, then the HITs that are left are gone through one by
one.
"""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import numpy.typing as npt

from replicate.base.digests import sha256_bytes
from replicate.base.errors import ProviderError
from replicate.base.randomness import uniform
from replicate.sandbox.browser import Browser, Page
from replicate.sandbox.eyes import Eyes, make_workers
from replicate.sandbox.html import Element, elements

THREADS = 3  # one looks and judges while the server answers the others

Progress = Callable[[str, int, int], None]


def run_sandbox_workers(
    worker_url: str,
    database: Path | str,
    seed: int,
    n_workers: int,
    progress: Progress | None = None,
) -> int:
    """Invite a study's simulated workers to its own crowd server and let them do all there is.

    Args:
        worker_url: The server's address for workers.
        database: The server's database, in which they are invited.
        seed: The study's seed.
        n_workers: How many there are.
        progress: Called with what is being done, pages sent, and pages known.

    Returns:
        How many pages they sent.

    Raises:
        ProviderError: The server does not answer, or refuses them.
    """
    from replicate.crowdserver.admin import invite
    from replicate.sandbox.gallery import digits_gallery

    names = [f"simulated worker {number:03d}" for number in range(n_workers)]
    links = invite(database, n_workers, names=names, base_url=urljoin(worker_url, "/"))
    images, labels = digits_gallery()
    return run_workers(links, seed, images, labels, progress=progress)


def run_workers(
    links: list[str],
    seed: int,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    *,
    threads: int = THREADS,
    progress: Progress | None = None,
) -> int:
    """Let simulated workers work until there is nothing left that is theirs to do.

    Args:
        links: One invitation link a worker; worker i follows the i-th.
        seed: The study's seed.
        images: What they remember: shape (n, 8, 8), uint8.
        labels: Its classes, shape (n,).
        threads: How many work at a time.
        progress: Called with what is being done, pages sent, and pages known.

    Returns:
        How many pages they sent.

    Raises:
        ProviderError: The server does not answer, or refuses them.
    """
    eyes = Eyes(seed, make_workers(seed, len(links)), images, labels)
    board = _Board(progress)
    crew = [
        _Person(number, link, len(links), seed, eyes, board) for number, link in enumerate(links)
    ]
    try:
        with ThreadPoolExecutor(threads, thread_name_prefix="worker") as pool:
            jobs = [pool.submit(person.work) for person in crew]
            try:
                for job in as_completed(jobs):
                    job.result()
            except BaseException:
                # After an error or Ctrl-C nobody begins another page.
                board.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        _stand_in(crew, seed)
    finally:
        for person in crew:
            person.browser.close()
    return board.sent


def _stand_in(crew: list["_Person"], seed: int) -> None:
    """Let the next in line do what is left over, because those before them may not.

    Who may take a HIT depends on what they took before. So the HITs are gone through in an order
    of their own, each by everybody in the order in which they take it, until nothing is left of
    it; a run that was cut off goes on where it was.
    """
    left: dict[str, int] = {}
    entries: dict[str, dict[int, Element]] = {}
    for number, person in enumerate(crew):
        for entry in person.listed():
            hit_id = entry.attributes["data-hit-id"]
            left[hit_id] = int(entry.attributes.get("data-remaining", "0"))
            entries.setdefault(hit_id, {})[number] = entry
    for hit_id in sorted(left, key=lambda hit: uniform(seed, "stand in", hit)):
        for number in sorted(entries[hit_id], key=lambda n: uniform(seed, "takes", hit_id, n)):
            if left[hit_id] > 0 and crew[number].do(entries[hit_id][number]):
                left[hit_id] -= 1


def takes(seed: int, hit_id: str, number: int, crew: int, wanted: int) -> bool:
    """Whether a worker is among those who take a HIT.

    All workers are ranked by a number made from seed, HIT and worker; the first ``wanted`` of
    them take it.

    >>> sum(takes(1, "HIT", number, 24, 10) for number in range(24))
    10
    """
    mine = uniform(seed, "takes", hit_id, number)
    before = sum(uniform(seed, "takes", hit_id, other) < mine for other in range(crew))
    return before < wanted


class _Board:
    """What all workers of a run share: how much was sent, and whether to stop."""

    def __init__(self, progress: Progress | None) -> None:
        self.sent = 0
        self.stop = threading.Event()
        self._known = 0
        self._progress = progress
        self._lock = threading.Lock()

    def expect(self, pages: int) -> None:
        with self._lock:
            self._known += pages

    def add(self) -> None:
        with self._lock:
            self.sent += 1
            if self._progress is not None:
                self._progress("simulated workers", self.sent, max(self._known, self.sent))


class _Person:
    """One simulated worker at one browser."""

    def __init__(
        self, number: int, link: str, crew: int, seed: int, eyes: Eyes, board: _Board
    ) -> None:
        self._number = number
        self._link = link
        self._crew = crew
        self._seed = seed
        self._eyes = eyes
        self._board = board
        self._home = urljoin(link, "/worker")
        self.browser = Browser(link)

    def work(self) -> None:
        """Join, and do the HITs that fall to this worker until none is left."""
        _good(self.browser.get(self._link), "the invitation")
        refused: set[str] = set()
        while not self._board.stop.is_set():
            todo = [entry for entry in self.listed() if self._mine(entry, refused)]
            self._board.expect(len(todo))
            if not todo:
                return
            for entry in todo:
                if self._board.stop.is_set():
                    return
                if not self.do(entry):
                    refused.add(entry.attributes["data-hit-id"])

    def listed(self) -> list[Element]:
        """Every entry of the list of work, over all its pages."""
        entries: list[Element] = []
        address: str | None = self._home
        while address is not None:
            page = _good(self.browser.get(address), "the list of work")
            found = elements(page.text)
            entries += [entry for entry in found if "data-hit-id" in entry.attributes]
            following = [e.attributes["href"] for e in found if e.attributes.get("rel") == "next"]
            address = urljoin(page.url, following[0]) if following else None
        return entries

    def _mine(self, entry: Element, refused: set[str]) -> bool:
        hit_id = entry.attributes["data-hit-id"]
        if hit_id in refused:
            return False
        if entry.attributes.get("data-state") == "running":
            return True
        wanted = int(entry.attributes.get("data-max-assignments", "0"))
        return takes(self._seed, hit_id, self._number, self._crew, wanted)

    def do(self, entry: Element) -> bool:
        """Accept (or go on with) a HIT and submit it; False when the server refuses."""
        browser = self.browser
        if entry.form is not None:
            page = browser.post(urljoin(self._home, entry.form.action), entry.form.hidden)
        else:
            page = browser.get(urljoin(self._home, entry.link))
        if page.status != 200:
            return False
        found = elements(page.text)
        sheet = next((e.form for e in found if e.form and "assignmentId" in e.form.hidden), None)
        class_id = next(
            (e.attributes["data-class-id"] for e in found if "data-class-id" in e.attributes), None
        )
        if sheet is None or class_id is None:
            raise ProviderError(
                f"The page {page.url} has no form, or does not say which class it asks for."
            )
        answer = self._judge(page, found, class_id)
        # As the page's own script does: what is for browsers without scripts stays out.
        fields = {name: value for name, value in sheet.hidden.items() if name != "order"}
        fields["answer"] = json.dumps(answer)
        sent = browser.post(urljoin(page.url, sheet.action), fields)
        if sent.status != 200:
            return False
        self._board.add()
        return True

    def _judge(self, page: Page, found: list[Element], class_id: str) -> dict[str, object]:
        pictures = [
            (e.attributes["data-slot"], self.browser.resolve(page.url, e.attributes["src"]))
            for e in found
            if e.tag == "img" and "data-slot" in e.attributes and "src" in e.attributes
        ]
        slots, digests = [slot for slot, _ in pictures], []
        for got in self.browser.images([address for _, address in pictures]):
            body = got.body if got.status == 200 else b""  # which looks broken, as in a browser
            digests.append(sha256_bytes(body))
            self._eyes.look(digests[-1], body)
        # Which of two equal images is the second is told by its slot, not by the order drawn.
        order = sorted(range(len(slots)), key=slots.__getitem__)
        judged = self._eyes.votes(self._number, [digests[place] for place in order], class_id)
        by_place = dict(zip(order, judged, strict=True))
        votes = [by_place[place] for place in range(len(slots))]
        clock, times = 0, {}
        for slot, digest, vote in zip(slots, digests, votes, strict=True):
            clock += 200 + int(900 * uniform(self._seed, "dwell", self._number, digest, class_id))
            if vote != "no":
                times[slot] = clock
        selected = [slot for slot, vote in zip(slots, votes, strict=True) if vote == "yes"]
        broken = [slot for slot, vote in zip(slots, votes, strict=True) if vote == "broken"]
        return {
            "version": 1,
            "selected": selected,
            "broken": broken,
            "none": not selected,
            "order": slots,
            "times": times,
        }


def _good(page: Page, what: str) -> Page:
    if page.status != 200:
        raise ProviderError(f"The crowd server answers {page.status} for {what}: {page.url}")
    return page
