"""A small study with pairs and a set to look at, and a review that is served in a thread."""

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import requests
from sqlalchemy import delete, insert, select

from replicate.base.images import encode_png
from replicate.sources.display import display_copy
from replicate.stages.review import Listen, Review, serve
from replicate.store.tables import (
    Candidate,
    DuplicatePair,
    DuplicateVerdict,
    Image,
    PreparedImage,
    Query,
    Run,
    SafetyFlag,
    SetImage,
    SetReview,
    TestSet,
    TestSetImage,
)
from replicate.study import Study, init_study

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SET = "matched"
PER_CLASS = 3
CLASSES = ("0", "1")


def picture(number: int) -> bytes:
    random = np.random.Generator(np.random.PCG64(number))
    small = random.integers(0, 256, (6, 6), dtype=np.uint8)
    return encode_png(np.kron(small, np.ones((10, 10), dtype=np.uint8)))


def review_study(root: Path, pairs: int = 4) -> Study:
    """The digits study with pairs of near-duplicates, and a set of two classes that is drawn."""
    study = init_study(root, "digits", size="small")
    with study.session() as session:
        run = {"versions": {}, "seed": 1, "pipeline_digest": "", "started_at": NOW}
        session.execute(insert(Run), [{**run, "run_id": 1, "stage": "gather", "status": "done"}])
        query = {"query_id": "q", "source": "folder", "class_id": "0", "term": "zero", "page": 1}
        session.execute(insert(Query), [{**query, "fetched": 0, "new": 0, "run_id": 1}])
    candidates = [add_image(study, n) for n in range(max(pairs, PER_CLASS * len(CLASSES)))]
    trained = [add_image(study, 100 + n, shown=False) for n in range(pairs)]
    originals = [add_image(study, 200 + n) for n in range(4)]
    with study.session() as session:
        for n, image_id in enumerate(candidates):
            row = {"source": "folder", "source_id": str(n), "class_id": str(n % 2), "url": f"{n}"}
            more = {"position": n, "query_id": "q", "status": "ok", "attempts": 1}
            session.execute(insert(Candidate), [{**row, **more, "image_id": image_id}])
        for name, ids in (("train", trained), ("original", originals)):
            for n, image_id in enumerate(ids):
                row = {"set_name": name, "name": f"{n}.png", "class_id": str(n % 2)}
                session.execute(
                    insert(SetImage), [{**row, "position": n, "image_id": image_id, "status": "ok"}]
                )
        for n in range(pairs):
            row = {"reference_id": trained[n], "candidate_id": candidates[n], "distance": n}
            found = {"pixel_distance": n / 10, "verdict": "unsure" if n > pairs // 2 else "sure"}
            session.execute(insert(DuplicatePair), [{**row, **found, "reference_set": "train"}])
    members = [(image_id, str(n % 2)) for n, image_id in enumerate(candidates)]
    draw(study, 1, members[: PER_CLASS * len(CLASSES)])
    return study


def add_image(study: Study, number: int, shown: bool = True) -> str:
    """An image that is gathered and prepared, with or without a display copy."""
    data = picture(number)
    image_id = study.images.put(data)
    row = {"image_id": image_id, "steps": study.steps, "prepared_id": study.prepared.put(data)}
    copy = study.displays.put(display_copy(data, 96)) if shown else None
    with study.session() as session:
        size = {"width": 60, "height": 60, "n_bytes": len(data)}
        session.execute(insert(Image), [{"image_id": image_id, **size}])
        session.execute(insert(PreparedImage), [{**row, "display_id": copy, "status": "ok"}])
    return image_id


def draw(study: Study, revision: int, members: Sequence[tuple[str, str]]) -> None:
    """A revision of the set that holds these (image id, class id)."""
    with study.session() as session:
        row = {"name": SET, "revision": revision, "strategy": "top", "parameters": {}}
        more = {"digest": f"d{revision}", "n": len(members), "match": {}, "created_at": NOW}
        session.execute(insert(TestSet), [{**row, **more}])
        for n, (image_id, class_id) in enumerate(members):
            place = {"name": SET, "revision": revision, "position": n, "stratum": ""}
            one = {"image_id": image_id, "class_id": class_id, "filled": False}
            session.execute(insert(TestSetImage), [{**place, **one}])


def members(study: Study, revision: int = 1) -> list[tuple[str, str]]:
    with study.session() as session:
        rows = session.scalars(
            select(TestSetImage)
            .where(TestSetImage.revision == revision)
            .order_by(TestSetImage.position)
        )
        return [(row.image_id, row.class_id) for row in rows]


def forget_said(study: Study) -> None:
    """Remove all that reviewers said."""
    with study.session() as session:
        for table in (DuplicateVerdict, SetReview, SafetyFlag):
            session.execute(delete(table))


@contextmanager
def reviewing(review: Review) -> Iterator[dict[str, str]]:
    """A review that is served; everybody's link, by name."""
    links: dict[str, str] = {}
    told, stop, errors = threading.Event(), threading.Event(), []

    def tell(found: dict[str, str]) -> None:
        links.update(found)
        told.set()

    def work() -> None:
        try:
            serve(review, Listen(), tell, lambda found: None, stop)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        assert told.wait(30)
        yield links
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive() and not errors


class Visitor:
    """A browser without a window: keeps cookies, fills the forms of the page it is on."""

    def __init__(self, link: str) -> None:
        self.session = requests.Session()
        self.base = link.partition("/join")[0]
        self.page = self.session.get(link)
        assert self.page.status_code == 200

    def get(self, path: str) -> requests.Response:
        self.page = self.session.get(self.base + path)
        return self.page

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.base)

    @property
    def csrf(self) -> str:
        return field(self.page.text, "csrf")

    def post(self, path: str, **fields: Any) -> requests.Response:
        self.page = self.session.post(self.base + path, {"csrf": self.csrf, **fields})
        return self.page


def field(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found is not None
    return found[1]


def wait_for_links(ready: Path, ended: Any) -> dict[str, str]:
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert ended() is None and time.monotonic() < deadline, "the review did not start"
        time.sleep(0.02)
    found: dict[str, str] = json.loads(ready.read_text())["links"]
    return found
