"""Tables of what is known of images: keywords, years, ranks; and what is no such table."""

from pathlib import Path

import pytest

from replicate.base.errors import MissingError, UsageError
from replicate.sources.facts import Fact, plain_keyword, read_facts, year_of
from replicate.sources.table import TableSource


def test_rows_say_what_they_know(tmp_path: Path) -> None:
    table = tmp_path / "facts.csv"
    table.write_text(
        "File,Keyword,Taken,uploaded,query_rank\n"
        "a.png, Tabby_Cat ,2004-05-01 10:00:00,1330000000,3\n"
        "b.png,,0000-00-00,1330000000,\n"
        "c.png,,,,\n"
    )
    assert read_facts(table) == [
        Fact("a.png", "tabby cat", 2004, 3),
        Fact("b.png", None, 2012, None),
    ]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (None, MissingError, "no table"),
        ("name,keyword\na,b\n", UsageError, "no column that names the images"),
        ("file,label\na,b\n", UsageError, "says nothing"),
        ("file,rank\na,first\n", UsageError, "row 1: 'first' is no rank"),
    ],
)
def test_what_is_no_such_table(tmp_path: Path, text: str | None, error: type, said: str) -> None:
    table = tmp_path / "facts.csv"
    if text is not None:
        table.write_text(text)
    with pytest.raises(error, match=said):
        read_facts(table)


def test_the_table_of_the_set_itself_need_say_nothing(tmp_path: Path) -> None:
    table = tmp_path / "set.csv"
    table.write_text("file,label\na,b\n")
    assert read_facts(table, required=False) == []


@pytest.mark.parametrize("text", ["", "20", "2012x", "99999-01-01", "1e9", "9" * 30, "0999-01-01"])
def test_no_year_is_made_up(text: str) -> None:
    assert year_of(text) in (None, 2012)
    assert (year_of(text) == 2012) == (text == "2012x")


def test_keywords_are_one_however_they_are_written() -> None:
    assert {plain_keyword(t) for t in ("Tabby_cat", "tabby  cat", " TABBY CAT ")} == {"tabby cat"}


def test_a_table_of_candidates_says_their_keywords_and_years(tmp_path: Path) -> None:
    table = tmp_path / "pool.csv"
    table.write_text("path,class,keyword,year\n1.png,cat,tabby,2011\n")
    with TableSource(table) as source:
        (page,) = source.search("cat")
    assert [(p.keyword, p.taken) for p in page.photos] == [("tabby", "2011")]
