"""What all tests share: marks for system packages, and no skip where none is allowed."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


def _postgres_programs() -> Path | None:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def _has_wordnet() -> bool:
    folder = os.environ.get("REPLICATE_WORDNET", "/usr/share/wordnet")
    return (Path(folder) / "data.noun").exists()


NEEDS = {
    "chromium": (
        lambda: shutil.which("chromium") is not None and shutil.which("chromedriver") is not None,
        "Chromium and its driver are not installed (Debian: apt install chromium-driver)",
    ),
    "postgres": (
        lambda: _postgres_programs() is not None,
        "PostgreSQL is not installed (Debian: apt install postgresql)",
    ),
    "wordnet": (_has_wordnet, "WordNet 3.0 is not installed (Debian: apt install wordnet-base)"),
    "zoo": (
        lambda: all(importlib.util.find_spec(name) for name in ("timm", "torchvision")),
        "the extra 'zoo' is not installed (pip install 'replicate-testsets[zoo]')",
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name, (there, reason) in NEEDS.items():
            if item.get_closest_marker(name) and not there():
                item.add_marker(pytest.mark.skip(reason=reason))


class NoSkips:
    """Where REPLICATE_NO_SKIP is set, a skipped test is a failure of the run.

    Tests that need the extra `zoo` are for the environment that has it.
    """

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and "benchmark" not in str(report.longrepr):
            self.skipped.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        forbidden = [line for line in self.skipped if NEEDS["zoo"][1] not in line]
        if forbidden and os.environ.get("REPLICATE_NO_SKIP"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            for line in forbidden:
                print(f"\nSKIPPED where no skip is allowed: {line}")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(NoSkips(), "no-skips")


@pytest.fixture(scope="session")
def postgres_bin() -> Path:
    """The folder of PostgreSQL's programs."""
    folder = _postgres_programs()
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def postgres_url(postgres_bin: Path) -> Iterator[str]:
    """A PostgreSQL server for the tests of one file."""
    from support.postgres import postgres_server

    with postgres_server(postgres_bin) as url:
        yield url


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's keys, addresses or databases."""
    for name in list(os.environ):
        if name.startswith("REPLICATE_") and name not in (
            "REPLICATE_NO_SKIP",
            "REPLICATE_SHARED_DATA",
        ):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished small demo; tests that change it copy it first."""
    from support.command import replicate

    folder = tmp_path_factory.mktemp("small") / "demo"
    outcome = replicate("demo", "--dir", folder, "--size", "small", "--json")
    assert outcome.code == 0, outcome.err
    assert Path(outcome.json()["report"]).is_file()
    return folder
