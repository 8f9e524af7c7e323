"""Whatever comes in place of Flickr's answers: photos or a reason, never anything else."""

import json

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from replicate.base.clock import SystemClock
from replicate.base.errors import SourceError
from replicate.sources.flickr import FlickrSource
from replicate.sources.flickr_photos import MOST, read_count, read_photo
from replicate.sources.records import QueryPage, Window

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["id", "owner", "ownername", "title", "license", "dateupload", "datetaken", "tags", "media",
     "url_o", "url_l"]
)  # fmt: skip
PHOTOS = st.dictionaries(NAMES, VALUES, max_size=11) | VALUES
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "stat": VALUES | st.sampled_from(["ok", "fail"]),
        "code": VALUES | st.sampled_from([0, 1, 3, 100, 105, "105"]),
        "message": VALUES,
        "photos": st.fixed_dictionaries(
            {}, optional={"photo": st.lists(PHOTOS, max_size=6), "total": VALUES}
        )
        | VALUES,
    },
)
FUZZ = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def search(
    monkeypatch: pytest.MonkeyPatch, body: bytes, status: int, window: Window | None
) -> list[QueryPage]:
    def send(adapter, request, **_):
        response = requests.Response()
        response.status_code, response._content = status, body
        response.request, response.url = request, request.url
        return response

    with monkeypatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", send)
        source = FlickrSource(
            "http://127.0.0.1:9/", "k" * 16, "s" * 16, per_page=3, sleep=lambda _: None,
            clock=SystemClock(),
        )  # fmt: skip
        with source:
            return [
                page for page, _ in zip(source.search("fish", window), range(400), strict=False)
            ]


def check(pages: list[QueryPage]) -> None:
    ids = [photo.id for page in pages for photo in page.photos]
    assert len(ids) == len(set(ids))
    for page in pages:
        assert 0 <= page.total <= MOST
        for photo in page.photos:
            texts = [photo.id, photo.owner, photo.owner_name, photo.title, photo.licence]
            texts += [photo.taken, *photo.tags, *photo.urls.values()]
            for text in texts:
                assert "\x00" not in text
                text.encode("utf-8")


@FUZZ
@given(answer=ANSWERS | VALUES, window=st.none() | st.just(Window(5, 500)))
def test_any_json_is_photos_or_a_reason(monkeypatch, answer, window):
    body = json.dumps(answer).encode()
    try:
        check(search(monkeypatch, body, 200, window))
    except SourceError as error:
        assert error.message


@FUZZ
@given(body=st.binary(max_size=200), status=st.sampled_from([200, 301, 400, 403, 429, 500, 599]))
def test_any_bytes_and_any_status_are_photos_or_a_reason(monkeypatch, body, status):
    with pytest.raises(SourceError) as caught:
        search(monkeypatch, body, status, None)
    assert caught.value.message and caught.value.hint


@FUZZ
@given(value=VALUES)
def test_any_value_is_a_count(value):
    assert 0 <= read_count(value) <= MOST


@FUZZ
@given(fields=PHOTOS)
def test_any_fields_are_a_photo_or_none(fields):
    photo = read_photo(fields)
    assert photo is None or photo.id


def test_a_thousand_brackets_are_no_answer(monkeypatch: pytest.MonkeyPatch):
    for body in (b"[" * 200_000, b'{"stat": "ok", "photos": ' + b"[" * 200_000, b"9" * 9000):
        with pytest.raises(SourceError):
            search(monkeypatch, body, 200, None)


@pytest.mark.parametrize(("status", "tries"), [(429, 3), (500, 3), (503, 3), (403, 1), (404, 1)])
def test_a_call_is_repeated_only_where_that_helps(
    monkeypatch: pytest.MonkeyPatch, status: int, tries: int
):
    sent = []

    def send(adapter, request, **_):
        sent.append(request)
        response = requests.Response()
        response.status_code, response._content, response.url = status, b"secret-key", request.url
        response.request = request
        return response

    monkeypatch.setattr(HTTPAdapter, "send", send)
    source = FlickrSource("http://127.0.0.1:9/", "secret-key", "hush", sleep=lambda _: None)
    with source, pytest.raises(SourceError) as caught:
        next(source.search("fish"))
    assert len(sent) == tries
    assert "secret-key" not in str(caught.value)
