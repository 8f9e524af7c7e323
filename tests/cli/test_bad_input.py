"""A user's mistake: one clear message, the right exit code, nothing half-written."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import create_engine, text
from support.command import Outcome, environment, replicate


def _is_clear(outcome: Outcome, code: int, *said: str) -> None:
    assert outcome.code == code, (outcome.out, outcome.err)
    assert "Traceback" not in outcome.err
    for part in said:
        assert part in outcome.err, outcome.err


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    assert replicate("init", folder, "--from", "digits", "--size", "small").code == 0
    return folder


def _edit(study: Path, old: str, new: str) -> None:
    path = study / "pipeline.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_no_study_here(tmp_path: Path) -> None:
    _is_clear(replicate("status", cwd=tmp_path), 2, "no study", "replicate init")
    outcome = replicate("status", "--json", cwd=tmp_path)
    assert outcome.json()["exit_code"] == 2


def test_no_such_command_option_or_template(tmp_path: Path) -> None:
    _is_clear(replicate("gahter"), 2, "gahter")
    _is_clear(replicate("status", "--jsno"), 2, "--json")
    _is_clear(replicate("init", tmp_path / "x", "--from", "mnist"), 2, "cifar10_1", "digits")
    assert not (tmp_path / "x").exists()


def test_init_twice_keeps_the_first(study: Path) -> None:
    _edit(study, "seed = 2019", "seed = 7")
    _is_clear(replicate("init", study, "--from", "digits"), 2, "holds a study already")
    assert "seed = 7" in (study / "pipeline.toml").read_text()


def test_malformed_pipeline(study: Path) -> None:
    _edit(study, "radius = 12", "raduis = 12")
    _is_clear(replicate("gather", "-C", study), 2, "raduis", "'radius'", "line ")
    assert not (study / "study.db").exists()
    (study / "pipeline.toml").write_text("[study\n")
    _is_clear(replicate("status", "-C", study), 2, "not valid TOML")


def test_a_class_that_the_original_lacks(study: Path) -> None:
    path = study / "pipeline.toml"
    path.write_text(path.read_text() + '\n[[class]]\nid = "ten"\nname = "ten"\n')
    _is_clear(replicate("gather", "-C", study), 2, "ten")


def test_a_newer_schema(small_demo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small_demo, copy)
    engine = create_engine(f"sqlite:///{copy / 'study.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for command in (("status",), ("run",), ("db", "upgrade")):
        _is_clear(replicate(*command, "-C", copy), 4, "9999", "pip install --upgrade")


def test_too_few_candidates_says_which_class_how_many_and_what_to_do(
    small_demo: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small_demo, copy)
    path = copy / "pipeline.toml"
    path.write_text(
        path.read_text()
        + '\n[[sample]]\nname = "huge"\nstrategy = "threshold"\nthreshold = 0.7\nper_class = 500\n'
    )
    outcome = replicate("sample", "-C", copy)
    _is_clear(outcome, 4, "huge", "500", "Next:")
    rows = replicate("db", "query", "SELECT name FROM test_sets", "-C", copy, "--json").json()
    assert "huge" not in {row["name"] for row in rows}


def test_an_empty_pool(study: Path, tmp_path: Path) -> None:
    photos = tmp_path / "none"
    for class_id in "0123456789":
        (photos / class_id).mkdir(parents=True)
    _edit(study, 'source = "flickr"\nsearch = "tags"', f'source = "folder"\npath = "{photos}"')
    _is_clear(replicate("gather", "-C", study), 2, "date_windows", "folder")
    path = study / "pipeline.toml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(x for x in lines if not x.startswith(("date_windows", "licences"))))
    outcome = replicate("gather", "-C", study)
    _is_clear(outcome, 4, "No candidate", "Next:")
    # Mended, the same command searches again.
    for class_id in "0123456789":
        Image.effect_noise((28, 28), 90).save(photos / class_id / "a.png")
    outcome = replicate("gather", "-C", study, "--json")
    assert outcome.code == 0, outcome.err
    assert set(outcome.json()["details"]["candidates"].values()) == {1}


def test_an_unreadable_original_is_a_row_with_a_reason(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "original"
    for class_id in "0123456789":
        (folder / class_id).mkdir(parents=True)
        Image.effect_noise((8, 8), 90).save(folder / class_id / "a.png")
    (folder / "3" / "b.png").write_bytes(b"no image")
    _edit(study, 'test = "digits:original"', f'test = "{folder}"')
    outcome = replicate("gather", "-C", study, "--json")
    assert outcome.code == 3, outcome.err
    assert outcome.json()["failed"]["not_an_image"] >= 1


def test_a_port_in_use(tmp_path: Path, small_demo: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        crowd = replicate("crowd", "serve", "--db", tmp_path / "c.db", "--port", port)
        _is_clear(crowd, 2, port)
        photos = small_demo / "sandbox" / "photos"
        flickr = replicate("sandbox", "flickr", "--photos", photos, "--port", port)
        _is_clear(flickr, 2, port)


def test_two_at_once(study: Path) -> None:
    import fcntl

    with (study / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _is_clear(replicate("gather", "-C", study), 4, "Another replicate")


def test_a_cost_that_was_not_confirmed(small_demo: Path, study: Path) -> None:
    _is_clear(replicate("publish", "-C", study, "--confirm-cost", "much"), 2, "no amount of money")


def test_interrupted(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "replicate", "demo", "--dir", str(folder), "--size", "small"]
    process = subprocess.Popen(
        command,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for _ in range(400):
        if (folder / "study.db").exists():
            break
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Interrupted" in err and "Traceback" not in err
    assert out == ""
    assert [path for path in folder.rglob("*.partial") if path.is_file()] == []


def test_a_full_disk_is_a_sentence() -> None:
    import errno

    from replicate.cli.main import _known_cause

    known = _known_cause(OSError(errno.ENOSPC, "No space left on device"))
    assert known is not None and "disk is full" in known.message


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--gap", "80"), "no larger than the accuracy"),
        (("--images", "1000", "--discordant", "0.05"), "goes with --gap"),
    ],
)
def test_power_of_what_cannot_be(options: tuple[str, ...], said: str) -> None:
    _is_clear(replicate("power", "--accuracy", "76", *options), 2, said)


def test_another_json_file_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text('{"format": 2, "name": "x", "revision": 1}')
    outcome = replicate("verify", tmp_path / "export.json")
    _is_clear(outcome, 2, "it has no 'strategy'", "the folder of an export")
