"""Downloads from a real HTTP server: every outcome, and limits."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.image_server import PNG, fetch, serving

from replicate.base.errors import UsageError
from replicate.sources.download import Download, Downloader, Limits, Outcome
from replicate.sources.download_answers import refuses_ai


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving() as (address, _):
        yield address


@pytest.mark.parametrize(
    ("name", "reason", "attempts"),
    [
        ("good.png", None, 1),
        ("stream.png", None, 1),
        ("moved.png", None, 1),
        ("packed.png", None, 1),
        ("gone.png", "gone", 1),
        ("nowhere.png", "gone", 1),
        ("private.png", "forbidden", 1),
        ("teapot.png", "refused", 1),
        ("html.png", "not_an_image", 1),
        ("dead.png", "placeholder", 1),
        ("circle.png", "refused", 1),
        ("away.png", "refused", 1),
        ("nowhere-else.png", "refused", 1),
        ("odd-coding.png", "refused", 1),
        ("bad-length.png", "refused", 1),
        ("noai.png", "noai", 1),
        ("empty.png", "empty", 3),
        ("cut.png", "cut", 3),
        ("half-packed.png", "cut", 3),
        ("always500.png", "server_error", 3),
        ("always503.png", "server_error", 3),
    ],
)
def test_every_outcome_has_its_reason(base: str, name: str, reason: str | None, attempts: int):
    (outcome,) = fetch([f"{base}/{name}"])
    assert (outcome.reason, outcome.attempts) == (reason, attempts)
    assert (outcome.data == PNG) == (reason is None)
    assert bool(outcome.message) == (reason is not None)


def test_what_fails_once_is_tried_again():
    with serving() as (base, asked):
        (outcome,) = fetch([f"{base}/once500.png"])
        assert (outcome.reason, outcome.attempts) == (None, 2)
        assert asked == {"/once500.png": 2}


def test_a_placeholder_is_not_even_fetched():
    with serving() as (base, asked):
        (outcome,) = fetch([f"{base}/dead.png"])
        assert outcome.reason == "placeholder"
        assert asked == {"/dead.png": 1}


def test_no_answer_in_time_is_a_timeout(base: str):
    (outcome,) = fetch([f"{base}/slow.png"], timeout=0.2, attempts=1)
    assert outcome.reason == "timeout"


def test_an_answer_that_drips_is_a_timeout(base: str):
    (outcome,) = fetch([f"{base}/drip.png"], timeout=0.1, attempts=1)
    assert outcome.reason == "timeout"
    assert "bytes in" in outcome.message


@pytest.mark.parametrize("name", ["good.png", "endless.png", "packed-bomb.png"])
def test_too_many_bytes_are_stopped_on_their_way(base: str, name: str):
    (outcome,) = fetch([f"{base}/{name}"], max_bytes=20)
    assert (outcome.reason, outcome.attempts) == ("too_large", 1)


def test_robots_that_are_refused_are_fetched_only_where_that_is_said(base: str):
    (outcome,) = fetch([f"{base}/noai.png"], honour_noai=False)
    assert outcome.reason is None


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ([], False),
        (["noindex, nofollow"], False),
        (["noai"], True),
        (["noindex, NoImageAI"], True),
        (["noindex", "noai"], True),
        (["googlebot: noai"], False),
        (["googlebot: noindex, noai"], False),
        (["replicate-testsets: noai"], True),
        (["googlebot: noindex, replicate-testsets: noai"], True),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"], True),
        (["max-snippet: 5, noai"], True),
        (["noailments"], False),
    ],
)
def test_what_x_robots_tag_says(values: list[str], refused: bool):
    assert refuses_ai(values) == refused


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "ftp://a/b.png", "http://", "file:///etc/hostname", "http://[bad/x",
     "http://a:99999/x", "//a/b"],
)  # fmt: skip
def test_addresses_that_are_none_are_refused(url: str):
    (outcome,) = fetch([url])
    assert (outcome.reason, outcome.attempts) == ("refused", 0)


def test_nobody_there_is_a_connection_error():
    (outcome,) = fetch(["http://127.0.0.1:1/x.png"], attempts=2)
    assert (outcome.reason, outcome.attempts) == ("connection", 2)


def test_every_request_has_one_outcome(base: str):
    urls = [f"{base}/{name}?{i}" for i in range(40) for name in ("good.png", "gone.png")]
    outcomes: list[Outcome[str]] = fetch(urls, connections=8)
    assert sorted(outcome.key for outcome in outcomes) == sorted(urls)
    assert {outcome.key: outcome.reason for outcome in outcomes} == {
        url: "gone" if "gone" in url else None for url in urls
    }


def test_only_a_few_files_are_held_at_a_time():
    with serving() as (base, asked), Downloader(Limits(connections=2)) as downloader:
        outcomes = downloader.fetch(Download(i, f"{base}/good.png") for i in itertools.count())
        for _ in range(5):
            next(outcomes)
        assert asked["/good.png"] <= 2 * 64 + 2
        outcomes.close()


def test_files_are_read_only_where_that_is_allowed(tmp_path: Path):
    (tmp_path / "a b.png").write_bytes(PNG)
    (tmp_path / "no.png").write_bytes(b"")
    urls = [(tmp_path / name).as_uri() for name in ("a b.png", "none.png", "no.png")]
    assert [outcome.reason for outcome in fetch(urls)] == ["refused"] * 3
    found = {outcome.key: outcome for outcome in fetch(urls, allow_files=True)}
    assert [found[url].reason for url in urls] == [None, "gone", "empty"]
    assert found[urls[0]].data == PNG


def test_a_proxy_is_used_where_the_environment_names_one(base: str, monkeypatch):
    monkeypatch.setenv("http_proxy", base)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (outcome,) = fetch(["http://photos.invalid/by-proxy.png"])
    assert outcome.reason is None
    monkeypatch.setenv("no_proxy", "photos.invalid")
    (outcome,) = fetch(["http://photos.invalid/by-proxy.png"], attempts=1)
    assert outcome.reason == "connection"


def test_a_proxy_that_cannot_be_used_is_one_clear_message(monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(UsageError, match="socks5"):
        fetch(["http://photos.invalid/a.png"])
