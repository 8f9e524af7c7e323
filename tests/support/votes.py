"""Pages of votes written straight into a study's database, without any crowd."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Engine, insert, select

from replicate.store import database
from replicate.store.tables import Assignment, Hit, Image, Vote

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """One assignment: whose, on what class, how it ended, and its votes.

    Attributes:
        votes: (image, role, value) of each slot.
    """

    name: str
    worker: str
    class_id: str
    votes: tuple[tuple[str, str, str], ...]
    status: str = "Approved"
    seconds: float | None = 60.0


def store_pages(engine: Engine, pages: list[Page]) -> None:
    """Store pages with all that they need; every page is a HIT of its own."""
    images = sorted({image for page in pages for image, _, _ in page.votes})
    with database.session(engine) as session:
        known = set(session.scalars(select(Image.image_id)))
        new = [image for image in images if image not in known]
        if new:
            session.execute(
                insert(Image),
                [{"image_id": image, "width": 1, "height": 1, "n_bytes": 1} for image in new],
            )
        session.execute(
            insert(Hit),
            [
                {
                    "hit_key": f"hit {page.name}",
                    "class_id": page.class_id,
                    "number": number,
                    "assignments": 1,
                    "reward": "0.10",
                    "hit_id": f"H{number}",
                    "published_at": NOW,
                    "status": "complete",
                }
                for number, page in enumerate(pages)
            ],
        )
        session.execute(insert(Assignment), [_assignment(page) for page in pages])
        session.execute(
            insert(Vote),
            [
                {
                    "assignment_id": page.name,
                    "slot": f"i{number:02d}",
                    "image_id": image,
                    "class_id": page.class_id,
                    "worker_id": page.worker,
                    "role": role,
                    "value": value,
                }
                for page in pages
                for number, (image, role, value) in enumerate(page.votes)
            ],
        )


def _assignment(page: Page) -> dict[str, object]:
    sent = None if page.seconds is None else NOW + timedelta(seconds=page.seconds)
    return {
        "assignment_id": page.name,
        "hit_key": f"hit {page.name}",
        "worker_id": page.worker,
        "status": page.status,
        "accepted_at": NOW,
        "submitted_at": sent,
        "seconds": page.seconds,
        "answer": "",
        "simulated": True,
    }


def random_pages(rng: np.random.Generator, workers: int = 8, pages: int = 60) -> list[Page]:
    """Pages of every kind: repeats, controls, originals, broken images, rejected work, no times."""
    found = []
    for number in range(pages):
        worker = f"w{rng.integers(workers)}"
        lean = (int(worker[1:]) + 1) / (workers + 1)
        chosen = [f"image {i}" for i in rng.choice(40, 10, replace=False)]
        roles = ["candidate"] * 4 + ["original"] + ["positive"] * 3 + ["negative"] * 2
        chosen += [chosen[0], chosen[5]]
        roles += ["repeat", "repeat"]
        values = [_value(rng, role, lean) for role in roles]
        if rng.random() < 0.2:
            values = [str(rng.choice(["yes", "no"]))] * len(values)
        found.append(
            Page(
                name=f"page {number}",
                worker=worker,
                class_id=f"c{rng.integers(2)}",
                votes=tuple(zip(chosen, roles, values, strict=True)),
                status=str(rng.choice(["Approved", "Submitted", "Rejected"], p=[0.7, 0.15, 0.15])),
                seconds=None if rng.random() < 0.1 else float(rng.integers(5, 120)),
            )
        )
    return found


def _value(rng: np.random.Generator, role: str, lean: float) -> str:
    if rng.random() < 0.1:
        return str(rng.choice(["broken", "not_shown"]))
    chance = lean if role in ("positive", "candidate", "original") else 1 - lean
    return "yes" if rng.random() < chance else "no"
