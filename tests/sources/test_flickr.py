import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from support.clocks import ManualClock
from support.flickr import local_flickr, many_photos, write_table

from replicate.base.errors import MissingError, SourceError, UsageError
from replicate.sandbox.faults import FaultPlan
from replicate.sandbox.flickr import SANDBOX_KEY, SANDBOX_SECRET
from replicate.sources.flickr import FlickrSource
from replicate.sources.flickr_arguments import check_arguments
from replicate.sources.flickr_calls import keys_from_environment
from replicate.sources.records import QueryPage, Window

CLOCK = ManualClock(datetime(2020, 1, 1, tzinfo=UTC))
MONTH = Window(1_350_000_000, 1_352_600_000)


def source(endpoint: str, **more) -> FlickrSource:
    given = {"key": SANDBOX_KEY, "clock": CLOCK, "sleep": lambda _: None, **more}
    return FlickrSource(endpoint, secret=SANDBOX_SECRET, **given)


def everything(endpoint: str, window: Window | None = None, **more) -> list[QueryPage]:
    with source(endpoint, **more) as flickr:
        return list(flickr.search("fish", window))


def ids(pages: list[QueryPage]) -> list[str]:
    return [photo.id for page in pages for photo in page.photos]


def test_a_photo_keeps_what_flickr_says_of_it(tmp_path: Path):
    write_table(
        tmp_path,
        [{"id": "77", "file": "f/77_ab.jpg", "owner": "ada@N01", "ownername": "Ada Ö.",
          "title": "A fish", "tags": "fish sea", "licence": 4, "date_upload": 1_350_000_000,
          "date_taken": "2012-10-01 09:00:00", "width": 1200, "height": 800}],
    )  # fmt: skip
    with local_flickr(tmp_path) as endpoint:
        (page,) = everything(endpoint, licences=[4, 5], search_in="text")
    photo = page.photos[0]
    assert (photo.id, photo.owner, photo.owner_name, photo.title, photo.licence) == (
        "77", "ada@N01", "Ada Ö.", "A fish", "4",
    )  # fmt: skip
    assert photo.page_url == "https://www.flickr.com/photos/ada@N01/77"
    assert photo.uploaded == datetime(2012, 10, 12, 0, 0, tzinfo=UTC)
    assert photo.taken == "2012-10-01 09:00:00"
    assert photo.tags == ("fish", "sea")
    assert list(photo.urls)[:2] == ["url_o", "url_l"]
    assert photo.urls["url_l"].endswith("/photos/f/77_ab_l.jpg")
    assert (page.term, page.window, page.page, page.total, page.fetched, page.new) == (
        "fish", None, 1, 1, 1, 1,
    )  # fmt: skip


@pytest.mark.parametrize("n", [0, 1, 499, 500, 501, 1000, 3999, 4000])
def test_all_photos_are_found_once_without_needless_calls(tmp_path: Path, n: int):
    uploads = [MONTH.start + i for i in range(n)]
    known = many_photos(tmp_path, uploads)
    with local_flickr(tmp_path) as endpoint:
        pages = everything(endpoint, MONTH)
    assert sorted(ids(pages)) == known
    if n < 3999:  # near the cap, what may be left is asked for to be sure
        assert len(pages) <= max(1, -(-n // 500)) + 1


def test_beyond_the_cap_the_rest_of_the_window_is_searched(tmp_path: Path):
    uploads = [MONTH.start + 288 * i for i in range(9000)]
    known = many_photos(tmp_path, uploads)
    with local_flickr(tmp_path) as endpoint:
        pages = everything(endpoint, MONTH)
        again = everything(endpoint, MONTH)
    found = ids(pages)
    assert sorted(found) == known
    assert len(set(found)) == len(found)
    assert pages == again
    assert len(pages) <= 1.1 * 9000 / 500


def test_without_a_window_all_of_flickrs_time_is_searched(tmp_path: Path):
    known = many_photos(tmp_path, [1_100_000_000 + 40_000 * i for i in range(4600)])
    with local_flickr(tmp_path) as endpoint:
        pages = everything(endpoint)
    assert sorted(ids(pages)) == known


def test_one_second_with_too_many_photos_ends(tmp_path: Path):
    many_photos(tmp_path, [MONTH.start] * 4300)
    with local_flickr(tmp_path) as endpoint:
        pages = everything(endpoint, Window(MONTH.start, MONTH.start))
        wide = everything(endpoint, Window(MONTH.start, MONTH.start + 3))
    assert len(ids(pages)) == 4000
    assert len(ids(wide)) == 4000


def test_nothing_outside_the_window_is_handed_out(tmp_path: Path):
    many_photos(tmp_path, [MONTH.start - 1, MONTH.start, MONTH.end, MONTH.end + 1])
    with local_flickr(tmp_path) as endpoint:
        pages = everything(endpoint, MONTH)
    assert sorted(ids(pages)) == ["10001", "10002"]


def test_whoever_has_enough_asks_for_no_more_pages(tmp_path: Path):
    many_photos(tmp_path, [MONTH.start + i for i in range(3000)])
    with local_flickr(tmp_path) as endpoint, source(endpoint) as flickr:
        pages = flickr.search("fish", MONTH)
        first = next(pages)
        assert (first.page, first.new) == (1, 500)
        pages.close()


@pytest.mark.parametrize("fault", ["api_429", "api_500", "api_105", "api_106", "api_201", "api_0"])
def test_faults_that_pass_are_waited_out(tmp_path: Path, fault: str):
    known = many_photos(tmp_path, [MONTH.start + i for i in range(700)])
    waits: list[float] = []
    plan = FaultPlan(repeats=2, retry_after=7, **{fault: 1.0})
    with local_flickr(tmp_path, plan) as endpoint:
        pages = everything(endpoint, MONTH, sleep=waits.append)
    assert sorted(ids(pages)) == known
    assert len(waits) == 2 * len(pages)
    assert (min(waits) >= 7) == (fault == "api_429")


def test_faults_that_do_not_pass_end_the_search(tmp_path: Path):
    many_photos(tmp_path, [MONTH.start])
    with local_flickr(tmp_path, FaultPlan(api_500=1.0, repeats=99)) as endpoint:
        with pytest.raises(SourceError, match="after 3 tries") as caught:
            everything(endpoint, MONTH)
        assert caught.value.hint


def test_a_bad_key_is_said_at_once_and_never_shown(tmp_path: Path, caplog):
    many_photos(tmp_path, [MONTH.start])
    caplog.set_level(logging.DEBUG)
    waits: list[float] = []
    with local_flickr(tmp_path) as endpoint, pytest.raises(SourceError, match="100") as caught:
        everything(endpoint, MONTH, key="private-key", sleep=waits.append)
    assert "REPLICATE_FLICKR_KEY" in caught.value.hint
    assert not waits
    assert "private-key" not in caplog.text + str(caught.value) + caught.value.hint


def test_nobody_there_is_a_source_error():
    with pytest.raises(SourceError, match="tries"):
        everything("http://127.0.0.1:1/services/rest/")


class Answers:
    """A server that answers whatever a test wants, in place of the network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
        def send(session, request, **_):
            response = requests.Response()
            response.status_code, response._content = 200, body
            response.request, response.url = request, request.url
            return response

        monkeypatch.setattr(requests.Session, "send", send)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b"{}", b'{"photos": {}, "stat": "ok"}', b"\xff\xfe",
     b'{"photos": {"photo": 3}, "stat": "ok"}', b'{"photos": [], "stat": "ok"}'],
)  # fmt: skip
def test_nonsense_is_no_answer(monkeypatch: pytest.MonkeyPatch, body: bytes):
    Answers(monkeypatch, body)
    with pytest.raises(SourceError):
        everything("http://127.0.0.1:9/")


def test_photos_without_ids_and_odd_fields_are_left_out(monkeypatch: pytest.MonkeyPatch):
    Answers(
        monkeypatch,
        b'{"photos": {"total": "x3", "photo": [{"id": ""}, 7, null, {"id": 5, "tags": 3, '
        b'"dateupload": "soon", "url_o": ""}]}, "stat": "ok"}',
    )
    (page,) = everything("http://127.0.0.1:9/")
    assert [photo.id for photo in page.photos] == ["5"]
    assert page.photos[0].uploaded is None
    assert page.photos[0].urls == {}


def test_misspelt_arguments_are_refused_with_the_right_name():
    check_arguments({"min_upload_date", "tags"})
    with pytest.raises(UsageError) as caught:
        check_arguments({"min_uploaded_date"})
    assert "min_upload_date" in caught.value.hint


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(MissingError) as caught:
        keys_from_environment()
    assert "REPLICATE_FLICKR_KEY" in caught.value.hint
    monkeypatch.setenv("REPLICATE_FLICKR_KEY", "a")
    monkeypatch.setenv("REPLICATE_FLICKR_SECRET", "b")
    assert keys_from_environment() == ("a", "b")
