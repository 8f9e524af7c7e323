"""Downloads are polite to each host, and no host keeps another waiting."""

import time
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.image_server import Busy, fetch, serving

from replicate.sources.download import Download, Downloader, Limits
from replicate.sources.download_queue import HostQueue, Task
from replicate.sources.retry_after import seconds_to_wait


@pytest.mark.parametrize("name", ["throttled.png", "throttled-503.png"])
def test_a_throttling_host_is_left_alone_as_long_as_it_asks(name: str):
    with serving() as (base, asked):
        started = time.monotonic()
        urls = [f"{base}/{name}", *[f"{base}/good.png?{i}" for i in range(6)]]
        outcomes = fetch(urls, per_host=1)
        assert [outcome.reason for outcome in outcomes] == [None] * 7
        assert outcomes[0].attempts == 2, "nothing else was asked for meanwhile"
        assert time.monotonic() - started > 0.9
        assert asked == {f"/{name}": 2, "/good.png": 6}


def test_one_host_that_waits_keeps_no_other_waiting():
    with serving() as (slow, _), serving() as (quick, _):
        urls = [f"{slow}/long-wait.png?{i}" for i in range(600)]
        urls += [f"{quick}/good.png?{i}" for i in range(20)]
        with Downloader(Limits(connections=4, per_host=4)) as downloader:
            outcomes = downloader.fetch(Download(url, url) for url in urls)
            found = [next(outcomes) for _ in range(20)]
        assert {outcome.key for outcome in found} == set(urls[600:])


def test_a_host_that_asks_for_too_much_time_is_given_up():
    with serving() as (base, asked):
        outcomes = fetch([f"{base}/long-wait.png?{i}" for i in range(300)], longest_wait=60)
        assert [outcome.reason for outcome in outcomes] == ["throttled"] * 300
        assert asked["/long-wait.png"] <= 8
        assert "100 seconds" in outcomes[-1].message


def test_a_host_that_goes_on_throttling_is_given_up():
    with serving() as (base, asked):
        outcomes = fetch([f"{base}/always429.png?{i}" for i in range(300)])
        assert [outcome.reason for outcome in outcomes] == ["throttled"] * 300
        assert asked["/always429.png"] < 20
        assert "5 times in a row" in outcomes[-1].message


def test_a_host_that_is_not_there_is_given_up():
    outcomes = fetch([f"http://127.0.0.1:1/{i}.png" for i in range(200)], attempts=1)
    assert [outcome.reason for outcome in outcomes] == ["connection"] * 200
    assert sum(outcome.attempts for outcome in outcomes) <= 10 + 8


def test_a_host_gets_no_more_connections_than_it_should():
    with serving() as (one, _), serving() as (other, _):
        urls = [f"{base}/busy.png?{i}" for base in (one, other) for i in range(20)]
        most = Counter()
        Busy.now.clear()
        Busy.most = most
        outcomes = fetch(urls, connections=8, per_host=2)
    assert {outcome.reason for outcome in outcomes} == {None}
    assert set(most.values()) == {2}


def test_whoever_leaves_does_not_wait_for_a_throttling_host():
    started = time.monotonic()
    with serving() as (base, _), Downloader(Limits(connections=2)) as downloader:
        urls = [f"{base}/good.png", *[f"{base}/long-wait.png?{i}" for i in range(9)]]
        next(downloader.fetch(Download(url, url) for url in urls))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("-3", None, 0.0),
        ("١", None, 0.0),
        ("Wed, 25 Nov 2026 08:00:30 GMT", "Wed, 25 Nov 2026 08:00:00 GMT", 30.0),
        ("Wed, 25 Nov 2026 08:00:30 GMT", None, 25.0),
        ("Wednesday, 25-Nov-26 08:00:30 GMT", "nonsense", 25.0),
        ("Wed, 25 Nov 2026 07:00:00 GMT", None, 0.0),
        ("Wed, 99 Nov 2026 07:00:00 GMT", None, 0.0),
        ("9" * 40, None, 999_999_999.0),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(header, date, seconds):
    now = datetime(2026, 11, 25, 8, 0, 5, tzinfo=UTC)
    assert seconds_to_wait(header, date, now) == seconds


def queue_of(counts: dict[str, int], per_host: int = 3) -> HostQueue[str]:
    queue: HostQueue[str] = HostQueue(per_host)
    for host, count in counts.items():
        for number in range(count):
            queue.put(Task(f"{host}{number}", "", host))
    return queue


def taken(queue: HostQueue[str], now: float) -> list[Task[str]]:
    return list(iter(lambda: queue.take(now), None))


def test_hosts_take_turns_up_to_their_limit():
    found = [task.key for task in taken(queue_of({"a": 9, "b": 2}), 0.0)]
    assert found == ["a0", "b0", "a1", "b1", "a2"]


def test_after_a_pause_a_host_is_asked_once_and_then_more_and_more():
    queue = queue_of({"a": 100}, per_host=8)
    for task in taken(queue, 0.0):  # eight answers that all say 429 are one pause
        queue.paused(task, 10.0, "throttled", 1.0)
        queue.end(task)
        queue.put(task, first=True)
    assert queue.pauses_of("a") == 1
    assert taken(queue, 10.9) == []
    assert queue.next_time() == 11.0
    begun = []
    for _ in range(6):
        now = taken(queue, 11.0)
        begun.append(len(now))
        for task in now:
            queue.succeeded("a")
            queue.end(task)
    assert begun == [1, 2, 4, 4, 4, 4]  # half of what it got before


def test_a_host_that_behaves_gets_its_connections_back():
    queue = queue_of({"a": 1000}, per_host=4)
    first, *others = taken(queue, 0.0)
    queue.paused(first, 1.0, "throttled", 0.5)
    for task in (first, *others):
        queue.end(task)
    most = 0
    while tasks := taken(queue, 2.0):
        most = max(most, len(tasks))
        for task in tasks:
            queue.succeeded("a")
            queue.end(task)
    assert most == 4


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 12), min_size=1),
    st.integers(1, 4),
    st.lists(st.sampled_from(["good", "pause", "later", "lost", "move"]), min_size=1, max_size=60),
)
def test_whatever_happens_every_download_ends_and_no_limit_is_broken(counts, per_host, answers):
    queue, now, ended = queue_of(counts, per_host), 0.0, []
    until: dict[str, float] = {}
    active: list[Task[str]] = []
    script = iter(answers)
    while queue.waiting or active:
        for task in taken(queue, now):
            assert task.hopeless or until.get(task.host, 0.0) <= now
            active.append(task)
        for host in counts:
            assert sum(t.host == host and not t.hopeless for t in active) <= per_host
        if not active:
            due = queue.next_time()
            assert due is not None, "downloads wait for nothing"
            now = max(now, due)
            continue
        task = active.pop(0)
        answer = "good" if task.hopeless else next(script, "good")
        if answer == "pause":
            queue.paused(task, 5.0, "throttled", now)
            until[task.host] = now + 5.0
        elif answer == "lost":
            queue.lost(task, "connection")
        elif answer == "good" and not task.hopeless:
            queue.succeeded(task.host)
        queue.end(task)
        if answer == "pause":
            queue.put(task, first=True)
        elif answer == "later":
            queue.put_later(task, now + 1.0)
        elif answer == "move":
            task.host = min(counts)
            queue.put(task, first=True)
        else:
            ended.append(task.key)
        now += 0.25
    assert sorted(ended) == sorted(
        f"{host}{n}" for host, count in counts.items() for n in range(count)
    )
