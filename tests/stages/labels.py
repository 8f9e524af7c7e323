"""A small labelling study with a crowd server of its own, whose workers wait to be told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from support.crowd import Running, client, running

from replicate.base.images import decode
from replicate.crowdserver.admin import add_key
from replicate.sandbox.workers import run_sandbox_workers
from replicate.sources.digits import load_digits
from replicate.sources.display import display_copy
from replicate.stages.common import Context, Options
from replicate.stages.world import CrowdAccess
from replicate.store.tables import DedupDecision, Image, PreparedImage, SetImage
from replicate.study import Study, init_study, open_study

CLASSES = ("3", "5", "8")
PER_CLASS = 8
SMALLER = {
    "candidates = 40": "candidates = 6",
    "positive = 6": "positive = 2",
    "negative = 4": "negative = 2",
    "originals = 14": "originals = 0",
    "repeats = 2": "repeats = 0",
    "assignments = 9": "assignments = 3",
    "workers = 14": "workers = 6",
    "{ min_control_accuracy = 0.7, min_informedness = 0.3 }": "{ min_control_accuracy = 0.6 }",
}


@dataclass
class LocalWorld:
    """The outside of a study: a crowd server in a thread, and workers who work when told."""

    server: Running
    keys: tuple[str, str]
    seed: int
    working: bool = True
    visits: int = 0
    simulated: bool = True

    def crowd(self) -> CrowdAccess:
        self.visits += 1
        return CrowdAccess(self.server.endpoint, *self.keys, simulated=self.simulated)

    def simulate_work(self) -> int:
        if not self.working:
            return 0
        return run_sandbox_workers(self.server.worker_url, self.server.db, self.seed, 6)


@dataclass
class Labelling:
    """A study with a pool, and its world."""

    study: Study
    world: LocalWorld
    client: Any

    def context(self, **options: Any) -> Context:
        return Context(self.study, self.world, Options(**options))  # type: ignore[arg-type]

    def change(self, old: str, new: str) -> None:
        """Change the pipeline file."""
        path = self.study.root / "pipeline.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        self.study.close()
        self.study = open_study(self.study.root)

    def published(self) -> list[dict[str, Any]]:
        """The HITs that the crowd has."""
        hits: list[dict[str, Any]] = []
        for page in self.client.get_paginator("list_hits").paginate():
            hits += page["HITs"]
        return hits


@contextmanager
def labelling(root: Path) -> Iterator[Labelling]:
    """A study of three classes with eight candidates each, and a crowd server."""
    study = init_study(root / "study", "digits", "small")
    text = (study.root / "pipeline.toml").read_text()
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    (study.root / "pipeline.toml").write_text(text)
    study = open_study(study.root)
    fill(study)
    options = {"images": study.displays.root, "sandbox": True, "seed": study.seed}
    with running(root / "crowd.db", **options) as server:
        world = LocalWorld(server, add_key(server.db), study.seed)
        found = Labelling(study, world, client(server))
        yield found
        found.study.close()


def fill(study: Study) -> None:
    """Put originals and candidates into a study, as the stages before labelling would."""
    originals = _some("original", 12)
    with study.session() as session:
        session.execute(
            insert(SetImage),
            [
                {
                    "set_name": "original",
                    "name": f"original {position}",
                    "class_id": class_id,
                    "position": position,
                    "image_id": image_id,
                    "status": "ok",
                }
                for position, (class_id, image_id) in enumerate(_store(study, originals))
            ],
        )
    add_candidates(study, 0, PER_CLASS)


def add_candidates(study: Study, first: int, last: int) -> None:
    """Put some more images of each class into the pool."""
    members = _store(study, _some("training-writers", last, first))
    with study.session() as session:
        session.execute(
            insert(DedupDecision),
            [{"image_id": image, "class_id": name, "keep": True} for name, image in members],
        )


def _some(name: str, last: int, first: int = 0) -> list[tuple[str, bytes]]:
    found = []
    for class_id in CLASSES:
        files = [item.data for item in load_digits(name) if item.class_id == class_id]
        found += [(class_id, data) for data in files[first:last]]
    return found


def _store(study: Study, files: list[tuple[str, bytes]]) -> list[tuple[str, str]]:
    images, prepared, members = [], [], []
    for class_id, data in files:
        image_id = study.images.put(data)
        size = decode(data).size
        members.append((class_id, image_id))
        images.append(
            {"image_id": image_id, "width": size[0], "height": size[1], "n_bytes": len(data)}
        )
        prepared.append(
            {
                "image_id": image_id,
                "steps": study.steps,
                "prepared_id": study.prepared.put(data),
                "display_id": study.displays.put(display_copy(data, 96)),
                "display_form": "png-96",
                "status": "ok",
            }
        )
    with study.session() as session:
        session.execute(insert(Image), images)
        session.execute(insert(PreparedImage), prepared)
    return members
