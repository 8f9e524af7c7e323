import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import MissingError, UsageError
from replicate.sources.records import Window
from replicate.sources.registry import SourceSettings, open_source, source_names
from replicate.sources.table import TableSource

ROWS = [
    {"URL": "http://x/1.jpg", "Label": "Gold Fish", "License": "4", "Author": "ada"},
    {"URL": "http://x/2.jpg", "Label": "tench", "License": "", "Author": ""},
    {"URL": "http://x/3.jpg", "Label": "gold  fish", "License": "0", "Author": "bob"},
]
TEXTS = [
    {"path": "a.png", "title": "A goldfish, asleep", "tags": "pond fish", "id": "a"},
    {"path": "b.png", "title": "Fish market", "tags": "tench", "id": "b"},
    {"path": "c.png", "title": "goldfishes", "tags": "", "id": "c"},
]


def _table(tmp_path: Path, rows: list[dict[str, str]], name: str = "candidates.csv") -> Path:
    path = tmp_path / name
    frame = pd.DataFrame(rows)
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t")
        case ".jsonl":
            path.write_text("\n".join(json.dumps(row) for row in rows))
        case ".parquet":
            frame.to_parquet(path)
    return path


def _ids(source: TableSource, term: str, window: Window | None = None) -> list[str]:
    return [photo.id for page in source.search(term, window) for photo in page.photos]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_a_class_column_is_matched_exactly(tmp_path: Path, kind: str):
    source = TableSource(_table(tmp_path, ROWS, f"candidates.{kind}"))
    (page,) = source.search("gold fish")
    assert [photo.urls["url_o"] for photo in page.photos] == ["http://x/1.jpg", "http://x/3.jpg"]
    assert [(photo.licence, photo.owner_name) for photo in page.photos] == [
        ("4", "ada"),
        ("0", "bob"),
    ]
    assert (source.local, source.base, source.filters) == (
        False,
        "",
        {"licences"},
    )
    assert _ids(source, "fish") == []


def test_texts_are_searched_for_all_words(tmp_path: Path):
    source = TableSource(_table(tmp_path, TEXTS))
    assert _ids(source, "fish") == ["a", "b"]
    assert _ids(source, "goldfish pond") == ["a"]
    assert _ids(source, "!") == []
    assert source.local and source.base.startswith("file:")
    tags = TableSource(_table(tmp_path, TEXTS), "tags")
    assert _ids(tags, "fish") == ["a"]


def test_upload_times_are_times_or_seconds(tmp_path: Path):
    rows = [
        {"url": f"http://x/{i}", "class": "x", "uploaded": text, "id": str(i)}
        for i, text in enumerate(["1000", "1970-01-01T00:20:00Z", "1970-01-01 00:30", "never", ""])
    ]
    source = TableSource(_table(tmp_path, rows))
    assert source.filters == {"date_windows"}
    assert _ids(source, "x", Window(1000, 1200)) == ["0", "1"]
    (page,) = source.search("x")
    assert page.photos[2].uploaded == datetime(1970, 1, 1, 0, 30, tzinfo=UTC)
    assert page.photos[3].uploaded is None


@given(st.lists(st.lists(st.sampled_from(["ab", "cd", "ef", "gh"]), max_size=4), max_size=8))
def test_searching_equals_looking_at_every_row(tmp_path_factory, texts: list[list[str]]):
    folder = tmp_path_factory.mktemp("table")
    rows = [{"path": f"{i}.png", "text": " ".join(t), "id": str(i)} for i, t in enumerate(texts)]
    source = TableSource(_table(folder, rows or [{"path": "x", "text": "", "id": "x"}]))
    for term in ("ab", "cd ab", "gh ef cd"):
        wanted = [str(i) for i, t in enumerate(texts) if set(term.split()) <= set(t)]
        assert _ids(source, term) == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("class\nx\n", "where the images are"),
        ("url\nx\n", "no column to search"),
        ("url,class,id\na,x,1\nb,x,1\n", "row 2: '1' occurs twice"),
        ("url,class\na,x\na,x\n", "occurs twice"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, content: str, message: str):
    path = tmp_path / "candidates.csv"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        TableSource(path)


def test_a_table_that_is_not_there_and_one_of_another_kind(tmp_path: Path):
    with pytest.raises(MissingError, match="There is no table"):
        TableSource(tmp_path / "none.csv")
    (tmp_path / "table.xlsx").write_bytes(b"")
    with pytest.raises(UsageError, match="no table by its name"):
        TableSource(tmp_path / "table.xlsx")


def test_sources_are_opened_by_name(tmp_path: Path):
    assert source_names()[:3] == ("flickr", "folder", "table")
    with pytest.raises(UsageError, match="no source") as caught:
        open_source("fliker", SourceSettings())
    assert "'flickr'" in caught.value.hint
    with pytest.raises(UsageError, match="needs a path"):
        open_source("table", SourceSettings())
    with open_source("table", SourceSettings(path=_table(tmp_path, ROWS))) as source:
        assert source.name == "table"


def test_another_package_brings_a_source(tmp_path: Path, monkeypatch):
    folder = tmp_path / "site"
    (folder / "museum-1.0.dist-info").mkdir(parents=True)
    (folder / "museum-1.0.dist-info" / "METADATA").write_text("Name: museum\nVersion: 1.0\n")
    (folder / "museum-1.0.dist-info" / "entry_points.txt").write_text(
        "[replicate.sources]\nmuseum = museum_source:open_it\nbroken = museum_source:nothing\n"
    )
    (folder / "museum_source.py").write_text(
        "from replicate.sources.folder import FolderSource\n"
        "def open_it(settings):\n    return FolderSource(settings.path, settings.per_page)\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    (tmp_path / "images" / "cat").mkdir(parents=True)
    assert "museum" in source_names()
    with open_source("museum", SourceSettings(path=tmp_path / "images")) as source:
        assert [page.total for page in source.search("cat")] == [0]
    with pytest.raises(MissingError, match="'broken' of the package museum"):
        open_source("broken", SourceSettings())
