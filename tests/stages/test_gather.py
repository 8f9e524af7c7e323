import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from support.flickr import local_flickr, picture, write_table
from support.planted import read_truth
from support.studies import context, tiny_study

from replicate.base.errors import GuardError, MissingError, PipelineError, SourceError, UsageError
from replicate.sandbox.flickr import SANDBOX_KEY
from replicate.sandbox.photo_texts import OPEN_LICENCES, WORDS
from replicate.sandbox.photos import make_photos
from replicate.sources.records import Photo, QueryPage, Window
from replicate.stages.gather import gather
from replicate.stages.gather_search import TermsSearch
from replicate.store.tables import Candidate, Image, Query, Run, SetImage
from replicate.study import Study

NUMBERS = {"limit_per_class": 2, "per_class": 8}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gather") / "photos"
    make_photos(folder, seed=11, n_photos=240)
    return folder


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_FLICKR_KEY", SANDBOX_KEY)
    monkeypatch.setenv("REPLICATE_FLICKR_SECRET", "x")


def gathered(root: Path, photos: Path, **numbers) -> Study:
    study = tiny_study(root, **{**NUMBERS, **numbers})
    with local_flickr(photos) as endpoint:
        gather(context(study, endpoint))
    return study


@pytest.fixture(scope="module")
def study(photos: Path, tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPLICATE_FLICKR_KEY", SANDBOX_KEY)
        patch.setenv("REPLICATE_FLICKR_SECRET", "x")
        made = gathered(tmp_path_factory.mktemp("gathered"), photos)
    yield made
    made.close()


def rows(study: Study, table: type) -> list[dict[str, object]]:
    """All rows of a table, without what differs from run to run."""
    with study.session() as session:
        found = session.scalars(select(table)).all()
        names = [column.name for column in table.__table__.columns if column.name != "run_id"]
        return sorted(({name: getattr(row, name) for name in names} for row in found), key=repr)


def test_sets_are_stored_whole_and_in_order(study: Study):
    found = rows(study, SetImage)
    names = ("original", "train", "test-rest", "training-writers")
    assert Counter(row["set_name"] for row in found) == dict.fromkeys(names, 20)
    original = sorted(
        (r for r in found if r["set_name"] == "original"), key=lambda r: r["position"]
    )
    assert [row["name"] for row in original] == sorted(row["name"] for row in original)
    images = {row["image_id"]: row for row in rows(study, Image)}
    for row in found:
        assert (
            study.images.path(row["image_id"]).stat().st_size == images[row["image_id"]]["n_bytes"]
        )
        assert images[row["image_id"]]["width"] == 8


def test_candidates_are_what_the_pipeline_asks_for(study: Study, photos: Path):
    with (photos / "photos.csv").open(newline="", encoding="utf-8") as handle:
        table = {row["id"]: row for row in csv.DictReader(handle)}
    found = rows(study, Candidate)
    for row in found:
        photo = table[row["source_id"]]
        assert set(WORDS[row["class_id"]]) & set(photo["tags"].split())
        assert "2012-07-11" <= row["uploaded"] < "2013-07-11"
        assert int(photo["licence"]) in OPEN_LICENCES
        assert row["url"] == f"/photos/{photo['file']}"
        assert row["page_url"] == f"https://www.flickr.com/photos/{photo['owner']}/{photo['id']}"
        assert (row["owner"], row["title"]) == (photo["ownername"], photo["title"])
    assert set(Counter(row["class_id"] for row in found).values()) == {8}
    for class_id in WORDS:
        places = [row["position"] for row in found if row["class_id"] == class_id]
        assert sorted(places) == list(range(8))


def test_every_fault_that_was_planted_is_a_row_with_its_reason(study: Study, photos: Path):
    kinds = {row.id: row.kind for row in read_truth(photos)}
    reasons = {"dead": {"gone", "placeholder"}, "broken": {"truncated", "not_an_image"}}
    for row in rows(study, Candidate):
        kind = kinds[row["source_id"]]
        assert (row["status"] == "failed") == (kind in reasons)
        assert row["reason"] in reasons.get(kind, {None})
        assert (row["image_id"] is None) == (row["status"] == "failed")
        if row["image_id"] is not None:
            assert study.images.path(row["image_id"]).exists()


def test_a_budget_is_split_over_terms(study: Study):
    by_query = {row["query_id"]: row["term"] for row in rows(study, Query)}
    terms = Counter(
        by_query[row["query_id"]] for row in rows(study, Candidate) if row["class_id"] == "0"
    )
    # Photos tagged with both are zero's, which comes first; it also takes what nought lacks.
    assert sum(terms.values()) == 8
    assert terms["zero"] >= 4
    assert terms["nought"] >= 2


class Shelf:
    """A source that counts the pages it was asked for."""

    name = "shelf"

    def __init__(self, **photos: str) -> None:
        self.photos, self.asked = photos, Counter()

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        for number, page in enumerate(self.photos[term].split("|"), start=1):
            self.asked[term] += 1
            yield QueryPage(
                term, window, number, 99, len(page), len(page), tuple(Photo(id=i) for i in page)
            )


@pytest.mark.parametrize(
    ("photos", "budget", "chosen", "asked"),
    [
        ({"a": "abcdef", "b": "uvwxyz"}, 4, "abuv", {"a": 1, "b": 1}),
        ({"a": "abcdef", "b": "uvwxyz"}, 5, "abcuv", {"a": 1, "b": 1}),
        ({"a": "abcdef", "b": "u"}, 6, "abcude", {"a": 1, "b": 1}),
        ({"a": "abcdef", "b": "abcu"}, 6, "abcude", {"a": 1, "b": 1}),
        ({"a": "ab|cd|ef", "b": "u"}, 4, "abuc", {"a": 2, "b": 1}),
        ({"a": "ab|cd|ef", "b": "uv"}, 4, "abuv", {"a": 1, "b": 1}),
        ({"a": "ab|ab|ef", "b": ""}, 3, "abe", {"a": 3, "b": 1}),
        ({"a": "", "b": ""}, 3, "", {"a": 1, "b": 1}),
        ({"a": "abc", "b": "xyz"}, 1, "a", {"a": 1}),
    ],
)
def test_a_class_takes_each_terms_share_then_what_is_left(photos, budget, chosen, asked):
    shelf = Shelf(**photos)
    search = TermsSearch(shelf, ["a", "b"], [], budget)
    assert "".join(photo.id for photo, _ in search.chosen()) == chosen
    assert shelf.asked == asked
    pages = search.take_pages()
    assert sum(new for _, new in pages) == len(
        {photo.id for page, _ in pages for photo in page.photos}
    )


def test_windows_are_searched_in_their_order():
    search = TermsSearch(Shelf(a="ab"), ["a"], [Window(5, 9), Window(0, 4)], 9)
    assert len(list(search.chosen())) == 2
    assert [page.window for page, _ in search.take_pages()] == [Window(5, 9), Window(0, 4)]


def test_queries_say_what_was_asked_and_what_came(study: Study):
    for row in rows(study, Query):
        assert row["window_start"] == "2012-07-11T00:00:00+00:00"
        assert row["window_end"] == "2013-07-10T23:59:59+00:00"
        assert 0 < row["new"] <= row["fetched"] <= row["total"]


def test_a_second_run_asks_nothing_and_says_so(study: Study):
    before = [rows(study, table) for table in (SetImage, Query, Candidate, Image)]
    result = gather(context(study, endpoint=None)).as_json()
    assert (result["done"], result["failed"]) == (0, {})
    assert result["skipped"] == 80 + 80
    assert [rows(study, table) for table in (SetImage, Query, Candidate, Image)] == before


class Killed(BaseException):
    """Stands for a process that ends at once."""


@pytest.mark.parametrize("moment", [1, 3, 5, 9, 14, 15])
def test_a_run_that_is_cut_off_is_carried_on_to_the_same_rows(
    study: Study, photos: Path, tmp_path: Path, moment: int
):
    cut = tiny_study(tmp_path, **NUMBERS)
    calls = Counter()

    def progress(what: str, done: int = 0, total: int = 0) -> None:
        calls["all"] += 1
        if calls["all"] == moment:
            raise Killed

    with local_flickr(photos) as endpoint, pytest.raises(Killed):
        gather(context(cut, endpoint, progress))
    with local_flickr(photos) as endpoint:
        gather(context(cut, endpoint))
    for table in (SetImage, Query, Candidate, Image):
        assert rows(cut, table) == rows(study, table)
    assert sorted(row["status"] for row in rows(cut, Run)) == ["done", "failed"]
    cut.close()


def test_failed_downloads_are_tried_again_only_when_asked(photos: Path, tmp_path: Path):
    study = gathered(tmp_path, photos, per_class=20)
    failed = Counter(r["reason"] for r in rows(study, Candidate) if r["status"] == "failed")
    assert len(failed) >= 2
    reason = sorted(failed)[0]
    with local_flickr(photos) as endpoint:
        again = gather(context(study, endpoint, retry_failed=True, retry_reason=reason)).as_json()
    assert again["failed"] == {reason: failed[reason]}
    assert again["done"] == 0
    study.close()


def test_too_few_photos_are_told(photos: Path, tmp_path: Path):
    study = tiny_study(tmp_path, **{**NUMBERS, "per_class": 500})
    with local_flickr(photos) as endpoint:
        result = gather(context(study, endpoint))
    assert len(result.tally.notes) == 10
    assert "of 500 asked for" in result.tally.notes[0]
    study.close()


def test_an_empty_pool_stops_the_study(tmp_path: Path):
    write_table(tmp_path / "photos", [{"id": "1", "file": "a.png", "tags": "fish"}])
    study = tiny_study(tmp_path / "study", **NUMBERS)
    with local_flickr(tmp_path / "photos") as endpoint, pytest.raises(GuardError, match="empty"):
        gather(context(study, endpoint))
    study.close()


def test_a_file_under_three_ids_shows_nothing(tmp_path: Path):
    photos = tmp_path / "photos"
    write_table(
        photos,
        [
            {"id": str(i), "file": f"{i}.png", "tags": "zero", "licence": 4,
             "date_upload": 1_350_000_000 + i}
            for i in range(6)
        ],
    )  # fmt: skip
    for i in range(6):
        (photos / f"{i}.png").write_bytes(picture(max(i, 2)))
    study = gathered(tmp_path / "study", photos)
    found = {row["source_id"]: row["reason"] for row in rows(study, Candidate)}
    assert found == {"0": "repeated", "1": "repeated", "2": "repeated", "3": None, "4": None,
                     "5": None}  # fmt: skip
    study.close()


@pytest.mark.parametrize(("key", "error"), [("wrong", SourceError), (None, MissingError)])
def test_keys_that_are_wrong_or_missing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key, error
):
    if key is None:
        monkeypatch.delenv("REPLICATE_FLICKR_KEY")
    else:
        monkeypatch.setenv("REPLICATE_FLICKR_KEY", key)
    study = tiny_study(tmp_path, **NUMBERS)
    with local_flickr(photos) as endpoint, pytest.raises(error):
        gather(context(study, endpoint))
    assert rows(study, Candidate) == []
    study.close()


def folder_source(text: str) -> str:
    return text.replace('source = "flickr"', 'source = "folder"\npath = "candidates"')


def test_candidates_from_a_folder(tmp_path: Path):
    for class_id in "0123456789":
        for i in range(3):
            path = tmp_path / "candidates" / class_id / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(100 + 10 * int(class_id) + i))
    (tmp_path / "candidates" / "4" / "9.png").write_bytes(b"<html>")
    study = tiny_study(
        tmp_path,
        lambda text: folder_source(text).replace("date_windows", "# ").replace("licences =", "# "),
        **NUMBERS,
    )
    gather(context(study))
    found = rows(study, Candidate)
    assert Counter(row["status"] for row in found) == {"ok": 30, "failed": 1}
    assert {row["class_id"] for row in found} == set("0123456789")
    study.close()


def test_candidates_from_a_table(tmp_path: Path):
    lines = ["path,class,licence,owner"]
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(picture(200 + number))
        lines.append(f"{number}.png,{number % 10},4,ada")
    lines.append("gone.png,3,4,ada")
    (tmp_path / "candidates.csv").write_text("\n".join(lines))
    study = tiny_study(
        tmp_path,
        lambda text: (
            text.replace('source = "flickr"', 'source = "table"\npath = "candidates.csv"')
            .replace("date_windows", "# ")
            .replace("licences =", "# ")
        ),
        **NUMBERS,
    )
    gather(context(study))
    found = rows(study, Candidate)
    assert Counter(row["status"] for row in found) == {"ok": 20, "failed": 1}
    assert [row["reason"] for row in found if row["status"] == "failed"] == ["gone"]
    assert {(row["licence"], row["owner"]) for row in found} == {("4", "ada")}
    study.close()


def test_a_folder_without_its_path_is_a_mistake_of_the_pipeline(tmp_path: Path):
    study = tiny_study(
        tmp_path,
        lambda text: folder_source(text).replace('\npath = "candidates"', ""),
        **NUMBERS,
    )
    with pytest.raises(PipelineError, match="path"):
        gather(context(study))
    study.close()


def test_an_original_without_a_class_is_refused(tmp_path: Path):
    (tmp_path / "own" / "0").mkdir(parents=True)
    (tmp_path / "own" / "0" / "a.png").write_bytes(picture(1))
    study = tiny_study(tmp_path, lambda text: text.replace('"digits:original"', '"own"'), **NUMBERS)
    with pytest.raises(UsageError, match="9 of 10 classes: 1, 2"):
        gather(context(study))
    assert rows(study, SetImage) == []
    study.close()


def test_an_unreadable_original_is_a_row_and_the_stage_goes_on(tmp_path: Path, photos: Path):
    for class_id in "0123456789":
        folder = tmp_path / "own" / class_id
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(picture(int(class_id)))
    (tmp_path / "own" / "3" / "b.png").write_bytes(b"no picture")
    (tmp_path / "own" / "other").mkdir()
    (tmp_path / "own" / "other" / "c.png").write_bytes(picture(77))
    study = tiny_study(tmp_path, lambda text: text.replace('"digits:original"', '"own"'), **NUMBERS)
    with local_flickr(photos) as endpoint:
        result = gather(context(study, endpoint)).as_json()
    assert result["failed"]["not_an_image"] >= 1
    own = [row for row in rows(study, SetImage) if row["set_name"] == "original"]
    bad = [row for row in own if row["status"] == "failed"]
    assert len(own) == 11
    assert [(row["name"], row["class_id"], row["reason"]) for row in bad] == [
        ("3/b.png", "3", "not_an_image")
    ]
    study.close()
