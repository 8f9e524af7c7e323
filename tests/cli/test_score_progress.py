"""Progress of scoring: a rate and the time left; lines where there is no terminal."""

import contextlib
import os
import pty
import sys

from support.photo_folder import photo_folder

from replicate.cli.score_progress import Lines, duration, told


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_lines_come_at_intervals_with_rate_and_time_left(capsys):
    clock = Clock()
    lines = Lines(30, clock)
    for second in range(0, 100, 5):
        clock.now = float(second)
        lines("timm:resnet50", 200 * second, 1_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "  0 of 1,000,000 (0 %): timm:resnet50",
        "  6,000 of 1,000,000 (1 %), 200 images/s, 83 min left: timm:resnet50",
        "  12,000 of 1,000,000 (1 %), 200 images/s, 82 min left: timm:resnet50",
        "  18,000 of 1,000,000 (2 %), 200 images/s, 82 min left: timm:resnet50",
    ]


def test_times_are_for_people():
    assert [duration(s) for s in (0.4, 89, 91, 5400, 90_000)] == [
        "0 s", "89 s", "2 min", "1 h 30 min", "25 h 0 min",
    ]  # fmt: skip


def test_a_log_gets_lines_and_standard_output_the_document_alone(run, tmp_path):
    photos = photo_folder(tmp_path / "photos", 30)
    code, value, err = run(
        "score", "folder", "--models", "py:support.tiny_models:build", "--data", photos,
        "--output", tmp_path / "out", "--progress", "0.000001",
    )  # fmt: skip
    assert code == 0 and value["models"][0]["n"] == 30
    assert "  0 of 30 (0 %): decoding" in err.splitlines()
    assert "  30 of 30 (100 %)" in err


def test_a_terminal_gets_a_bar(monkeypatch):
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with told(30) as tell:
            tell("decoding", 0, 30)
            tell("py:[odd]:build", 20, 30)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that the other side is closed
        while data := os.read(ours, 1 << 16):
            shown += data
    os.close(ours)
    shown = shown.decode()
    assert "20/30" in shown and "py:[odd]:build" in shown
