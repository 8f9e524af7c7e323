"""200 workers at once on one crowd server, and ten kills (run with --benchmark-only).

Answers are durable when they are acknowledged: each waits for the disk. Workers think ten
seconds on average, several times faster than people; clients and server share the machine.
"""

from pathlib import Path

from support.crowd import process, put_images
from support.kills import killing
from support.load import Crowd, Tally, check_what_is_stored, publish_pages

from replicate.crowdserver.admin import add_key, invite

KINDS = ("list", "page", "submit")


def figures(tally: Tally) -> dict[str, dict[str, float]]:
    """p50, p95 and p99 of each kind of request, in milliseconds."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {
        kind: {name: round(tally.quantile(kind, q), 1) for name, q in shares.items()}
        for kind in KINDS
    }


def test_200_workers_lose_nothing_and_wait_little(benchmark, tmp_path: Path) -> None:
    db, key = tmp_path / "crowd.db", add_key(tmp_path / "crowd.db")
    digests = put_images(tmp_path / "images", 48, size=100)
    with process(db, images=str(tmp_path / "images"), rate=0) as (_, server):
        publish_pages(server, key, digests, 150, assignments=400)
        alone = Crowd(server.endpoint, invite(db, 1, base_url=server.endpoint), think=0.05)
        before = alone.work(5)
        crowd = Crowd(server.endpoint, invite(db, 200, base_url=server.endpoint), think=10)
        tally = benchmark.pedantic(crowd.work, args=(40,), rounds=1)
    tally.sent.update(before.sent)
    tally.stored.update(before.stored)
    stored = check_what_is_stored(db, tally)
    one, many = figures(before), figures(tally)
    benchmark.extra_info.update({"stored": stored, "one worker": one, "200 workers": many})
    print(f"\n{stored} stored; one worker: {one}; 200 workers: {many}")
    assert stored > 200
    for kind in KINDS:
        # Far from 200 times as long, even when clients and server have to share two cores.
        assert many[kind]["p95"] < 40 * one[kind]["p95"], kind


def test_ten_kills_lose_nothing(benchmark, tmp_path: Path) -> None:
    arguments = {"kills": 10, "workers": 24}
    stored = benchmark.pedantic(killing, args=(tmp_path,), kwargs=arguments, rounds=1)
    assert stored >= 100
