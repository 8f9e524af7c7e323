"""The small study on a real PostgreSQL, by URL."""

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import digests, replicate

pytestmark = pytest.mark.postgres
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
    for path in (folder, *folder.parents):
        if path.stat().st_uid == 0 and str(path).startswith("/tmp/"):
            path.chmod(0o755)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid}


@pytest.fixture
def postgres_url(tmp_path_factory: pytest.TempPathFactory, postgres_bin: Path) -> Iterator[str]:
    """A PostgreSQL server of our own on a free port of this machine."""
    folder = tmp_path_factory.mktemp("postgres")
    identity = _as_server_user(folder)
    data, port = folder / "data", _free_port()
    subprocess.run(
        [postgres_bin / "initdb", "-D", data, "-U", "replicate", "-A", "trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd=folder,
        **identity,
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [postgres_bin / "postgres", "-D", data, "-p", str(port), "-k", folder, *SETTINGS],
            stdout=log,
            stderr=log,
            cwd=folder,
            **identity,
        )
    try:
        for _ in range(200):
            ready = subprocess.run(
                [postgres_bin / "pg_isready", "-h", "127.0.0.1", "-p", str(port)],
                capture_output=True,
            )
            if ready.returncode == 0:
                break
            time.sleep(0.1)
        yield f"postgresql+psycopg://replicate@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()


def test_the_small_study_is_the_same_on_postgresql(
    postgres_url: str, small_demo: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    outcome = replicate(
        "demo", "--dir", study, "--size", "small", REPLICATE_DATABASE_URL=postgres_url
    )
    assert outcome.code == 0, outcome.err
    assert not (study / "study.db").exists()
    assert digests(study, REPLICATE_DATABASE_URL=postgres_url) == digests(small_demo)
    again = replicate("run", "-C", study, "--json", REPLICATE_DATABASE_URL=postgres_url)
    assert {result["done"] for result in again.json()["stages"]} == {0}
