"""Further reference sets: folders whose images must not leak into the new test set."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select
from stages.pools import make_pool

from replicate.base.errors import MissingError
from replicate.pipeline.dedup import DedupConfig
from replicate.stages.common import Tally
from replicate.stages.dedup import dedup
from replicate.stages.gather_references import gather_references
from replicate.stages.prepare import prepare
from replicate.store.tables import DedupDecision, DuplicatePair


def test_what_is_in_a_named_folder_leaves_the_pool(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, 200, train=False)
    study = pool.study
    folder = study.root / "seen"
    (folder / "deeper").mkdir(parents=True)
    leaked = sorted(
        pool.images[photo]
        for photo, row in pool.truth.items()
        if photo in pool.images and row.kind != "near_duplicate"
    )[:3]
    for place, image_id in enumerate(leaked):
        (folder / "deeper" / f"{place}.png").write_bytes(study.images.get(image_id))
    (folder / "broken.png").write_text("none")
    wanted = study.pipeline.dedup.model_copy(update={"references": ("test", "seen")})
    study.loaded = replace(
        study.loaded, pipeline=study.pipeline.model_copy(update={"dedup": wanted})
    )
    tally = Tally()
    gather_references(pool.context(), tally)
    assert (tally.done, tally.failed) == (3, Counter({"not_an_image": 1}))
    again = Tally()
    gather_references(pool.context(), again)
    assert (again.done, again.skipped, again.failed) == (0, 4, Counter())
    prepare(pool.context())
    dedup(pool.context())
    with study.session() as session:
        gone = {
            row.image_id: row
            for row in session.scalars(select(DedupDecision).where(DedupDecision.keep.is_(False)))
        }
        sets = set(session.scalars(select(DuplicatePair.reference_set)))
    for image_id in leaked:
        assert gone[image_id].reason == "duplicate_of_reference"
        assert gone[image_id].because_of == image_id
    assert "seen" in sets


def test_a_reference_that_is_not_there_is_named(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, 20, train=False)
    study = pool.study
    wanted = study.pipeline.dedup.model_copy(update={"references": ("nowhere",)})
    study.loaded = replace(
        study.loaded, pipeline=study.pipeline.model_copy(update={"dedup": wanted})
    )
    with pytest.raises(MissingError, match=r"There is no .*nowhere"):
        gather_references(pool.context(), Tally())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("train.npy",), "does not say how"),
        (("candidates",), "cannot be named"),
        (("test", "test"), "not twice"),
    ],
)
def test_what_cannot_be_a_reference_set(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DedupConfig(references=names)
