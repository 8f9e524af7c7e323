"""Killed with SIGKILL at any moment and carried on, a study ends as if it had never been killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.command import digests, environment, replicate

STUDIES = 4
KILLS_A_STUDY = 5


def _start(folder: Path, size: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "replicate", "demo", "--dir", str(folder), "--size", size]
    return subprocess.Popen(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill_after(folder: Path, size: str, seconds: float) -> bool:
    """Run the demo and kill it; False if it ended before."""
    process = _start(folder, size)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        # The process alone: its servers must notice by themselves.
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    assert process.returncode == 0
    return False


def _start_up(tmp_path: Path) -> float:
    """How long a run takes that has nothing to do but to start."""
    begin = time.monotonic()
    replicate("models", "list", "--json")
    return time.monotonic() - begin


def _killed_and_carried_on(
    folder: Path, size: str, whole: float, kills: int, offset: float, start_up: float
) -> int:
    """Kill one study `kills` times, evenly over its run, then let it end; how often it was."""
    done = 0
    step = whole / (kills + 1)
    for kill in range(kills):
        productive = offset if kill == 0 else step
        done += _kill_after(folder, size, start_up + productive)
    outcome = replicate("demo", "--dir", folder, "--size", size)
    assert outcome.code == 0, outcome.err
    return done


def _whole_run(folder: Path, size: str) -> float:
    begin = time.monotonic()
    outcome = replicate("demo", "--dir", folder, "--size", size)
    assert outcome.code == 0, outcome.err
    return time.monotonic() - begin


@pytest.mark.timeout(900)
def test_the_small_study_survives_twenty_kills(tmp_path: Path) -> None:
    whole = _whole_run(tmp_path / "whole", "small")
    start_up = _start_up(tmp_path)
    expected = digests(tmp_path / "whole")
    step = whole / (KILLS_A_STUDY + 1)
    kills = 0
    for study in range(STUDIES):
        folder = tmp_path / f"killed-{study}"
        # Each study's first kill comes a little later, so that the points interleave.
        offset = step * (study + 0.5) / STUDIES
        kills += _killed_and_carried_on(folder, "small", whole, KILLS_A_STUDY, offset, start_up)
        assert digests(folder) == expected
    assert kills >= STUDIES * KILLS_A_STUDY - STUDIES, "most runs ended before they were killed"


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_the_full_study_survives_five_kills(tmp_path: Path) -> None:
    whole = _whole_run(tmp_path / "whole", "full")
    kills = _killed_and_carried_on(
        tmp_path / "killed", "full", whole, 5, whole / 6, _start_up(tmp_path)
    )
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")
    assert kills == 5
