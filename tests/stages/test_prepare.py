from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update
from support.flickr import picture
from support.studies import context, tiny_study

from replicate.base.errors import MissingError, UsageError
from replicate.base.images import decode, encode_png, grey
from replicate.sources.digits import counts_to_grey, packed
from replicate.stages.gather import gather
from replicate.stages.prepare import prepare
from replicate.store.queries import gathered, prepared_ids, set_members
from replicate.store.tables import Hit, HitImage, PreparedImage
from replicate.study import Study, open_study


def from_folder(text: str) -> str:
    text = text.replace('source = "flickr"', 'source = "folder"\npath = "candidates"')
    return text.replace("date_windows", "# date_windows").replace("licences =", "# licences =")


@pytest.fixture
def study(tmp_path: Path):
    """A gathered study of 20 originals and controls a set and 30 candidates, one without ink."""
    images, labels = packed("mnist")
    for class_id in range(10):
        folder = tmp_path / "candidates" / str(class_id)
        folder.mkdir(parents=True)
        for i, row in enumerate(np.flatnonzero(labels == class_id)[:3]):
            (folder / f"{i}.png").write_bytes(encode_png(images[row]))
    (tmp_path / "candidates" / "7" / "0.png").write_bytes(encode_png(np.full((30, 30), 9, "u1")))
    made = tiny_study(tmp_path, from_folder, limit_per_class=2, per_class=3)
    gather(context(made))
    yield made
    made.close()


def rows(study: Study) -> dict[str, PreparedImage]:
    with study.session() as session:
        return {row.image_id: row for row in session.scalars(select(PreparedImage))}


def test_every_image_is_prepared_and_those_that_workers_see_have_a_copy(study: Study):
    result = prepare(context(study)).as_json()
    assert (result["done"], result["skipped"], result["failed"]) == (109, 0, {"no_ink": 1})
    with study.session() as session:
        prepared = prepared_ids(session, "digits-8x8@1")
        seen = {m.image_id for m in [*gathered(session), *set_members(session, "original")]}
        unseen = {m.image_id for m in set_members(session, "train")}
    assert len(prepared) == 109
    for image_id, (prepared_id, display_id) in prepared.items():
        digit = grey(decode(study.prepared.get(prepared_id)))
        assert digit.shape == (8, 8)
        assert set(np.unique(digit)) <= set(counts_to_grey(np.arange(17, dtype=np.uint8)))
        assert (display_id is not None) == (image_id in seen)
        if display_id is not None:
            assert decode(study.displays.get(display_id)).size == (96, 96)
    assert not any(prepared[image_id][1] for image_id in unseen)


def test_a_second_run_does_nothing(study: Study):
    prepare(context(study))
    result = prepare(context(study)).as_json()
    assert (result["done"], result["skipped"], result["failed"]) == (0, 110, {})


def test_what_failed_is_tried_again_only_when_asked(study: Study):
    prepare(context(study))
    assert (
        prepare(context(study, retry_failed=True, retry_reason="other")).as_json()["failed"] == {}
    )
    again = prepare(context(study, retry_failed=True, retry_reason="no_ink")).as_json()
    assert (again["done"], again["failed"]) == (0, {"no_ink": 1})


def test_a_lost_file_fails_alone_and_can_be_mended(study: Study):
    with study.session() as session:
        lost = set_members(session, "original")[0].image_id
    data = study.images.get(lost)
    study.images.path(lost).unlink()
    result = prepare(context(study)).as_json()
    assert result["failed"] == {"file_missing": 1, "no_ink": 1}
    study.images.put(data)
    again = prepare(context(study, retry_failed=True, retry_reason="file_missing")).as_json()
    assert (again["done"], again["failed"]) == (1, {})
    assert rows(study)[lost].reason is None


class Killed(BaseException):
    """Stands for a process that ends at once."""


def test_a_run_that_is_cut_off_is_carried_on(study: Study, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("replicate.stages.prepare._BATCH", 20)

    def progress(what: str, done: int = 0, total: int = 0) -> None:
        if done >= 40:
            raise Killed

    with pytest.raises(Killed):
        prepare(context(study, progress=progress))
    assert len(rows(study)) == 40
    result = prepare(context(study)).as_json()
    assert result["skipped"] == 40
    assert len(rows(study)) == 110


def test_an_image_that_becomes_a_candidate_later_gets_its_copy(study: Study):
    prepare(context(study))
    with study.session() as session:
        shown = set_members(session, "original")[0].image_id
        session.execute(
            update(PreparedImage).where(PreparedImage.image_id == shown).values(display_id=None)
        )
    assert prepare(context(study)).as_json()["done"] == 1
    assert rows(study)[shown].display_id is not None


def test_before_gathering_there_is_nothing_to_prepare(tmp_path: Path):
    empty = tiny_study(tmp_path)
    with pytest.raises(MissingError) as caught:
        prepare(context(empty))
    assert "replicate gather" in caught.value.hint
    empty.close()


def test_an_unknown_step_is_refused_before_anything_is_done(tmp_path: Path):
    wrong = tiny_study(tmp_path, lambda text: text.replace("digits-8x8@1", "digits-8x8@7"))
    with pytest.raises(UsageError) as caught:
        prepare(context(wrong))
    assert "digits-8x8@1" in caught.value.hint
    wrong.close()


def test_other_steps_keep_their_own_rows(study: Study, tmp_path: Path):
    prepare(context(study))
    other = tiny_study(
        tmp_path,
        lambda text: from_folder(text).replace("digits-8x8@1", "identity@1"),
        limit_per_class=2,
        per_class=3,
    )
    assert prepare(context(other)).as_json()["done"] == 110
    with other.session() as session:
        assert len(prepared_ids(session, "digits-8x8@1")) == 109
        assert all(
            image == prepared
            for image, (prepared, _) in prepared_ids(session, "identity@1").items()
        )
    other.close()


def test_files_are_shared_where_preparing_changes_nothing(study: Study):
    prepare(context(study))
    with study.session() as session:
        image = set_members(session, "original")[0].image_id
    assert study.prepared.path(image).samefile(study.images.path(image))


def test_pictures_differ_so_that_tests_can_tell_them_apart():
    assert len({picture(value) for value in range(300)}) == 300


def test_copies_of_another_form_are_made_anew_for_all(study: Study):
    prepare(context(study))
    before = {row.image_id for row in rows(study).values() if row.display_id}
    path = study.root / "pipeline.toml"
    path.write_text(path.read_text().replace('display_format = "png"', 'display_format = "jpeg"'))
    again = open_study(study.root)
    assert prepare(context(again)).as_json()["done"] == len(before)
    changed = [row for row in rows(again).values() if row.image_id in before]
    assert {row.display_form for row in changed} == {"jpeg-96-q90"}
    for row in changed:
        assert again.displays.get(str(row.display_id)).startswith(b"\xff\xd8\xff")
    assert prepare(context(again)).as_json()["done"] == 0
    again.close()


def test_copies_that_people_were_shown_stay_and_others_are_made_anew(study: Study):
    prepare(context(study))
    before = {row.image_id: row.display_id for row in rows(study).values() if row.display_id}
    seen, planned = sorted(before)[:2]
    with study.session() as session:
        for key, image, status in (("h", seen, "complete"), ("i", planned, "composed")):
            session.add(
                Hit(hit_key=key, class_id="0", number=0, assignments=1, reward="0", status=status)
            )
            session.flush()
            session.add(HitImage(hit_key=key, slot="i01", image_id=image, role="candidate"))
        # As after the migration of a study that did not know how its copies were made.
        session.execute(update(PreparedImage).values(display_form=None))
    path = study.root / "pipeline.toml"
    path.write_text(path.read_text().replace('display_format = "png"', 'display_format = "jpeg"'))
    again = open_study(study.root)
    assert prepare(context(again)).as_json()["done"] == len(before) - 1
    after = rows(again)
    assert after[seen].display_id == before[seen] and after[seen].display_form is None
    assert after[planned].display_form == "jpeg-96-q90"
    assert again.displays.get(str(before[seen]))
    again.close()
