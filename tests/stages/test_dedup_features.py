"""The dedup stage finds by features what hashes cannot see."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from pydantic import ValidationError
from sqlalchemy import select
from stages.photo_study import context_of, jpeg, photo_study
from support.photos import photo_tiles

from replicate.base.errors import UsageError
from replicate.pipeline.dedup import DedupConfig
from replicate.stages.dedup import dedup
from replicate.stages.dedup_pairs import compared
from replicate.stages.takedowns import add
from replicate.store.queries import prepared_ids, set_members
from replicate.store.tables import DedupDecision, DuplicatePair, SetImage
from replicate.study import Study
from replicate.zoo.feature_files import read_features


def _study(root: Path, **keys: Any) -> tuple[Study, list[str]]:
    """A study of which the first candidate is an image of the original set, rotated by 40°."""
    tiles = photo_tiles()[:48:3]
    candidates = [tiles[3].rotate(40), *tiles[9:15]]
    return photo_study(
        root / "study",
        [jpeg(tile) for tile in tiles[:9]],
        [("0", jpeg(image)) for image in candidates],
        **keys,
    )


def _write(study: Study, name: str, names: list[str], rows: np.ndarray) -> None:
    flat = pa.array(rows.ravel(), pa.float32())
    lists = pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
    table = pa.table({"item": pa.array(names), "features": lists})
    feather.write_feather(table, study.root / name, compression="uncompressed")


def _rows(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)


@pytest.mark.parametrize("by_id", [True, False])
def test_what_features_find_goes_and_says_so(tmp_path: Path, by_id: bool) -> None:
    study, ids = _study(tmp_path, features=("old.arrow", "new.arrow"), transforms=True)
    old, new = _rows(1, 9), _rows(2, 7)
    new[0] = 2 * old[3] + 0.01
    _write(study, "old.arrow", [f"{place}.jpg" for place in range(9)], old)
    _write(study, "new.arrow", ids if by_id else [str(place) for place in range(7)], new)
    tally = dedup(context_of(study)).tally
    with study.session() as session:
        decisions = {row.image_id: row for row in session.scalars(select(DedupDecision))}
        pairs = {row.candidate_id: row for row in session.scalars(select(DuplicatePair))}
    assert decisions[ids[0]].reason == "duplicate_of_reference"
    pair = pairs[ids[0]]
    assert (pair.found_by, pair.verdict, pair.reference_set) == ("features", "sure", "original")
    assert pair.transform == "none"  # no flip or turn makes a rotated image lie on its original
    assert pair.similarity > 0.99 and pair.distance > 10 and pair.ssim < 0.9
    assert decisions[ids[0]].because_of == pair.reference_id
    assert all(decisions[image].keep for image in ids[1:])
    assert tally.details["found_by"]["features"] >= 1
    assert 0 < tally.details["features"]["unsure"] <= tally.details["features"]["sure"] < 1


def test_names_of_no_image_and_of_several_are_refused(tmp_path: Path) -> None:
    study, _ = _study(tmp_path, features=("old.arrow",))
    _write(study, "old.arrow", ["a", "b"], _rows(1, 2))
    with pytest.raises(UsageError, match="No row of features"):
        dedup(context_of(study))
    with study.session() as session:
        other = session.scalars(select(SetImage).where(SetImage.name == "0.jpg")).one()
        row = {"set_name": "control", "name": "1.jpg", "class_id": "0", "position": 0}
        session.add(SetImage(**row, image_id=other.image_id, status="ok"))
    _write(study, "old.arrow", ["0.jpg", "1.jpg"], _rows(1, 2))
    with pytest.raises(UsageError, match="several images"):
        dedup(context_of(study))


def test_a_model_is_run_on_new_images_alone(tmp_path: Path) -> None:
    keys = {"features_sure": 1.0, "features_unsure": 1.0}
    study, ids = _study(tmp_path, features=("py:support.tiny_models:build",), **keys)
    with study.session() as session:
        prepared = {image: two[0] for image, two in prepared_ids(session, study.steps).items()}
        sets = {member.image_id: "original" for member in set_members(session, "original")}
    first = compared(context_of(study), sets, ids[:2], prepared)
    assert first.features is not None and len(first.features.candidates.row) == 2
    again = compared(context_of(study), sets, ids, prepared)
    assert again.features is not None and (again.features.candidates.row >= 0).all()
    files = sorted((study.root / "features").rglob("*.arrow"))
    rows = sorted(len(read_features(file).values) for file in files)
    assert rows == [len(ids) - 2, len(sets) + 2]
    before = [file.stat().st_mtime_ns for file in files]
    dedup(context_of(study))
    assert sorted((study.root / "features").rglob("*.arrow")) == files
    assert [file.stat().st_mtime_ns for file in files] == before
    rows = again.features.candidates.some(np.array([ids.index(image) for image in ids[:2]]))
    np.testing.assert_allclose(rows, first.features.candidates.some(np.array([0, 1])))
    # An image that is taken down with its files leaves no features; the others' come back.
    add(study, [ids[0]], "asked for", erase=True)
    left = sorted((study.root / "features").rglob("*.arrow"))
    assert len(left) == 1 and prepared[ids[0]] not in (read_features(left[0]).names or ())
    others = compared(context_of(study), sets, ids[1:], prepared).features
    assert others is not None
    np.testing.assert_allclose(others.candidates.some(np.array([0])), rows[1:])
    names = [read_features(file).names or () for file in left[0].parent.glob("*.arrow")]
    assert prepared[ids[0]] not in {name for some in names for name in some}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"features": ("timm:resnet18", "a.csv")}, "one model, or files"),
        ({"features": ("a.csv",), "features_sure": 0.9}, "belong together"),
        ({"features_sure": 0.9, "features_unsure": 0.8}, "belong together"),
        ({"features": ("a.csv",), "features_sure": 1.9, "features_unsure": 0.8}, "less than"),
    ],
)
def test_keys_that_do_not_fit(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DedupConfig(**keys)
