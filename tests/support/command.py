"""The `replicate` command as a user gives it: in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


def environment(**extra: str) -> dict[str, str]:
    """The environment of a user without any settings of replicate's."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("REPLICATE_")}
    return {**clean, **extra}


def replicate(*arguments: str | Path, cwd: Path | None = None, **extra: str) -> Outcome:
    """Run the command and wait for it."""
    done = subprocess.run(
        [sys.executable, "-m", "replicate", *map(str, arguments)],
        cwd=cwd,
        env=environment(**extra),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


DIGESTS = ("sets", "votes_digest", "predictions_digest")


def digests(folder: Path, **extra: str) -> dict[str, Any]:
    """What a study made, by content."""
    outcome = replicate("status", "-C", folder, "--json", **extra)
    assert outcome.code == 0, outcome.err
    status = outcome.json()
    return {key: status[key] for key in DIGESTS}
