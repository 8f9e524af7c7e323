"""What every source keeps: one suite, run over all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.flickr import local_flickr, picture, write_table

from replicate.base.errors import UsageError
from replicate.sandbox.flickr import SANDBOX_KEY, SANDBOX_SECRET
from replicate.sources.download import Download, Downloader, Limits
from replicate.sources.flickr import FlickrSource
from replicate.sources.folder import FolderSource
from replicate.sources.records import Window
from replicate.sources.registry import BUILT_IN, BY_CLASS, Source
from replicate.sources.table import TableSource

N = 23


@pytest.fixture(params=BUILT_IN)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    """A source with 23 photos of cats and 2 of dogs."""
    names = [("cat", i) for i in range(N)] + [("dog", i) for i in range(2)]
    for tag, i in names:
        path = tmp_path / tag / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(i))
    if request.param == "folder":
        with FolderSource(tmp_path, per_page=10) as folder:
            yield folder
        return
    if request.param == "table":
        lines = ["path,caption,uploaded"] + [f"{t}/{i}.png,a {t} asleep,{i}" for t, i in names]
        (tmp_path / "candidates.csv").write_text("\n".join(lines))
        with TableSource(tmp_path / "candidates.csv", per_page=10) as table:
            yield table
        return
    write_table(
        tmp_path,
        [
            {"id": f"{tag}{i}", "file": f"{tag}/{i}.png", "tags": tag, "date_upload": 1000 + i}
            for tag, i in names
        ],
    )
    with (
        local_flickr(tmp_path) as endpoint,
        FlickrSource(endpoint, SANDBOX_KEY, SANDBOX_SECRET, per_page=10) as flickr,
    ):
        yield flickr


def test_every_photo_comes_once_with_an_address(source: Source):
    photos = [photo for page in source.search("cat") for photo in page.photos]
    assert len(photos) == len({photo.id for photo in photos}) == N
    assert all(photo.url("url_o") for photo in photos)


def test_plans_know_which_sources_are_asked_by_class(source: Source):
    assert source.by_class == (source.name in BY_CLASS)


def test_the_same_question_has_the_same_answer(source: Source):
    assert list(source.search("cat")) == list(source.search("cat"))


def test_searches_know_nothing_of_each_other(source: Source):
    cats = source.search("cat")
    first = next(cats)
    dogs = [photo.id for page in source.search("dog") for photo in page.photos]
    rest = [photo.id for page in cats for photo in page.photos]
    assert len(dogs) == 2
    assert len({photo.id for photo in first.photos} | set(rest)) == N


def test_pages_count_what_they_hold(source: Source):
    pages = list(source.search("cat"))
    assert [page.page for page in pages] == list(range(1, len(pages) + 1))
    assert len(pages) >= 3
    for page in pages:
        assert page.term == "cat"
        assert page.new == len(page.photos) <= page.fetched <= 10


def test_an_unknown_term_leaves_a_page_with_nothing(source: Source):
    (page,) = source.search("unicorn")
    assert (page.page, page.fetched, page.new, page.photos) == (1, 0, 0, ())


def test_a_window_in_which_nothing_was_uploaded_is_empty(source: Source):
    pages = list(source.search("cat", Window(5000, 6000)))
    assert [page.photos for page in pages] == [()]
    assert pages[0].window == Window(5000, 6000)


def test_what_a_source_offers_can_be_downloaded(source: Source):
    photos = [photo for page in source.search("dog") for photo in page.photos]
    limits = Limits(connections=2, allow_files=source.local)
    with Downloader(limits) as downloader:
        outcomes = list(downloader.fetch(Download(p.id, p.urls["url_o"]) for p in photos))
    assert sorted(outcome.data for outcome in outcomes) == sorted([picture(0), picture(1)])


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError):
        FolderSource(tmp_path / "nowhere")


def test_a_folder_is_found_in_capitals_too(tmp_path: Path):
    (tmp_path / "Cat").mkdir()
    (tmp_path / "Cat" / "1 ä.png").write_bytes(picture(1))
    with FolderSource(tmp_path) as folder, Downloader(Limits(allow_files=True)) as downloader:
        (page,) = folder.search("cat")
        (outcome,) = downloader.fetch([Download("1", page.photos[0].urls["url_o"])])
    assert outcome.data == picture(1)
