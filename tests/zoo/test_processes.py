import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from replicate.base.errors import ItemError, ReplicateError
from replicate.base.resources import usable_cores
from replicate.zoo.processes import Crew


@pytest.mark.parametrize("processes", [0, 1, 2, 3])
def test_every_item_comes_back_with_its_result(processes):
    items = list(range(7))
    assert sorted(Crew(operator.mul).over(3, items, processes)) == [(i, 3 * i) for i in items]


def test_no_items_start_nothing():
    assert list(Crew(operator.mul).over(3, [], 4)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_comes_through(processes):
    with pytest.raises(ZeroDivisionError):
        list(Crew(operator.truediv).over(1, [1, 2, 0, 4], processes))


def test_errors_keep_their_reason():
    with pytest.raises(ItemError) as caught:
        list(Crew(operator.call).over(_raise, [1, 2], 1))
    assert caught.value.reason == "odd"


def _raise(item):
    raise ItemError("odd", f"item {item}")


def test_a_process_that_dies_is_said():
    with pytest.raises(ReplicateError, match="died") as caught:
        list(Crew(operator.call).over(os._exit, [3, 3, 3], 2))
    assert "run the same command again" in caught.value.hint


def test_a_crew_launched_ahead_is_used_and_ends():
    crew = Crew(operator.mul, imports=("fractions",))
    crew.launch(3)
    assert sorted(crew.over(2, [1, 2, 3], 2)) == [(1, 2), (2, 4), (3, 6)]
    assert not multiprocessing.active_children()
    assert list(crew.over(2, [4, 5], 1)) == [(4, 8), (5, 10)]


def test_a_crew_that_is_not_needed_ends():
    crew = Crew(operator.mul)
    crew.launch(2)
    assert len(multiprocessing.active_children()) == 2
    crew.close()
    assert not multiprocessing.active_children()


SCRIPT = """
import operator, time
from replicate.zoo.processes import Crew
if __name__ == "__main__":
    for item, _ in Crew(operator.call).over(time.sleep, [0.2] * 1000, 2):
        print("one", flush=True)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_the_processes_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    parent.stdout.readline()
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert len(children) >= 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while time.monotonic() < until and any(_runs(child) for child in children):
        time.sleep(0.05)
    assert not [child for child in children if _runs(child)]


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_cores():
    assert 1 <= usable_cores() <= os.cpu_count()


UNGUARDED = """
import operator
from replicate.base.errors import ReplicateError
from replicate.zoo.processes import Crew
# Each process imports this file again and dies of it, before it reads the large job.
try:
    list(Crew(operator.add).over(bytes(10_000_000), [b"1", b"2"], 2))
except ReplicateError as error:
    print(error.message)
"""


def test_a_process_that_dies_at_its_start_is_said_not_waited_for(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "A process died" in done.stdout
