"""Exports: whole or not there, the same bytes, honest about what is left out or simulated."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete
from stages.publishing import HOSTILE, make_published
from support.command import replicate

from replicate.base.errors import GuardError, MissingError, ReplicateError, UsageError
from replicate.cli.export import FORMATS
from replicate.reporting.export import KINDS
from replicate.reporting.export_data import Licence
from replicate.reporting.export_images import folder_names
from replicate.reporting.export_texts import licence_notes, lost_classes
from replicate.stages import export as stage
from replicate.stages.export import export, find_set, material
from replicate.stages.verify import verify
from replicate.store.ethics_tables import SafetyFlag, Takedown
from replicate.store.review_tables import SetReview
from replicate.store.reviews import Given, add_review
from replicate.store.safety import REVIEWER, report_unsafe
from replicate.store.takedowns import IMAGE, enter
from replicate.study import Study

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PIXELS = [name for name, kind in KINDS.items() if kind.pixels]


@pytest.fixture
def study(published: Study) -> Iterator[Study]:
    yield published
    with published.session() as session:
        session.execute(delete(Takedown))


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def texts(root: Path) -> str:
    return "\n".join(p.read_text() for p in sorted(root.rglob("*")) if p.suffix in (".md", ".json"))


def take_down(study: Study, position: int) -> str:
    with study.session() as session:
        image: str = (
            material(session, study, find_set(session, study, "top"), "prepared")
            .images[position]
            .image_id
        )
        enter(session, IMAGE, [image], "its owner asked", "ada", NOW)
    return image


def test_the_command_knows_every_format() -> None:
    assert {**{name: kind.about for name, kind in KINDS.items()}, "all": FORMATS["all"]} == FORMATS


@pytest.mark.parametrize("kind", KINDS)
def test_every_export_says_what_it_is_and_is_valid(kind: str, whole: Path) -> None:
    folder = whole / kind
    about = json.loads((folder / "export.json").read_text())
    assert {path for path in contents(folder) if path != "export.json"} == set(about["files"])
    assert {"set.json", "CITATION.md", "README.md"} <= set(about["files"])
    assert about["simulated"] is True and about["images"] == 30
    found = verify(folder)
    assert found.faults == [] and found.frozen is not None
    assert about["digest"] in (folder / "CITATION.md").read_text()
    assert found.images == (30 if kind in PIXELS else 0)


def test_the_same_set_gives_the_same_bytes_whatever_the_hash_seed(
    whole: Path, published: Study, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    done = replicate(
        "export",
        "all",
        "top-1",
        out,
        "--shard-size",
        "12",
        "-C",
        published.root,
        PYTHONHASHSEED="7",
    )
    assert done.code == 0, done.err
    assert contents(out) == contents(whole)
    assert "simulated" in done.err


def test_the_same_export_is_left_alone_and_another_is_refused(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert export(study, "imagefolder", "top", out).written
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = export(study, "imagefolder", "top-1", out)
    assert not again.written
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    for kind, bytes_ in (("webdataset", "prepared"), ("imagefolder", "display")):
        with pytest.raises(UsageError, match="holds another export"):
            export(study, kind, "top", out, bytes_)  # type: ignore[arg-type]
    next(out.rglob("*.png")).write_bytes(b"")
    with pytest.raises(ReplicateError, match="holds this export, but 1 files are wrong"):
        export(study, "imagefolder", "top", out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(UsageError, match="is not empty"):
        export(study, "imagefolder", "top", tmp_path / "full")
    (tmp_path / "empty").mkdir()
    assert export(study, "attribution", "top", tmp_path / "empty").written


def test_a_set_that_is_not_frozen_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="is not frozen") as caught:
        export(study, "imagefolder", "uniform", tmp_path / "out")
    assert caught.value.exit_code == 4 and "freeze uniform" in caught.value.hint
    assert not (tmp_path / "out").exists()
    export(study, "huggingface", "uniform", tmp_path / "out", exploratory=True)
    assert "**This set is not frozen**" in (tmp_path / "out" / "README.md").read_text()
    assert verify(tmp_path / "out").about["exploratory"] is True


def test_sets_are_found_by_name_and_revision(study: Study) -> None:
    with study.session() as session:
        assert find_set(session, study, "top").revision == 1
        assert find_set(session, study, "top-1").name == "top"
        for name in ("tpo", "top-2"):
            with pytest.raises(UsageError, match="no test set") as caught:
                find_set(session, study, name)
            assert "'top'" in caught.value.hint


def test_what_was_taken_down_is_left_out_everywhere(study: Study, tmp_path: Path) -> None:
    gone = take_down(study, 4)
    done = export(study, "all", "top", tmp_path / "all")
    assert done.left_out == 1 and done.about["left_out"] == {"taken_down": [gone]}
    for name in KINDS:
        folder = tmp_path / "all" / name
        for path in folder.rglob("*"):
            if path.is_file() and path.name not in ("export.json", "set.json"):
                assert gone.encode() not in path.read_bytes(), path
        if name in ("huggingface", "imagefolder", "datasheet"):
            assert "1 image of the set is not here (taken down" in texts(folder)
    assert len(rows(tmp_path / "all" / "imagefolder" / "images.csv")) == 29
    found = verify(tmp_path / "all" / "imagefolder")
    assert found.faults == [] and found.left_out == {"taken_down": 1}
    outcome = replicate("verify", tmp_path / "all")
    assert outcome.code == 3 and "1 images of the set are not here: taken_down" in outcome.err


def test_an_export_that_was_whole_is_another_after_a_takedown(study: Study, tmp_path: Path) -> None:
    export(study, "imagefolder", "top", tmp_path / "out")
    take_down(study, 0)
    with pytest.raises(UsageError, match="holds another export"):
        export(study, "imagefolder", "top", tmp_path / "out")
    outcome = replicate("export", "imagefolder", "top", tmp_path / "new", "-C", study.root)
    assert outcome.code == 3, outcome.err


@pytest.mark.parametrize("which", ["prepared", "gathered", "display"])
def test_the_bytes_asked_for_are_published(which: str, study: Study, tmp_path: Path) -> None:
    export(study, "imagefolder", "top", tmp_path / "out", which)  # type: ignore[arg-type]
    assert verify(tmp_path / "out").faults == []
    stores = {"prepared": study.prepared, "gathered": study.images, "display": study.displays}
    for row in rows(tmp_path / "out" / "images.csv"):
        data = (tmp_path / "out" / row["file"]).read_bytes()
        assert data == stores[which].get(row["sha256"])
        assert which != "gathered" or row["sha256"] == row["image_id"]


def test_a_run_that_is_cut_off_leaves_nothing(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stage.write_export

    def cut(folder, found, *rest):  # type: ignore[no-untyped-def]
        reads = iter(range(10))

        def read(digest: str) -> bytes:
            if next(reads, None) is None:
                raise KeyboardInterrupt
            return found.read(digest)

        return real(folder, replace(found, read=read), *rest)

    monkeypatch.setattr(stage, "write_export", cut)
    with pytest.raises(KeyboardInterrupt):
        export(study, "webdataset", "top", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    # What a process that was killed leaves behind is cleared away.
    left = tmp_path / ".out.partial"
    (left / "inside").mkdir(parents=True)
    (left / "inside" / "half.tar").write_bytes(b"half")
    export(study, "webdataset", "top", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert verify(tmp_path / "out").faults == []


def test_two_at_a_time_do_not_mix(study: Study, tmp_path: Path) -> None:
    with stage._partial(tmp_path / "out"), pytest.raises(GuardError, match="Another replicate"):
        export(study, "attribution", "top", tmp_path / "out")


def test_files_that_are_gone_or_changed_are_not_published(study: Study, tmp_path: Path) -> None:
    with study.session() as session:
        row = find_set(session, study, "top")
        image = material(session, study, row, "prepared").images[7]
    path = study.prepared.path(image.published_id)
    data = path.read_bytes()
    try:
        path.unlink()
        with pytest.raises(MissingError, match=f"is gone: image {image.image_id}"):
            export(study, "parquet", "top", tmp_path / "out")
        path.write_bytes(b"something else")
        with pytest.raises(ReplicateError, match="was changed"):
            export(study, "parquet", "top", tmp_path / "out")
    finally:
        path.unlink()
        path.write_bytes(data)
    assert list(tmp_path.iterdir()) == []


def test_simulated_votes_are_called_simulated_everywhere(whole: Path) -> None:
    for kind in KINDS:
        for name in ("README.md", "CITATION.md"):
            assert "simulated" in (whole / kind / name).read_text(), (kind, name)
    assert "simulated" in (whole / "datasheet" / "DATASHEET.md").read_text()
    assert "simulated" in (whole / "croissant" / "croissant.json").read_text()
    assert {row["simulated"] for row in rows(whole / "votes" / "votes.csv")} == {"true"}


def test_votes_of_people_are_not_called_simulated(tmp_path: Path) -> None:
    study = make_published(tmp_path / "study", simulated=False)
    export(study, "all", "top", tmp_path / "all")
    for kind in ("huggingface", "datasheet", "imagefolder"):
        said = "\n".join(path.read_text() for path in (tmp_path / "all" / kind).glob("*.md"))
        assert "simulated" not in said
    assert "6 workers" in (tmp_path / "all" / "datasheet" / "DATASHEET.md").read_text()
    study.close()


def test_no_worker_no_server_and_no_formula_gets_out(whole: Path) -> None:
    everything = b"".join(contents(whole).values())
    for secret in (b"secret-assignment", b"10.0.0.7", b"confirmed_by"):
        assert secret not in everything
    pool = rows(whole / "pool" / "pool.csv")
    assert [row["title"] for row in pool if row["source_id"] == "p0"] == [f"'{HOSTILE}"]
    credits = (whole / "attribution" / "ATTRIBUTION.md").read_text()
    assert r"\[a\] digit, \*1\*" in credits and "owner 1" in credits
    assert "https://www.example.org/photos/1" in credits


def test_open_questions_are_called_open(whole: Path) -> None:
    text = (whole / "datasheet" / "DATASHEET.md").read_text()
    answers = [block for block in text.split("\n\n") if block and not block.startswith("#")]
    n_open = sum(answer.startswith("**Open.**") for answer in answers)
    n_questions = sum(line.endswith("?**") for line in text.splitlines())
    said = text.split("2021. ")[1].split("\n")[0]
    assert said.startswith(f"{n_questions - n_open} are answered") and f"{n_open} are open" in said
    assert 0 < n_open < n_questions / 2


def test_a_class_without_images_is_pointed_out(study: Study) -> None:
    with study.session() as session:
        found = material(session, study, find_set(session, study, "top"), "prepared")
    assert lost_classes(found) == []
    without = replace(found, images=tuple(i for i in found.images if i.class_id != "3"))
    assert "No image of 1 of the study's 10 classes is here (3)" in lost_classes(without)[0]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=30, unique=True))
def test_folders_sort_in_the_order_of_the_classes(class_ids: list[str]) -> None:
    names = folder_names(class_ids)
    assert names == sorted(names) and len(set(names)) == len(names)
    for name in names:
        assert "/" not in name and name not in (".", "..") and "\0" not in name
        assert not name.startswith(".")


def test_images_reported_as_unsafe_are_held_back(study: Study, tmp_path: Path) -> None:
    with study.session() as session:
        row = find_set(session, study, "top")
        image = material(session, study, row, "prepared").images[2].image_id
        report_unsafe(session, [image], "ada", REVIEWER, NOW)
    try:
        done = export(study, "pool", "top", tmp_path / "out")
        assert done.about["left_out"] == {"reported_unsafe": [image]}
        assert image not in (tmp_path / "out" / "pool.csv").read_text()
        assert "reported as unsafe" in (tmp_path / "out" / "README.md").read_text()
    finally:
        with study.session() as session:
            session.execute(delete(SafetyFlag))


def test_licences_are_named_with_their_texts(whole: Path) -> None:
    credits = (whole / "imagefolder" / "ATTRIBUTION.md").read_text()
    assert (
        "| [CC BY-NC-SA 2.0](https://creativecommons.org/licenses/by-nc-sa/2.0/) | 10 |" in credits
    )
    assert "10 of the images have all rights reserved" in credits
    assert "licences that allow no changed copies" not in credits
    assert {row["licence"] for row in rows(whole / "attribution" / "attribution.csv")} == {
        "All rights reserved", "CC BY-NC-SA 2.0", "CC BY-NC 2.0"
    }  # fmt: skip


def test_what_reviewers_said_is_told(study: Study) -> None:
    def said() -> str:
        with study.session() as session:
            return material(session, study, find_set(session, study, "top"), "prepared").notes[0]

    assert said().startswith("Nobody has reviewed")
    with study.session() as session:
        row = find_set(session, study, "top")
        images = material(session, study, row, "prepared").images[:3]
        for number, image in enumerate(images):
            verdict = "exclude" if number == 0 else "ok"
            flags = ("ambiguous",) if number == 0 else ()
            given = Given("ada", verdict, NOW, flags)
            add_review(session, (image.image_id, image.class_id), given, "top", 1)
    try:
        assert said().startswith("1 reviewer looked at 3 of the 30 images; about 1 of them")
    finally:
        with study.session() as session:
            session.execute(delete(SetReview))


def test_changed_copies_under_licences_without_changes_are_pointed_out(study: Study) -> None:
    with study.session() as session:
        found = material(session, study, find_set(session, study, "top"), "prepared")
    strict = Licence("3", "CC BY-NC-ND 2.0", "")
    images = tuple(replace(image, licence=strict) for image in found.images[:4])
    changed = replace(found, images=images)
    assert "4 of the images are under licences that allow no" in licence_notes(changed)[0]
    assert licence_notes(replace(changed, which_bytes="gathered")) == []
