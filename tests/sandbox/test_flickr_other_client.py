"""Another Flickr client, flickr_api, finds in the local Flickr what there is.

It shares no code with flickrapi: it sends plain POSTs with ``api_key``, no OAuth, and reads
answers in its own way. So the local Flickr is not made to our own client's measure.
"""

from collections.abc import Iterator
from pathlib import Path

import flickr_api
import pytest
from flickr_api import method_call
from support.flickr import local_flickr, many_photos, picture, write_table

from replicate.sandbox.faults import FaultPlan
from replicate.sandbox.flickr import SANDBOX_KEY


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    flickr_api.set_keys(SANDBOX_KEY, "any")
    method_call.set_retry_config(max_retries=3, base_delay=0.01, max_delay=0.02)
    yield monkeypatch
    method_call.set_retry_config(max_retries=3, base_delay=1.0, max_delay=60.0)


def ask(client: pytest.MonkeyPatch, endpoint: str) -> None:
    """Let it ask here: its address is the default of an argument."""
    plain = method_call._make_request_with_retry
    client.setattr(
        method_call, "_make_request_with_retry", lambda url, *more: plain(endpoint, *more)
    )


def test_it_walks_through_all_pages(tmp_path: Path, client: pytest.MonkeyPatch) -> None:
    known = many_photos(tmp_path, [1_350_000_000 + i for i in range(730)])
    with local_flickr(tmp_path) as endpoint:
        ask(client, endpoint)
        walker = flickr_api.Walker(flickr_api.Photo.search, tags="fish", per_page=100)
        found = [photo.id for photo in walker]
    # It trusts the claimed total, which is off by up to 5 %.
    assert set(found) <= set(known)
    assert len(set(found)) == len(found) >= 0.9 * len(known)


def test_it_reads_extras_and_sizes(tmp_path: Path, client: pytest.MonkeyPatch) -> None:
    write_table(
        tmp_path,
        [{"id": "77", "file": "f/77_ab.png", "owner": "ada@N01", "ownername": "ada",
          "title": "Ein Fïsch", "tags": "fish sea", "licence": 4, "date_upload": 1_350_000_000,
          "width": 1200, "height": 800}],
    )  # fmt: skip
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "77_ab.png").write_bytes(picture(3, side=300))
    with local_flickr(tmp_path) as endpoint:
        ask(client, endpoint)
        (photo,) = flickr_api.Photo.search(
            tags="fish", extras="url_o,url_m,license,date_upload,owner_name,media",
            min_upload_date=1_349_999_999, max_upload_date=1_350_000_001,
        )  # fmt: skip
        sizes = photo.getSizes()
        photo.save(str(tmp_path / "saved"), size_label="Original")
        assert flickr_api.Photo.search(tags="fish", max_upload_date=1_000_000_000) == []
    assert (photo.id, photo.title, photo.owner.id) == ("77", "Ein Fïsch", "ada@N01")
    assert (photo.license, photo.ownername) == ("4", "ada")
    assert {"Original", "Medium"} <= sizes.keys()
    assert (tmp_path / "saved.png").read_bytes() == picture(3, side=300)


def test_it_waits_out_faults_and_understands_errors(
    tmp_path: Path, client: pytest.MonkeyPatch
) -> None:
    known = many_photos(tmp_path, [1_350_000_000 + i for i in range(30)])
    with local_flickr(tmp_path, FaultPlan(api_500=1.0, repeats=2)) as endpoint:
        ask(client, endpoint)
        assert len(flickr_api.Photo.search(tags="fish")) == len(known)
    with local_flickr(tmp_path, FaultPlan(api_105=1.0)) as endpoint:
        client.undo()
        ask(client, endpoint)
        with pytest.raises(flickr_api.flickrerrors.FlickrAPIError) as caught:
            flickr_api.Photo.search(tags="fish")
        assert caught.value.code == 105
    flickr_api.set_keys("wrong", "any")
    with local_flickr(tmp_path) as endpoint:
        client.undo()
        ask(client, endpoint)
        with pytest.raises(flickr_api.flickrerrors.FlickrAPIError) as caught:
            flickr_api.Photo.search(tags="fish")
        assert caught.value.code == 100
