"""Leases in a shared folder: workers on many machines agree on who does which unit.

A lease is a file that one worker alone can create. While it works, the worker touches it; a lease
that was not touched for its lifetime belongs to a worker that is lost, and may be taken over: by
renaming it, which again one worker alone can do. A unit that is done twice all the same (a worker
that slept through its lease) ends in the same file with the same bytes.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIFETIME = 120.0  # seconds without a touch after which a worker is taken for lost


@contextmanager
def lease(folder: Path, unit: str, lifetime: float = LIFETIME) -> Iterator[bool]:
    """Hold the lease of a unit while the block runs.

    Args:
        folder: The shared folder of leases.
        unit: The unit's name, fit for a file name.
        lifetime: Seconds after which an untouched lease is free; alike for all workers.

    Yields:
        Whether we hold it; if not, another worker works on the unit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{unit}.lease"
    token = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
    if not _take(path, token, lifetime):
        yield False
        return
    ended = threading.Event()

    def touch() -> None:
        while not ended.wait(lifetime / 4):
            with suppress(OSError):
                os.utime(path)

    heart = threading.Thread(target=touch, daemon=True)
    heart.start()
    try:
        yield True
    finally:
        ended.set()
        heart.join()
        if _holder(path) == token:
            path.unlink(missing_ok=True)


def _take(path: Path, token: str, lifetime: float) -> bool:
    if _create(path, token):
        return True
    try:
        age = _now(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return _create(path, token)  # it was given back just now
    if age < lifetime:
        return False
    grave = path.with_name(f".{path.name}.{secrets.token_hex(4)}.lost")
    try:
        path.rename(grave)
    except FileNotFoundError:
        return False  # another worker was quicker
    grave.unlink(missing_ok=True)
    return _create(path, token)


def _create(path: Path, token: str) -> bool:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as file:
        file.write(token)
    return True


def _holder(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _now(folder: Path) -> float:
    """The time by the clock that stamps the folder's files, which may be another machine's."""
    probe = folder / f".clock.{secrets.token_hex(4)}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        probe.unlink(missing_ok=True)
