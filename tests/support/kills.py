"""Ending and killing a server in the middle of work, and starting it again at the same port."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from replicate.crowdserver.admin import add_key, invite
from support.crowd import process, put_images
from support.load import Crowd, check_what_is_stored, publish_pages


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def keep_serving(db: Path, options: dict[str, object], done: threading.Event) -> None:
    with process(db, **options):
        done.wait(60)


def killing(folder: Path, kills: int, workers: int) -> int:
    """Kill the server in the middle of work and start it again at the same port, several times."""
    db, key, port = folder / "crowd.db", add_key(folder / "crowd.db"), free_port()
    digests = put_images(folder / "images", 6)
    options = {"images": str(folder / "images"), "rate": 0, "port": port}
    done = threading.Event()
    with process(db, **options) as (child, server):
        publish_pages(server, key, digests, 60, assignments=workers)
        crowd = Crowd(server.endpoint, invite(db, workers, base_url=server.endpoint), think=0.05)
        running = threading.Thread(target=lambda: keep_serving(db, options, done))

        def kill_and_start() -> None:
            kill_in_work(child, crowd)
            for _ in range(kills - 1):
                with process(db, **options) as (next_one, _):
                    kill_in_work(next_one, crowd)
            running.start()

        try:
            tally = crowd.work(0, kill_and_start)
        finally:
            done.set()
            if running.ident is not None:
                running.join()
    return check_what_is_stored(db, tally, killed=True)


def kill_in_work(child: subprocess.Popen[bytes], crowd: Crowd) -> None:
    before = len(crowd.tally.stored)
    wait_for(lambda: len(crowd.tally.stored) >= before + 10)
    child.kill()
    child.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.005)
