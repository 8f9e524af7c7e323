"""Commands that are forked from a warm process (see `warm`), for tests that give very many."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from support import warm
from support.command import Outcome, environment, replicate


class WarmCommand:
    """Runs commands as `support.command.replicate` does, without starting Python for each.

    Where REPLICATE_TESTS_COLD is set, every command starts from nothing, as a user's does.

    Args:
        folder: Where what a command prints is kept while it runs.
    """

    def __init__(self, folder: Path) -> None:
        self._out, self._err = folder / "out", folder / "err"
        ours, theirs = socket.socketpair()
        with theirs, ours:
            self._process = subprocess.Popen(
                [sys.executable, "-P", warm.__file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment(),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._lines = ours.makefile("rw", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._lines.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __call__(self, *arguments: str | Path, cwd: Path) -> Outcome:
        """Run a command and wait for it."""
        if "REPLICATE_TESTS_COLD" in os.environ:
            return replicate(*arguments, cwd=cwd)
        for path in (self._out, self._err):
            path.write_bytes(b"")
        request = {
            "arguments": [str(word) for word in arguments],
            "cwd": str(cwd),
            "env": environment(),
            "out": str(self._out),
            "err": str(self._err),
        }
        self._lines.write(json.dumps(request) + "\n")
        self._lines.flush()
        code = int(self._lines.readline())
        return Outcome(code, self._out.read_text(), self._err.read_text())
