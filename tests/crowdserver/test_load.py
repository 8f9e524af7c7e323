"""Many workers at once: nothing is lost or doubled, whether the server goes on, ends or is killed.

How fast it is, with 200 workers, is measured in tests/bench/test_crowd_load.py.
"""

import signal
import threading
from pathlib import Path

from support.crowd import process, put_images
from support.kills import free_port, keep_serving, killing, wait_for
from support.load import Crowd, check_what_is_stored, publish_pages

from replicate.crowdserver.admin import add_key, invite


def test_many_workers_at_once(tmp_path: Path) -> None:
    db, key = tmp_path / "crowd.db", add_key(tmp_path / "crowd.db")
    digests = put_images(tmp_path / "images", 12)
    with process(db, images=str(tmp_path / "images"), rate=0) as (_, server):
        publish_pages(server, key, digests, 6, assignments=20)
        links = invite(db, 24, base_url=server.endpoint)
        tally = Crowd(server.endpoint, links, think=0.05).work(200)  # or until all is done
    # More workers than assignments: some come too late for each page, and all of it is done.
    assert check_what_is_stored(db, tally) == 6 * 20
    assert tally.images == 12 * len(tally.sent)


def test_an_orderly_end_in_the_middle_of_work(tmp_path: Path) -> None:
    """SIGTERM: what has begun is answered, the server ends by itself, another one goes on."""
    db, key, port = tmp_path / "crowd.db", add_key(tmp_path / "crowd.db"), free_port()
    digests = put_images(tmp_path / "images", 3)
    options = {"images": str(tmp_path / "images"), "rate": 0, "port": port}
    with process(db, **options) as (child, server):
        publish_pages(server, key, digests, 40, assignments=20)
        crowd = Crowd(server.endpoint, invite(db, 12, base_url=server.endpoint), think=0.02)

        def end_twice() -> None:
            wait_for(lambda: len(crowd.tally.stored) > 20)
            child.send_signal(signal.SIGTERM)
            assert child.wait(timeout=30) == 0
            before = len(crowd.tally.stored)
            with process(db, **options) as (second, _):
                wait_for(lambda: len(crowd.tally.stored) > before + 20)
                second.send_signal(signal.SIGTERM)
                assert second.wait(timeout=30) == 0
            third.start()

        third = threading.Thread(target=lambda: keep_serving(db, options, done))
        done = threading.Event()
        try:
            tally = crowd.work(0, end_twice)
        finally:
            done.set()
            if third.ident is not None:
                third.join()
    assert check_what_is_stored(db, tally, killed=True) > 40


def test_killed_again_and_again(tmp_path: Path) -> None:
    killing(tmp_path, kills=3, workers=12)
