"""Servers that a study starts itself, as child processes that cannot outlive their parent.

Each child shuts down when its standard input ends, so even a parent that was killed with SIGKILL
leaves no orphan. What a server knows is on disk; the next one that is started carries on.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from replicate.base.blobs import S3
from replicate.base.errors import ReplicateError
from replicate.base.files import read_json, write_json

START_SECONDS = 60.0


class ServerProcess:
    """One `replicate … --ready-file J` child process.

    Args:
        name: What it is, for messages.
        arguments: The command line after `replicate`, without port and ready file.
        folder: Where its ready file and its log go.
        port: The port that it listens on; 0 takes a free one.
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, port: int = 0) -> None:
        self.name = name
        self.port = port
        self.arguments = list(arguments)
        self.folder = folder
        self.ready: dict[str, Any] = {}
        self._child: subprocess.Popen[bytes] | None = None
        slug = name.replace(" ", "-")
        self._ready_file = folder / f"{slug}-{secrets.token_hex(4)}.ready.json"
        self._log = folder / f"{slug}.log"

    def launch(self) -> None:
        """Start it without waiting; does nothing when it was started already."""
        if self._child is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "replicate", *self.arguments]
        command += [
            "--port",
            str(self.port),
            "--ready-file",
            str(self._ready_file),
            "--exit-with-stdin",
        ]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        # A session of its own: Ctrl-C reaches the parent, which then stops the child in order.
        with self._log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    def start(self) -> str:
        """Start it, if it was not launched before, and wait until it answers.

        Returns:
            Its endpoint.

        Raises:
            ReplicateError: It ended at once, or never answered.
        """
        if not self.ready:
            self.launch()
            self.ready = self._wait()
            self._ready_file.unlink(missing_ok=True)
        return str(self.ready["endpoint"])

    def _wait(self) -> dict[str, Any]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._ready_file.exists():
                found: dict[str, Any] = read_json(self._ready_file)
                return found
            if self._child is None or self._child.poll() is not None:
                break
            time.sleep(0.02)
        self.stop()
        said = self._log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise ReplicateError(
            f"The {self.name} did not start: {said[-1]}", f"Its log is {self._log}"
        )

    def end(self) -> None:
        """Tell it to stop, without waiting; does nothing when it is not running."""
        if self._child is None:
            return
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.terminate()

    def stop(self) -> None:
        """Stop it in order; does nothing when it is not running."""
        self.end()
        child, self._child = self._child, None
        if child is None:
            return
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class FlickrProcess(ServerProcess):
    """The local Flickr; it makes its photos first if they are not there.

    Args:
        folder: The sandbox folder of the study.
        seed: The study's seed.
        photos: How many photos it holds.
        per_class: How many images of each class of each set the study uses, if not all.
    """

    def __init__(self, folder: Path, seed: int, photos: int, per_class: int | None = None) -> None:
        arguments = ["sandbox", "flickr", "--photos", str(folder / "photos")]
        arguments += ["--make", str(photos), "--seed", str(seed)]
        if per_class is not None:
            arguments += ["--per-class", str(per_class)]
        super().__init__("local flickr", arguments, folder)


class CrowdServerProcess(ServerProcess):
    """A crowd server with its own database in a folder.

    Args:
        folder: Where its database, its log and the requester's keys go.
        images: Where the display copies are: a folder, or ``s3://…``.
        more: Further arguments of `replicate crowd serve`.
        port: The port; 0 takes a free one.
    """

    def __init__(self, folder: Path, images: str, more: Sequence[str] = (), port: int = 0) -> None:
        self.database = folder / "crowd.db"
        arguments = ["crowd", "serve", "--db", str(self.database), "--images", images, *more]
        super().__init__("crowd server", arguments, folder, port)
        self._images = images

    def launch(self) -> None:
        """Start it without waiting; it wants its folder of images, which may be empty yet."""
        if not self._images.startswith(S3):
            Path(self._images).mkdir(parents=True, exist_ok=True)
        super().launch()

    def keys(self) -> tuple[str, str]:
        """A requester's key id and secret; made once and kept beside the server's database."""
        from replicate.crowdserver.admin import add_key

        path = self.folder / "crowd-keys.json"
        if not path.exists():
            key, secret = add_key(str(self.database))
            write_json(path, {"access_key_id": key, "secret_access_key": secret})
            path.chmod(0o600)
        found = read_json(path)
        return found["access_key_id"], found["secret_access_key"]


class CrowdProcess(CrowdServerProcess):
    """The crowd server of a sandbox, and its simulated workers.

    Args:
        folder: The sandbox folder of the study.
        seed: The study's seed; ids and workers follow from it.
        images: Where the display copies are: a folder, or ``s3://…``.
        workers: How many simulated workers there are.
    """

    def __init__(self, folder: Path, seed: int, images: str, workers: int) -> None:
        super().__init__(folder, images, ["--sandbox", "--seed", str(seed)])
        self._seed = seed
        self._workers = workers

    def work(self, progress: Callable[[str, int, int], None]) -> int:
        """Let the simulated workers do all that there is to do; how many pages they sent."""
        from replicate.sandbox.workers import run_sandbox_workers

        return run_sandbox_workers(
            worker_url=str(self.ready["worker_url"]),
            database=self.database,
            seed=self._seed,
            n_workers=self._workers,
            progress=progress,
        )
