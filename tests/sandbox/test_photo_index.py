from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.flickr import many_photos, write_table

from replicate.base.errors import MissingError, UsageError
from replicate.sandbox.photo_index import CAP, ApiError, PhotoIndex

ROWS: list[dict[str, object]] = [
    {"id": "1", "file": "a.jpg", "tags": "sea-snake black", "title": "A snake", "licence": "4",
     "date_upload": 100, "date_taken": "2010-01-01 10:00:00", "owner": "ada@N01"},
    {"id": "2", "file": "b.jpg", "tags": "SeaSnake", "title": "In the sea", "licence": "0",
     "date_upload": 200, "date_taken": "2011-01-01 10:00:00", "owner": "ben@N02"},
    {"id": "3", "file": "c.jpg", "tags": "black", "title": "Night", "description": "no snake",
     "licence": "4", "date_upload": 300, "date_taken": "2012-01-01 10:00:00", "owner": "ada@N01"},
]  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> PhotoIndex:
    write_table(tmp_path, ROWS)
    return PhotoIndex(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ({"tags": "seasnake"}, "21"),
        ({"tags": "sea snake"}, "21"),
        ({"tags": "seasnake,black"}, "321"),
        ({"tags": "seasnake,black", "tag_mode": "all"}, "1"),
        ({"text": "snake"}, "31"),
        ({"text": "snake -night"}, "1"),
        ({"text": "SNAKE black"}, "31"),
        ({"text": "snake", "tags": "seasnake"}, "1"),
        ({"license": "4"}, "31"),
        ({"license": "0,4", "sort": "date-posted-asc"}, "123"),
        ({"min_upload_date": "200"}, "32"),
        ({"min_upload_date": "200", "max_upload_date": "200"}, "2"),
        ({"max_upload_date": "1970-01-01 00:02:00"}, "1"),
        ({"min_taken_date": "2011-01-01", "max_taken_date": "2011-12-31 23:59:59"}, "2"),
        ({"user_id": "ada@N01"}, "31"),
        ({"tags": "cat"}, ""),
        # What Flickr does not know it ignores: the paper's misspelt argument widens the search.
        ({"tags": "black", "min_uploaded_date": "200"}, "31"),
    ],
)
def test_searches(index: PhotoIndex, arguments: dict[str, str], ids: str):
    assert "".join(photo.id for photo in index.search(arguments).photos) == ids


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, 3),
        ({"page": "2", "extras": "tags"}, 3),
        ({"tags": ",".join(f"t{i}" for i in range(21)), "tag_mode": "all"}, 1),
    ],
)
def test_what_cannot_be_searched_has_flickrs_code(index: PhotoIndex, arguments, code: int):
    with pytest.raises(ApiError) as caught:
        index.search(arguments)
    assert caught.value.code == code


def test_only_the_first_4000_can_be_paged_through(tmp_path: Path):
    many_photos(tmp_path, list(range(4700)))
    index = PhotoIndex(tmp_path)
    arguments = {"tags": "fish", "per_page": "500"}
    pages = [
        [photo.id for photo in index.search({**arguments, "page": str(page)}).photos]
        for page in range(1, 11)
    ]
    assert len({photo for page in pages for photo in page}) == CAP
    assert pages[8] == pages[0]
    assert pages[9] == pages[1]


def test_totals_are_off_when_there_are_several_pages(tmp_path: Path):
    many_photos(tmp_path, list(range(1000)))
    index = PhotoIndex(tmp_path)
    claims = {
        index.search({"tags": "fish", "per_page": "100", "min_upload_date": str(low)}).total + low
        for low in range(1, 20)
    }
    assert all(940 <= claim <= 1070 for claim in claims)
    assert len(claims) > 5
    assert index.search({"tags": "fish", "min_upload_date": "950"}).total == 50


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["tags", "text", "page", "per_page", "license", "min_upload_date", "sort"]),
        st.text(max_size=12),
    )
)
def test_any_arguments_give_photos_or_a_code(tmp_path_factory, arguments: dict[str, str]):
    folder = tmp_path_factory.getbasetemp() / "fuzzed-index"
    if not folder.exists():
        write_table(folder, ROWS)
    try:
        page = PhotoIndex(folder).search(arguments)
    except ApiError as error:
        assert error.code in (1, 3)
    else:
        assert {photo.id for photo in page.photos} <= {"1", "2", "3"}


def test_a_folder_without_a_table_or_with_a_wrong_one_is_refused(tmp_path: Path):
    with pytest.raises(MissingError, match=r"photos\.csv"):
        PhotoIndex(tmp_path)
    write_table(tmp_path, [{"id": "1", "name": "a.jpg"}])
    with pytest.raises(UsageError, match="'file'"):
        PhotoIndex(tmp_path)
    write_table(tmp_path, [{"id": "1", "file": "a.jpg"}, {"id": "1", "file": "b.jpg"}])
    with pytest.raises(UsageError, match="twice"):
        PhotoIndex(tmp_path)
    write_table(tmp_path, [{"id": "1", "file": "a.jpg", "date_upload": "yesterday"}])
    with pytest.raises(UsageError, match="line 2"):
        PhotoIndex(tmp_path)
