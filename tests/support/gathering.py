"""Gathering from a large local Flickr that goes wrong, and killed on the way; what must come of it.

What there is to be found is worked out from the table of photos alone, by other code than the local
Flickr's own.
"""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from sqlalchemy import select

from replicate.sandbox.faults import FaultPlan
from replicate.sandbox.flickr import SANDBOX_KEY, SANDBOX_SECRET
from replicate.sandbox.photo_texts import OPEN_LICENCES, WINDOW
from replicate.store.tables import Candidate, ClassSearch, Query
from replicate.study import Study
from support.command import environment
from support.flickr import Asked, local_flickr
from support.studies import tiny_study

CLASSES = 10
FAULTS = FaultPlan(
    seed=5,
    api_429=0.02,
    api_500=0.02,
    api_105=0.02,
    api_slow=0.02,
    api_cut=0.02,
    image_429=0.002,
    image_500=0.01,
    image_slow=0.001,
    image_cut=0.01,
    slow_seconds=1.0,
    totals=0.2,
)


@dataclass
class Gathered:
    """What came of gathering.

    Attributes:
        queries: The rows of queries, without the run.
        candidates: The rows of candidates, without run and attempts.
        asked: What the local Flickr was asked.
        kills: How often the command was killed.
    """

    queries: list[dict[str, Any]]
    candidates: list[dict[str, Any]]
    asked: Asked
    kills: int = 0
    ids: dict[str, set[str]] = field(default_factory=dict)


def gather_killed(
    root: Path, photos: Path, kills: int, *, download: bool, least: int, faults: FaultPlan = FAULTS
) -> Gathered:
    """Run `replicate gather`, killing it with SIGKILL that often, until it is done.

    Args:
        root: Where the study is made.
        photos: The local Flickr's photos.
        kills: How often; half of them while searching if files are downloaded too.
        download: Whether files are downloaded; otherwise all ends with the searches.
        least: The calls that are needed: kills are spread over so many.
        faults: What goes wrong.
    """
    study = tiny_study(root, limit_per_class=2, per_class=1_000_000)
    asked, killed = Asked(), 0
    searching = kills - kills // 2 if download else kills
    n_photos = len((photos / "photos.csv").read_text(encoding="utf-8").splitlines())
    with local_flickr(photos, faults, asked) as endpoint:
        for kill in range(searching):
            target = max(asked.searches + 1, (kill + 1) * least // (searching + 1))
            killed += _run(study, endpoint, lambda t=target: asked.searches >= t)
        for _ in range(kills - searching):
            target = asked.images + n_photos // 40
            killed += _run(study, endpoint, lambda t=target: asked.images >= t)
        if download:
            assert not _run(study, endpoint, lambda: False)
        else:
            _run(study, endpoint, lambda: asked.images > 0)
    found = _rows(study, asked, killed)
    study.close()
    return found


def _run(study: Study, endpoint: str, enough: Callable[[], bool]) -> bool:
    """Run the command and kill it when there is enough; whether it was killed."""
    with (study.root / "stderr.txt").open("wb") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "replicate", "-C", str(study.root), "gather", "--json"],
            env=environment(
                REPLICATE_FLICKR_URL=endpoint,
                REPLICATE_FLICKR_KEY=SANDBOX_KEY,
                REPLICATE_FLICKR_SECRET=SANDBOX_SECRET,
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
    while child.poll() is None:
        if enough():
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            return True
        time.sleep(0.002)
    # 3: done, but some files failed, as is planted.
    assert child.returncode in (0, 3), (study.root / "stderr.txt").read_text()
    return False


def _rows(study: Study, asked: Asked, kills: int) -> Gathered:
    with study.session() as session:
        assert len(session.scalars(select(ClassSearch)).all()) == CLASSES
        tables = [session.scalars(select(table)).all() for table in (Query, Candidate)]
    plain = [
        sorted(
            (
                {
                    name: value
                    for name, value in vars(row).items()
                    if name not in ("_sa_instance_state", "run_id", "attempts")
                }
                for row in rows
            ),
            key=repr,
        )
        for rows in tables
    ]
    found = Gathered(plain[0], plain[1], asked, kills)
    for row in plain[1]:
        found.ids.setdefault(row["class_id"], set()).add(row["source_id"])
    return found


def reachable(photos: Path, terms: dict[str, list[str]]) -> dict[tuple[str, str], set[str]]:
    """The ids that a search for each class and term can show, by the table alone."""
    start, end = (int(moment.timestamp()) for moment in WINDOW)
    found: dict[tuple[str, str], set[str]] = {
        (class_id, term): set() for class_id, words in terms.items() for term in words
    }
    by_term = {term: class_id for class_id, words in terms.items() for term in words}
    with (photos / "photos.csv").open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            inside = start <= int(row["date_upload"]) < end
            open_ = int(row["licence"]) in OPEN_LICENCES
            shown = row["status"] != "hidden" and row["media"] == "photo" and row["safety"] == "1"
            if inside and open_ and shown:
                for tag in set(row["tags"].split()) & by_term.keys():
                    found[by_term[tag], tag].add(row["id"])
    return found


def least_calls(found: dict[tuple[str, str], set[str]], per_page: int = 500) -> int:
    """The sum over queries of the pages that their reachable photos fill."""
    return sum(ceil(len(ids) / per_page) for ids in found.values())
