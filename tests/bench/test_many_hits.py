"""A worker's list and a HIT's acceptance among 100,000 HITs (run with --benchmark-only).

1,000 classes of 100 pages; each page has 42 images of its own and shows 6 of the 60 controls of
its class, so that who has done one page may not do most of the others of the class.
"""

import random
import time
from collections.abc import Callable

import pytest
from sqlalchemy import insert, update
from support.crowd import html_question, simple_html

from replicate.crowdserver import workers
from replicate.crowdserver.context import Context
from replicate.crowdserver.database import Database
from replicate.crowdserver.states import Agenda
from replicate.crowdserver.tables import Hit, HitType, Worker
from replicate.crowdserver.worker_tables import HitImage
from replicate.crowdserver.workers import WorkerError

pytestmark = pytest.mark.timeout(1800)
HITS, PER_CLASS = 100_000, 100
QUESTION = html_question(simple_html(["a" * 64] * 48) + " " * 6_000)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    found = Database(tmp_path_factory.mktemp("many") / "crowd.db")
    terms = {"title": "t", "description": "d", "keywords": "", "reward": "0.10", "duration": 600}
    kind = {"hit_type_id": "T", "requester": "default", "auto_approval_delay": 3600, **terms}
    with found.begin() as connection:
        connection.execute(insert(HitType), [kind])
        connection.execute(insert(Worker), [{"worker_id": f"A{n}", "created": 0.0} for n in (1, 2)])
    for first in range(1, HITS + 1, 2000):
        serials = range(first, first + 2000)
        with found.begin() as connection:
            connection.execute(insert(Hit), [_hit(serial) for serial in serials])
            rows = [{"serial": s, "image": image} for s in serials for image in _images(s)]
            connection.execute(insert(HitImage), rows)
    return found


def _hit(serial: int) -> dict[str, object]:
    return {
        "serial": serial,
        "hit_id": f"H{serial}",
        "hit_type_id": "T",
        "requester": "default",
        "question": QUESTION,
        "max_assignments": 10,
        "created": 0.0,
        "expires": 1e10,
        "disposed": 0,
    }


def _images(serial: int) -> list[int]:
    scattered = random.Random(serial)
    number, page = divmod(serial - 1, PER_CLASS)
    own = [number * 10**6 + 1000 + page * 42 + place for place in range(42)]
    controls = [number * 10**6 + place for place in scattered.sample(range(60), 6)]
    return sorted(image * 2_654_435_761 % 2**62 for image in own + controls)


def _best(work: Callable[[], object]) -> float:
    """Milliseconds of the processor's time, the best of five."""
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return round(min(times), 2)


def test_a_list_among_100_000_hits(benchmark, database: Database) -> None:
    with database.begin() as connection:
        context = Context(connection, database.key, "default", 1000.0, Agenda())
        new = _best(lambda: workers.available(context, "A1"))
        done, start = 0, time.process_time()
        for serial in range(1, HITS, 37):
            try:
                workers.accept(context, "A2", f"H{serial}")
                done += 1
            except WorkerError:
                continue
            if done == 300:
                break
        accepting = round(1000 * (time.process_time() - start) / (serial / 37), 2)
        found = benchmark(lambda: workers.available(context, "A2"))
        assert len(found) == workers.PAGE + 1
        after = _best(lambda: workers.available(context, "A2"))
        one = _best(lambda: workers.offer(context, "A2", found[0].hit_id))
        connection.execute(update(Hit).where(Hit.serial < HITS - 10).values(done=10))
        over = _best(lambda: workers.available(context, "A2"))
        connection.rollback()
    figures = {"new": new, "after 300 HITs": after, "all but 11 done": over, "one HIT": one}
    benchmark.extra_info.update({"ms": figures, "ms an acceptance": accepting})
    print(f"\nms of the processor for a list: {figures}; for an acceptance: {accepting}")
    assert max(figures.values()) < 100
    assert accepting < 10
