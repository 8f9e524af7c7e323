"""A study of photographs, as they are gathered: no preparation, no servers."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import insert

from replicate.stages.common import Context
from replicate.store.tables import Candidate, PreparedImage, Query, Run, SetImage
from replicate.store.tables import Image as ImageRow
from replicate.study import Study, init_study


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """An image as a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def photo_study(
    root: Path, original: list[bytes], candidates: list[tuple[str, bytes]], **dedup: Any
) -> tuple[Study, list[str]]:
    """A study with an original set and candidates, and the candidates' image ids.

    Args:
        root: Where it goes.
        original: The files of the original test set.
        candidates: Of each its class and its file, in the order of the search.
        dedup: Keys of `[dedup]`.
    """
    study = init_study(root, "digits", seed=7)
    pipeline = study.pipeline
    wanted = {"references": ("test",), "radius": 10} | dedup
    pipeline = pipeline.model_copy(
        update={
            "dedup": pipeline.dedup.model_copy(update=wanted),
            "prepare": pipeline.prepare.model_copy(update={"steps": ("identity@1",)}),
        }
    )
    study.loaded = replace(study.loaded, pipeline=pipeline)
    files = {data: study.images.put(data) for data in [*original, *(d for _, d in candidates)]}
    for data in files:
        study.prepared.put(data)
    sizes = {image: Image.open(io.BytesIO(data)).size for data, image in files.items()}
    run = {
        "run_id": 1, "stage": "gather", "versions": {}, "seed": 7, "pipeline_digest": "",
        "started_at": datetime(2026, 1, 1, tzinfo=UTC), "status": "done", "done": 0, "skipped": 0,
        "failed": {}, "details": {},
    }  # fmt: skip
    query = {
        "query_id": "q", "source": "folder", "class_id": "0", "term": "zero", "page": 1,
        "fetched": 0, "new": 0, "run_id": 1,
    }  # fmt: skip
    with study.session() as session:
        session.execute(insert(Run), [run])
        session.execute(insert(Query), [query])
        session.execute(
            insert(ImageRow),
            [
                {"image_id": image, "width": width, "height": height, "n_bytes": 1}
                for image, (width, height) in sizes.items()
            ],
        )
        session.execute(
            insert(PreparedImage),
            [
                {"image_id": image, "steps": study.steps, "prepared_id": image, "status": "ok"}
                for image in sizes
            ],
        )
        session.execute(
            insert(SetImage),
            [
                {"set_name": "original", "name": f"{place}.jpg", "class_id": "0",
                 "position": place, "image_id": files[data], "status": "ok"}
                for place, data in enumerate(original)
            ],
        )  # fmt: skip
        session.execute(
            insert(Candidate),
            [
                {"source": "folder", "source_id": str(place), "class_id": class_id,
                 "position": place, "query_id": "q", "url": "file:x", "status": "ok",
                 "attempts": 1, "image_id": files[data]}
                for place, (class_id, data) in enumerate(candidates)
            ],
        )  # fmt: skip
    return study, [files[data] for _, data in candidates]


def context_of(study: Study) -> Context:
    """What a stage is given, without services."""
    return Context(study, None)  # type: ignore[arg-type]
