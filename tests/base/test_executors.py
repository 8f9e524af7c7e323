"""Every executor gives the results in order, whatever runs them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from replicate.base.errors import ItemError, MissingError, ReplicateError, UsageError
from replicate.base.executors import run


def square(number: int) -> int:
    return number * number


def slow_first(number: int) -> int:
    time.sleep(0.2 if number == 0 else 0.0)
    return number


def threads(_: int) -> list[int]:
    np.ones((2, 2)) @ np.ones((2, 2))  # a library with threads
    from threadpoolctl import threadpool_info

    return [library["num_threads"] for library in threadpool_info()]


def failing(number: int) -> int:
    if number == 2:
        raise ItemError("truncated", "the third one")
    return number


def dying(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_in_this_process_and_in_two() -> None:
    numbers = list(range(20))
    assert list(run(square, numbers)) == [n * n for n in numbers]
    assert list(run(square, iter(numbers), workers=2)) == [n * n for n in numbers]
    assert list(run(slow_first, range(4), workers=2)) == [0, 1, 2, 3]
    assert list(run(partial(pow, 2), [3, 5], workers=2)) == [8, 32]


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = run(square, items())
    next(results)
    assert len(taken) == 1
    results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_numerics_libraries_use_one_thread(workers: int) -> None:
    for counts in run(threads, range(2), workers=workers):
        assert counts
        assert set(counts) == {1}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_through(workers: int) -> None:
    with pytest.raises(ItemError, match="the third one"):
        list(run(failing, range(6), workers=workers))


def test_a_killed_worker_is_one_message() -> None:
    with pytest.raises(ReplicateError, match="was killed") as caught:
        list(run(dying, range(4), workers=2))
    assert "carries on" in caught.value.hint


LONG = """
import sys
from base import test_executors
from replicate.base.executors import run
for _ in run(test_executors.announced, [sys.argv[1]] * 4, workers=2):
    pass
"""


def announced(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)


def test_workers_of_a_killed_process_end(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[1])
    paths = os.pathsep.join([tests, *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-c", LONG, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths}
    )
    workers = wait_for(lambda: [int(path.name) for path in tmp_path.iterdir()], 2)
    process.kill()
    process.wait()
    assert wait_for(lambda: [pid for pid in workers if not alive(pid)], 2) == workers


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # nobody may be there to bury it


def wait_for(look: Callable[[], list[int]], number: int) -> list[int]:
    deadline = time.monotonic() + 60
    while len(found := look()) < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_what_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for how in ({"executor": "slurm"}, {"workers": 0}):
        with pytest.raises(UsageError, match="no executor"):
            list(run(square, [1], **how))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingError, match="not installed"):
        list(run(square, [1], executor="ray"))
