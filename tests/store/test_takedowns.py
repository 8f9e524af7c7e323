"""What entries of the takedown list stand for."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from support.databases import ENGINES, new_database

from replicate.store import database
from replicate.store.tables import Candidate, Image, Query, Run
from replicate.store.takedowns import enter, in_force, taken_down

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
PAGE = "https://www.flickr.com/photos/1@N01/501"
FILE = "https://live.staticflickr.com/65535/501_0af3_b.jpg"


@pytest.fixture(scope="module", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A study's database with five candidates."""
    with new_database(request, tmp_path_factory) as engine:
        with database.session(engine) as session:
            _fill(session)
        yield engine


def _fill(session: Session) -> None:
    session.add(
        Run(stage="gather", versions={}, seed=1, pipeline_digest="", started_at=NOW, status="done")
    )
    session.flush()
    session.add(
        Query(
            query_id="q",
            source="flickr",
            class_id="c",
            term="t",
            page=1,
            fetched=5,
            new=5,
            run_id=1,
        )
    )
    session.add_all(Image(image_id=name, width=8, height=8, n_bytes=9) for name in "abcd")
    session.flush()
    rows = [
        ("501", "a", FILE, PAGE, "Ann"),
        ("502", "b", "/photos/502_o.png", "https://www.flickr.com/photos/1@N01/502", "Ann"),
        ("503", "c", "http://example.org/a/c.jpg", "https://example.org/a/", "50%_off"),
        ("504", "d", "https://example.org/d.jpg", None, None),
        ("505", None, "https://example.org/e.jpg", None, "Ann"),
    ]
    session.add_all(
        Candidate(
            source="flickr",
            source_id=name,
            class_id="c",
            position=place,
            query_id="q",
            url=url,
            page_url=page,
            owner=owner,
            owner_id="4@N01" if name == "504" else None,
            status="ok" if image else "found",
            image_id=image,
        )
        for place, (name, image, url, page, owner) in enumerate(rows)
    )


@pytest.mark.parametrize(
    ("kind", "value", "images"),
    [
        ("image", "d", "d"),
        ("image", "not-here", ["not-here"]),
        ("owner", "Ann", "ab"),
        ("owner", "1@N01", "ab"),
        ("owner", "4@N01", "d"),
        ("owner", "50%_off", "c"),
        ("owner", "5_%", ""),
        ("owner", "%", ""),
        ("address", PAGE, "a"),
        ("address", FILE, "a"),
        ("address", "https://www.flickr.com/photos/ann/501/in/pool-cats", "a"),
        ("address", "https://live.staticflickr.com/65535/501_0af3.jpg", "a"),
        ("address", "https://live.staticflickr.com/65535/50_0af3.jpg", ""),
        ("address", "/photos/502_o.png", "b"),
        ("address", "https://example.org/a/c.jpg", "c"),
        ("address", "http://example.org/a", "c"),
        ("address", "https://example.org/", ""),
    ],
)
def test_an_entry_stands_for_its_images(
    session: Session, kind: str, value: str, images: list[str]
) -> None:
    assert taken_down(session) == set()
    enter(session, kind, [value], "asked", None, NOW)
    assert taken_down(session) == set(images)


def test_entries_stay_as_they_were_until_they_are_lifted(session: Session) -> None:
    enter(session, "image", ["a", "b", "a"], "first", "Ann", NOW)
    (again,) = enter(session, "image", ["a"], "second", None, LATER)
    assert (again.reason, again.requested_by) == ("first", "Ann")
    assert again.at.replace(tzinfo=UTC) == NOW
    again.lifted_at = LATER
    assert taken_down(session) == {"b"}
    assert [entry.value for entry in in_force(session)] == ["b"]
    enter(session, "image", ["a"], "third", None, LATER)
    session.flush()
    assert taken_down(session) == {"a", "b"}
    assert [(e.value, e.reason) for e in in_force(session)] == [("b", "first"), ("a", "third")]


def test_many_entries_are_looked_up_together(session: Session) -> None:
    enter(session, "address", (f"https://example.org/{n}" for n in range(700)), "x", None, NOW)
    enter(session, "owner", ["50%_off"], "x", None, NOW)
    assert taken_down(session) == {"c"}
