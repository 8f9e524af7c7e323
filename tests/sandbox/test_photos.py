import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.planted import read_truth

from replicate.base.errors import ItemError, UsageError
from replicate.base.images import decode, grey
from replicate.sandbox.photo_texts import WORDS
from replicate.sandbox.photos import SHARES, ensure_photos, make_photos
from replicate.sources.digits import grey_to_counts, packed, rows
from replicate.sources.prepare import prepare

N = 400


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "photos.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("photos") / "made"
    make_photos(made, seed=7, n_photos=N)
    return made


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(folder: Path, tmp_path: Path):
    make_photos(tmp_path / "again", seed=7, n_photos=N)
    make_photos(tmp_path / "other", seed=8, n_photos=N)
    assert files_of(tmp_path / "again") == files_of(folder)
    assert files_of(tmp_path / "other").keys() != files_of(folder).keys()


def test_faults_are_planted_in_their_shares(folder: Path):
    kinds = Counter(row.kind for row in read_truth(folder))
    for kind, share in SHARES.items():
        assert kinds[kind] == round(share * N)
    assert kinds["right"] == N - sum(kinds[kind] for kind in SHARES)


def test_tags_say_what_the_truth_says(folder: Path):
    tags = {row["id"]: row["tags"].split() for row in table(folder)}
    every = {word for words in WORDS.values() for word in words}
    for row in read_truth(folder):
        named = every & set(tags[row.id])
        assert named <= set(WORDS[row.tagged_class])
        assert named
        assert (row.true_class != row.tagged_class) == (row.kind == "mistagged")
        collection, _, place = row.origin.partition("-")
        assert str(packed(collection)[1][int(place)]) == row.true_class


def test_classes_are_tagged_alike(folder: Path):
    counts = Counter(row.tagged_class for row in read_truth(folder) if row.kind != "near_duplicate")
    assert max(counts.values()) - min(counts.values()) <= 6


def test_broken_photos_cannot_be_decoded_and_the_others_can(folder: Path):
    truth = {row.id: row for row in read_truth(folder)}
    reasons = Counter()
    for row in table(folder):
        data = (folder / row["file"]).read_bytes()
        if truth[row["id"]].kind == "broken":
            with pytest.raises(ItemError) as caught:
                decode(data)
            reasons[caught.value.reason] += 1
        else:
            assert decode(data).size == (int(row["width"]), int(row["height"]))
    assert set(reasons) == {"truncated", "not_an_image"}


def test_near_duplicates_lead_back_to_the_image_they_were_made_from(folder: Path):
    images, _ = packed("optdigits")
    both = np.concatenate([rows("original"), rows("train")])
    references = images[both].astype(float)
    files = {row["id"]: row["file"] for row in table(folder)}
    found = 0
    for row in read_truth(folder):
        if row.kind == "near_duplicate":
            data = prepare((folder / files[row.id]).read_bytes(), ["digits-8x8@1"])
            counts = grey_to_counts(grey(decode(data))).astype(float)
            distances = ((references - counts) ** 2).sum(axis=(1, 2))
            assert f"optdigits-{both[distances.argmin()]:04d}" == row.duplicate_of
            found += 1
    assert found == round(SHARES["near_duplicate"] * N)


def test_dead_photos_are_dead_in_two_ways(folder: Path):
    truth = {row.id: row.kind for row in read_truth(folder)}
    for row in table(folder):
        assert (row["status"] == "ok") == (truth[row["id"]] != "dead")


def test_making_photos_again_does_nothing_and_other_photos_are_refused(tmp_path: Path):
    ensure_photos(tmp_path / "p", 1, 20)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "p").rglob("*")}
    ensure_photos(tmp_path / "p", 1, 20)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "p").rglob("*")}
    with pytest.raises(UsageError):
        ensure_photos(tmp_path / "p", 2, 20)


def test_a_run_that_was_cut_off_leaves_nothing_that_counts(tmp_path: Path):
    half = tmp_path / ".p.partial" / "files"
    half.mkdir(parents=True)
    (half / "left.jpg").write_bytes(b"half")
    ensure_photos(tmp_path / "p", 1, 20)
    assert "files/left.jpg" not in files_of(tmp_path / "p")
    assert not (tmp_path / ".p.partial").exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError):
        ensure_photos(tmp_path / "mine", 1, 20)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
