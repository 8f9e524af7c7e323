"""Windows that hold more than can be paged, against a small model of Flickr.

The model shows 40 results of a search, 5 a page, where Flickr shows 4,000, 500 a page.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicate.sources import flickr as module
from replicate.sources.flickr import FlickrSource
from replicate.sources.records import QueryPage, Window

CAP, PER_PAGE = 40, 5
WINDOW = Window(1000, 1999)


@dataclass
class Model:
    """Flickr, as far as searching goes.

    Attributes:
        uploads: The upload times of its photos.
        hidden: The photos that count and are not shown.
        error: By what share totals are off.
        ordered: Whether the newest come first.
        dated: Whether photos say when they were uploaded.
        heeds: Whether windows are heeded.
    """

    uploads: list[int]
    hidden: frozenset[int] = frozenset()
    error: float = 0.0
    ordered: bool = True
    dated: bool = True
    heeds: bool = True
    calls: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)

    def search(self, **asked: Any) -> dict[str, Any]:
        self.calls += 1
        self.asked.append(asked)
        low, high = (asked.get("min_upload_date", 0), asked.get("max_upload_date", 10**10))
        found = [n for n, at in enumerate(self.uploads) if not self.heeds or low <= at <= high]
        draw = random.Random(f"{low} {high}")
        if self.ordered:
            found.sort(key=lambda n: (-self.uploads[n], n))
        else:
            draw.shuffle(found)
        pages = CAP // PER_PAGE
        page = asked["page"] if asked["page"] <= pages else (asked["page"] - 1) % pages + 1
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
        total = len(found)
        if total > PER_PAGE:
            total = round(total * (1 + draw.uniform(-self.error, self.error)))
        photos = [
            {"id": str(n), **({"dateupload": str(self.uploads[n])} if self.dated else {})}
            for n in shown
            if n not in self.hidden
        ]
        return {"total": str(total), "photo": photos}

    def close(self) -> None:
        pass


def everything(model: Model, monkeypatch: pytest.MonkeyPatch) -> list[QueryPage]:
    with monkeypatch.context() as patch:
        patch.setattr(module, "CAP", CAP)
        source = FlickrSource("http://127.0.0.1:9/", "k", "s", per_page=PER_PAGE)
        patch.setattr(source, "_calls", model)
        return list(source.search("fish", WINDOW))


def check(model: Model, pages: list[QueryPage]) -> None:
    """All that can be shown is found, each once, nothing else; and every call is a page."""
    found = [photo.id for page in pages for photo in page.photos]
    assert len(found) == len(set(found))
    inside = [n for n, at in enumerate(model.uploads) if WINDOW.start <= at <= WINDOW.end]
    seconds = Counter(model.uploads[n] for n in inside)
    crowded = {at for at, count in seconds.items() if count > CAP}
    certain = {str(n) for n in inside if model.uploads[n] not in crowded} - {
        str(n) for n in model.hidden
    }
    assert certain <= set(found) <= {str(n) for n in inside}
    assert len(pages) == model.calls
    assert len({(page.window, page.page) for page in pages}) == len(pages)


UPLOADS = st.lists(st.integers(990, 2010), max_size=150) | st.builds(
    lambda some, at, many: some + [at] * many,
    st.lists(st.integers(1000, 1999), max_size=60),
    st.integers(1000, 1999),
    st.integers(0, 60),
)
FAST = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FAST
@given(uploads=UPLOADS)
def test_all_is_found_with_few_calls(monkeypatch: pytest.MonkeyPatch, uploads: list[int]):
    model = Model(uploads)
    pages = everything(model, monkeypatch)
    check(model, pages)
    inside = [at for at in uploads if WINDOW.start <= at <= WINDOW.end]
    least = -(-len(inside) // PER_PAGE)
    # What is shown again: the photos of the second at which a window was cut.
    again = sum(page.fetched - page.new for page in pages)
    windows = len({page.window for page in pages})
    assert model.calls <= least + -(-again // PER_PAGE) + windows


@FAST
@given(uploads=UPLOADS, error=st.sampled_from([0.05, 0.5, 1.0]))
def test_totals_are_not_trusted(monkeypatch: pytest.MonkeyPatch, uploads, error):
    model = Model(uploads, error=error)
    check(model, everything(model, monkeypatch))


@FAST
@given(uploads=UPLOADS, hidden=st.frozensets(st.integers(0, 150), max_size=3))
def test_photos_that_are_not_shown_hide_no_others(monkeypatch, uploads, hidden):
    # Pages of five are clearly short when one photo is missing: the total must then be right.
    model = Model(uploads, hidden=hidden)
    check(model, everything(model, monkeypatch))


@FAST
@given(uploads=UPLOADS)
def test_answers_in_no_order_are_halved(monkeypatch: pytest.MonkeyPatch, uploads: list[int]):
    model = Model(uploads, ordered=False)
    check(model, everything(model, monkeypatch))


@FAST
@given(uploads=UPLOADS)
def test_answers_without_dates_are_halved(monkeypatch: pytest.MonkeyPatch, uploads: list[int]):
    uploads = [at for at in uploads if WINDOW.start <= at <= WINDOW.end]
    model = Model(uploads, dated=False)
    check(model, everything(model, monkeypatch))


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("ordered", [True, False])
def test_a_server_that_does_not_heed_windows_ends(monkeypatch, dated: bool, ordered: bool):
    model = Model(list(range(900, 2100)), dated=dated, ordered=ordered, heeds=False, error=0.1)
    pages = everything(model, monkeypatch)
    found = [photo.id for page in pages for photo in page.photos]
    assert len(found) == len(set(found))
    if dated:
        assert all(100 <= int(photo_id) < 1100 for photo_id in found)
    assert model.calls < 3 * len(model.uploads)


def test_one_cut_costs_no_call(monkeypatch: pytest.MonkeyPatch):
    model = Model([1000 + 9 * n for n in range(100)])
    pages = everything(model, monkeypatch)
    check(model, pages)
    assert [page.page for page in pages] == [*range(1, 9), *range(1, 9), *range(1, 6)]
    assert model.calls == 100 / PER_PAGE + 1
    assert [page.window for page in pages if page.page == 1] == [
        WINDOW, Window(1000, 1000 + 9 * 60), Window(1000, 1000 + 9 * 21),
    ]  # fmt: skip
