"""A study whose image files live on S3 (a server on loopback): no file of them in the study."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from support.command import replicate
from support.s3 import s3_server
from support.studies import context, tiny_study

from replicate.base.errors import PipelineError
from replicate.base.images import encode_png
from replicate.sources.digits import packed
from replicate.stages.erasing import erase_returned
from replicate.stages.gather import gather
from replicate.stages.prepare import prepare
from replicate.store.queries import prepared_ids, set_members
from replicate.store.tables import PreparedImage
from replicate.study import Study
from replicate.web.pictures import Pictures
from replicate.zoo.image_sets import StoredSet
from replicate.zoo.prediction_files import read
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_work import run_job


def on_s3(text: str) -> str:
    text = text.replace('source = "flickr"', 'source = "folder"\npath = "candidates"')
    text = text.replace("date_windows", "# date_windows").replace("licences =", "# licences =")
    return text.replace("\nseed =", '\nimages = "s3://photos/digits"\nseed =', 1)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    root = tmp_path_factory.mktemp("on-s3")
    images, labels = packed("mnist")
    for class_id in range(10):
        folder = root / "candidates" / str(class_id)
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(encode_png(images[np.flatnonzero(labels == class_id)[0]]))
    with s3_server("photos"):
        made = tiny_study(root, on_s3, limit_per_class=1, per_class=1)
        gather(context(made))
        prepare(context(made))
        yield made
        made.close()


def prepared(study: Study) -> list[PreparedImage]:
    with study.session() as session:
        return list(session.scalars(select(PreparedImage)))


def test_all_files_are_there_and_none_in_the_study(study: Study):
    rows = prepared(study)
    assert {row.status for row in rows} == {"ok"}
    assert study.images.location == "s3://photos/digits/images"
    assert study.images.missing([row.image_id for row in rows]) == []
    assert study.prepared.missing([str(row.prepared_id) for row in rows]) == []
    assert not [path.name for path in study.root.iterdir() if path.name in {"images", "display"}]
    assert gather(context(study)).tally.done == 0
    assert prepare(context(study)).tally.done == 0


def test_pages_show_them(study: Study):
    digest = next(row.display_id for row in prepared(study) if row.display_id)
    picture = Pictures(study.displays.location).get(digest)
    assert picture is not None
    assert picture.data == study.displays.get(digest)


def test_the_check_of_the_database_finds_those_that_are_gone(study: Study):
    gone = prepared(study)[0].image_id
    data = study.images.get(gone)
    assert study.images.delete(gone)
    outcome = replicate("db", "check", "-C", study.root)
    assert outcome.code == 1
    assert outcome.out.splitlines() == [f"images: the file {gone} is missing"]
    outcome = replicate("db", "check", "-C", study.root, "--json")
    assert outcome.code == 1
    assert outcome.json()["problems"] == [f"images: the file {gone} is missing"]
    study.images.put(data)
    assert erase_returned(study) == 0


def test_models_see_them(study: Study, tmp_path: Path):
    with study.session() as session:
        members = set_members(session, "original")
        ids = prepared_ids(session, study.steps)
    images = StoredSet(
        "original",
        tuple(member.image_id for member in members),
        tuple(member.class_id for member in members),
        tuple(str(i) for i in range(10)),
        tuple(ids[member.image_id][0] for member in members),
        study.prepared,
    )
    (outcome,) = run_job(Job(("py:support.digit_models:nearest",), images, tmp_path))
    assert outcome.path is not None, outcome.message
    found = read(outcome.path)
    assert found.header["failed_images"] == {} and len(found.items) == 10
    assert found.counts[0] == 10 and found.counts[1] >= 8


def test_without_keys_the_command_says_what_to_do(study: Study):
    outcome = replicate(
        "db", "check", "-C", study.root, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""
    )
    assert outcome.code == 2
    assert "AWS_ACCESS_KEY_ID" in outcome.err
    assert "Traceback" not in outcome.err


def test_another_kind_of_address_is_a_mistake_of_the_pipeline(tmp_path: Path):
    with pytest.raises(PipelineError, match="images"):
        tiny_study(tmp_path, lambda text: on_s3(text).replace("s3://", "gs://"))
