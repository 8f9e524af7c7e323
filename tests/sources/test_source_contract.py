"""What every source keeps: one suite over all of them, opened as a pipeline file opens them."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.flickr import local_flickr, picture, write_table

from replicate.base.errors import UsageError
from replicate.sandbox.flickr import SANDBOX_KEY, SANDBOX_SECRET
from replicate.sources.download import Download, Downloader, Limits
from replicate.sources.folder import FolderSource
from replicate.sources.records import Window
from replicate.sources.registry import (
    BUILT_IN,
    FILTERS,
    Source,
    SourceSettings,
    asked_by_class,
    open_source,
)

N = 23
NAMES = [("cat", i) for i in range(N)] + [("dog", i) for i in range(2)]
KINDS = [*BUILT_IN, "folder with metadata", "museum"]
MUSEUM = """
from replicate.sources.folder import FolderSource

class Museum(FolderSource):
    name = "museum"

def open_source(settings):
    return Museum(settings.needed_path("museum"), settings.per_page)
"""


def images(folder: Path) -> None:
    for tag, i in NAMES:
        path = folder / tag / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(i))


def shards(folder: Path) -> None:
    """Two tars with the same pictures."""
    for number, part in enumerate([NAMES[:12], NAMES[12:]]):
        with tarfile.open(folder / f"part-{number}.tar", "w") as tar:
            for tag, i in part:
                for ending, data in (("png", picture(i)), ("json", json.dumps({"label": tag}))):
                    member = tarfile.TarInfo(f"{tag}{i}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data if ending == "png" else data.encode()))


@contextmanager
def opened(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A source with 23 photos of cats and 2 of dogs, ten a page."""
    name = kind.split()[0]
    if kind == "flickr":
        rows = [
            {"id": f"{tag}{i}", "file": f"{tag}/{i}.png", "tags": tag, "date_upload": 1000 + i}
            for tag, i in NAMES
        ]
        images(folder)
        write_table(folder, rows)
        monkeypatch.setenv("REPLICATE_FLICKR_KEY", SANDBOX_KEY)
        monkeypatch.setenv("REPLICATE_FLICKR_SECRET", SANDBOX_SECRET)
        with local_flickr(folder) as endpoint:
            settings = SourceSettings(endpoint=endpoint, search="tags", per_page=10)
            with open_source(name, settings) as source:
                yield source
        return
    settings = SourceSettings(path=folder, per_page=10)
    if kind == "webdataset":
        shards(folder)
        settings = SourceSettings(path=folder / "part-{0..1}.tar", per_page=10)
    else:
        images(folder)
    if kind == "table":
        lines = ["path,caption,uploaded"] + [f"{t}/{i}.png,a {t} asleep,{i}" for t, i in NAMES]
        (folder / "candidates.csv").write_text("\n".join(lines))
        settings = SourceSettings(path=folder / "candidates.csv", per_page=10)
    elif kind == "folder with metadata":
        rows = [json.dumps({"file": f"{t}/{i}.png", "tags": [t, "pet"]}) for t, i in NAMES]
        (folder / "tags.jsonl").write_text("\n".join(rows))
        settings = SourceSettings(path=folder, metadata=folder / "tags.jsonl", per_page=10)
    elif kind == "museum":
        package = folder / "site"
        (package / "museum-1.0.dist-info").mkdir(parents=True)
        (package / "museum_candidates.py").write_text(MUSEUM)
        about = package / "museum-1.0.dist-info"
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: museum\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(
            "[replicate.sources]\nmuseum = museum_candidates:open_source\n"
        )
        monkeypatch.syspath_prepend(package)
    with open_source(name, settings) as source:
        assert asked_by_class(name, settings) == source.by_class
        yield source


@pytest.fixture(params=KINDS)
def source(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Source]:
    with opened(request.param, tmp_path, monkeypatch) as found:
        yield found


def test_every_photo_comes_once_with_an_address(source: Source):
    photos = [photo for page in source.search("cat") for photo in page.photos]
    assert len(photos) == len({photo.id for photo in photos}) == N
    assert all(photo.url("url_o") for photo in photos)


def test_what_a_source_filters_by_are_keys_of_the_pipeline_file(source: Source):
    assert source.filters <= FILTERS


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
