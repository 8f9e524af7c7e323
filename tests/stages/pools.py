"""A digits study whose pool comes from the sandbox's photos, without servers."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from support.planted import read_truth

from replicate.base.errors import ItemError
from replicate.base.images import decode
from replicate.sandbox.photos import TruthRow, ensure_photos
from replicate.sources.digits import load_digits
from replicate.sources.prepare import prepare
from replicate.stages.common import Context
from replicate.store.tables import Candidate, Image, PreparedImage, Query, Run, SetImage
from replicate.study import Study, init_study


@dataclass
class Pool:
    """The study, and by photo id the image id and what was planted."""

    study: Study
    images: dict[str, str]
    truth: dict[str, TruthRow]

    def context(self) -> Context:
        return Context(self.study, None)  # type: ignore[arg-type]


def make_pool(
    root: Path, n_photos: int, seed: int = 2019, part: float = 1.0, train: bool = True
) -> Pool:
    """A study with the first part of the photos as its candidates, with or without a train set."""
    study = init_study(root / "study", "digits", seed=seed)
    ensure_photos(root / "photos", seed, n_photos)
    truth = {row.id: row for row in read_truth(root / "photos")}
    with study.session() as session:
        session.execute(
            insert(Run),
            [
                {
                    "run_id": 1,
                    "stage": "gather",
                    "versions": {},
                    "seed": seed,
                    "pipeline_digest": "",
                    "started_at": datetime(2026, 1, 1, tzinfo=UTC),
                    "status": "done",
                    "done": 0,
                    "skipped": 0,
                    "failed": {},
                    "details": {},
                }
            ],
        )
        session.execute(
            insert(Query),
            [
                {
                    "query_id": "q",
                    "source": "flickr",
                    "class_id": "0",
                    "term": "zero",
                    "page": 1,
                    "fetched": 0,
                    "new": 0,
                    "run_id": 1,
                }
            ],
        )
    pool = Pool(study, {}, truth)
    _add_sets(study, train)
    add_photos(pool, root / "photos", 0, int(n_photos * part))
    return pool


def _add_sets(study: Study, train: bool) -> None:
    rows: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for name in ("original", "train") if train else ("original",):
        for position, item in enumerate(load_digits(name)):
            image_id = study.images.put(item.data)
            files[image_id] = item.data
            rows.append(
                {
                    "set_name": name,
                    "name": item.name,
                    "class_id": item.class_id,
                    "position": position,
                    "image_id": image_id,
                    "status": "ok",
                }
            )
    _add_files(study, files)
    with study.session() as session:
        session.execute(insert(SetImage), rows)


def add_photos(pool: Pool, folder: Path, first: int, last: int) -> None:
    """Gather and prepare the photos from the first to the last one."""
    with (folder / "photos.csv").open(newline="", encoding="utf-8") as handle:
        photos = list(csv.DictReader(handle))[first:last]
    files: dict[str, bytes] = {}
    rows = []
    for position, photo in enumerate(photos):
        data = (folder / photo["file"]).read_bytes()
        try:
            decode(data)
        except ItemError:
            continue
        image_id = pool.study.images.put(data)
        pool.images[photo["id"]] = image_id
        if image_id not in files:
            files[image_id] = data
        rows.append(
            {
                "source": "flickr",
                "source_id": photo["id"],
                "class_id": pool.truth[photo["id"]].tagged_class,
                "position": position,
                "query_id": "q",
                "url": "http://127.0.0.1/photo",
                "status": "ok",
                "attempts": 1,
                "image_id": image_id,
            }
        )
    _add_files(pool.study, files)
    with pool.study.session() as session:
        session.execute(insert(Candidate), rows)


def _add_files(study: Study, files: dict[str, bytes]) -> None:
    images, prepared = [], []
    for image_id, data in files.items():
        size = decode(data).size
        images.append(
            {"image_id": image_id, "width": size[0], "height": size[1], "n_bytes": len(data)}
        )
        bytes_ = prepare(data, study.pipeline.prepare.steps)
        prepared.append(
            {
                "image_id": image_id,
                "steps": study.steps,
                "prepared_id": study.prepared.put(bytes_),
                "display_id": None,
                "status": "ok",
            }
        )
    with study.session() as session:
        session.execute(insert(Image), images)
        session.execute(insert(PreparedImage), prepared)
