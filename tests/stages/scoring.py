"""A digits study that is ready to be scored: sets gathered, prepared, drawn and frozen by hand."""

import atexit
import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.sampling.manifest import Manifest
from replicate.sources.digits import load_digits
from replicate.stages.common import Context, Options
from replicate.stages.world import World
from replicate.store.tables import Image, PreparedImage, SetImage, TestSet, TestSetImage
from replicate.study import Study, open_study

SETS = {"original": 12, "train": 20, "test-rest": 5}
MODELS = ("small:linear-s0", "small:rff-w64-s0", "small:mlp-d1-w32-s0")
_PIPELINE = """
[study]
name = "tiny"
seed = {seed}
[original]
test = "digits:original"
train = "digits:train"
[[control]]
name = "test-rest"
images = "digits:test-rest"
[gather]
source = "folder"
path = "nowhere"
[prepare]
steps = ["digits-8x8@1"]
[[sample]]
name = "top"
strategy = "top"
per_class = 4
[[sample]]
name = "uniform"
strategy = "uniform"
per_class = 4
[score]
models = [{models}]
[report]
"""
_CLASS = '[[class]]\nid = "{i}"\nname = "the digit {i}"\nterms = ["{i}"]\n'


@cache
def _template() -> Path:
    """A study with all sets but no set drawn, made once; each test copies it."""
    root = Path(tempfile.mkdtemp(prefix="replicate-scoring-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    _write_pipeline(root, MODELS, 7)
    study = open_study(root)
    with study.session() as session:
        for set_name, per_class in SETS.items():
            _add_set(study, session, set_name, per_class)
    study.close()
    return root


def make_study(
    root: Path, models: tuple[str, ...] = MODELS, seed: int = 7, frozen: bool = True
) -> Study:
    """A study with an original, a train set, a control, and one frozen test set, ``top``."""
    shutil.copytree(_template(), root)
    _write_pipeline(root, models, seed)
    study = open_study(root)
    draw(study, "top", "test-rest", slice(0, 3), frozen)
    return study


def _write_pipeline(root: Path, models: tuple[str, ...], seed: int) -> None:
    named = ", ".join(f'"{name}"' for name in models)
    text = _PIPELINE.format(seed=seed, models=named)
    text += "".join(_CLASS.format(i=i) for i in range(10))
    (root / "pipeline.toml").write_text(text)


def _add_set(study: Study, session: Session, set_name: str, per_class: int) -> None:
    seen = dict.fromkeys("0123456789", 0)
    images: dict[str, Image] = {}
    prepared, rows = [], []
    for position, item in enumerate(load_digits(set_name)):
        if seen[item.class_id] == per_class:
            continue
        seen[item.class_id] += 1
        image_id, prepared_id = study.images.put(item.data), study.prepared.put(item.data)
        if image_id not in images:
            images[image_id] = Image(image_id=image_id, width=8, height=8, n_bytes=len(item.data))
            prepared.append(
                PreparedImage(
                    image_id=image_id,
                    steps=study.steps,
                    prepared_id=prepared_id,
                    display_id=prepared_id,
                    status="ok",
                )
            )
        rows.append(
            SetImage(
                set_name=set_name,
                name=item.name,
                class_id=item.class_id,
                position=position,
                image_id=image_id,
                status="ok",
            )
        )
    for part in (list(images.values()), prepared, rows):
        session.add_all(part)
        session.flush()


def draw(study: Study, name: str, source: str, part: slice, frozen: bool = True, revision: int = 1):
    """Make a test set of some images of each class of another set."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with study.session() as session:
        rows = session.scalars(
            select(SetImage).where(SetImage.set_name == source).order_by(SetImage.position)
        ).all()
        chosen = [
            row
            for class_id in "0123456789"
            for row in [each for each in rows if each.class_id == class_id][part]
        ]
        members = [(row.image_id, row.class_id) for row in chosen]
        drawn = TestSet(
            name=name,
            revision=revision,
            strategy="top",
            parameters={},
            digest=Manifest(name, revision, "top", {}, members).digest,
            n=len(chosen),
            match={},
            created_at=now,
        )
        session.add(drawn)
        session.flush()
        session.add_all(
            TestSetImage(
                name=name,
                revision=revision,
                position=position,
                image_id=row.image_id,
                class_id=row.class_id,
                stratum="",
                filled=False,
            )
            for position, row in enumerate(chosen)
        )
        session.flush()
        drawn.frozen_at = now if frozen else None


def context_of(study: Study, **options) -> Context:
    return Context(study, World(study), Options(**options))
