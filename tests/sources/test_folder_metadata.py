"""A folder with a table of its files' tags and texts, searched as Flickr is."""

from pathlib import Path

import pytest
from support.flickr import picture

from replicate.base.errors import MissingError, UsageError
from replicate.base.tables import write_table
from replicate.sources.records import Window
from replicate.sources.registry import SourceSettings, open_source
from replicate.sources.table import TableSource

ROWS = [
    {"file": "a.png", "tags": "cat; sea snake", "title": "Mog", "licence": "4", "uploaded": "1000"},
    {"file": "b.png", "tags": "scattered", "title": "no Cat here", "licence": "0", "uploaded": ""},
    {"file": "sub/c.png", "tags": "dog", "title": "x", "licence": "5", "uploaded": "3000"},
]


@pytest.fixture(params=["csv", "jsonl", "parquet"])
def metadata(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    import pandas as pd

    for number, name in enumerate(["a.png", "b.png", "sub/c.png", "stranger.png"]):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    table = tmp_path / f"tags.{request.param}"
    write_table(pd.DataFrame(ROWS), table)
    return table


def ids(source: TableSource, term: str, window: Window | None = None) -> list[str]:
    found = [photo for page in source.search(term, window) for photo in page.photos]
    return [photo.urls["url_o"].rpartition("/photos/")[2] for photo in found]


def folder(metadata: Path, **more) -> TableSource:
    settings = SourceSettings(path=metadata.parent / "photos", metadata=metadata, **more)
    source = open_source("folder", settings)
    assert isinstance(source, TableSource)
    return source


def test_terms_are_whole_words_of_tags_or_texts(metadata: Path):
    source = folder(metadata)
    assert ids(source, "cat") == ["a.png", "b.png"]
    assert ids(source, "CAT here") == ["b.png"]
    assert ids(source, "ca") == ids(source, "cats") == []
    assert ids(source, "seasnake") == ids(source, "sea snake") == ["a.png"]
    assert ids(folder(metadata, search="tags"), "cat") == ["a.png"]


def test_windows_and_licences_leave_out_what_is_not_known_to_lie_within(metadata: Path):
    source = folder(metadata)
    assert source.filters == {"date_windows", "licences"}
    assert ids(source, "cat", Window(0, 2000)) == ["a.png"]
    assert ids(source, "dog", Window(3000, 3000)) == ["sub/c.png"]
    assert ids(folder(metadata, licences=(4, 5)), "cat") == ["a.png"]


def test_files_without_a_row_are_said(metadata: Path):
    (note,) = folder(metadata).notes
    assert "1 files" in note and "stranger.png" in note


def test_what_is_missing_is_said(metadata: Path):
    with pytest.raises(MissingError, match="nothing"):
        folder(metadata.with_name("nothing.csv"))
    bare = metadata.with_name("bare.csv")
    bare.write_text("file\na.png\n")
    with pytest.raises(UsageError, match="text"):
        folder(bare)


def test_lists_of_tags_in_parquet_are_tags(tmp_path: Path):
    import pandas as pd

    path = tmp_path / "t.parquet"
    pd.DataFrame({"file": ["a.png", "b.png"], "tags": [["sea snake", "reef"], ["sea"]]}).to_parquet(
        path
    )
    source = TableSource(path, folder=tmp_path)
    assert [p.tags for page in source.search("seasnake") for p in page.photos] == [
        ("sea snake", "reef")
    ]
