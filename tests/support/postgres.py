"""A PostgreSQL server of our own, on a free port of this machine."""

import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = ("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_server_user(folder: Path) -> dict[str, int]:
    """PostgreSQL refuses to run as root; give the folder to its own user."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid}


@contextmanager
def postgres_server(programs: Path) -> Iterator[str]:
    """The URL of a new server.

    Its files are in a folder of their own, not one of pytest's: pytest closes those to everybody
    but its user each time that it starts, and PostgreSQL runs as another.
    """
    with (
        tempfile.TemporaryDirectory(prefix="replicate-postgres-") as folder,
        _server_in(Path(folder), programs) as url,
    ):
        yield url


@contextmanager
def _server_in(folder: Path, programs: Path) -> Iterator[str]:
    identity = _as_server_user(folder)
    data, port = folder / "data", _free_port()
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "replicate", "-A", "trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd=folder,
        **identity,
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-p", str(port), "-k", folder, *SETTINGS],
            stdout=log,
            stderr=log,
            cwd=folder,
            **identity,
        )
    try:
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, capture_output=True).returncode != 0:
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"postgresql+psycopg://replicate@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()
