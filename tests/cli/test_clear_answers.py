"""Slips of a first day: each has one clear message, the right exit code, and a next step."""

import errno
from pathlib import Path

import pytest

from replicate.base.errors import UsageError
from replicate.cli.analyze_inputs import who_fits
from replicate.cli.duplicates_calibrate import _cuts_text
from replicate.cli.main import _known_cause
from replicate.stages.takedown_names import meant

COUNTS = "image_id,class_id,shown,selected\n" + "".join(f"i{n},0,5,{n % 6}\n" for n in range(30))


def test_an_output_that_cannot_be_made_is_no_fault_of_replicates(run, tmp_path: Path) -> None:
    table, blocked = tmp_path / "a.csv", tmp_path / "file"
    table.write_text(COUNTS)
    blocked.write_text("")
    draw = ["sample", "table", "--original", table, "--pool", table, "--strategy", "top"]
    draw += ["--per-class", "2", "--seed", "1", "--min-votes", "1", "--output"]
    for place in (
        blocked / "set.csv",
        blocked / "deeper" / "set.csv",
        tmp_path / f"{'n' * 300}.csv",
    ):
        code, found, err = run(*draw, place)
        assert code == 2 and found["exit_code"] == 2, err
        assert "fault of replicate" not in err and "file" in err, err
    code, _, err = run("init", blocked / "study", "--from", "digits")
    assert code == 2 and "a part of this path is a file" in err, err


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.EACCES, 2, "no permission to read or write /x/y"),
        (errno.EROFS, 2, "cannot be written to"),
        (errno.ENOENT, 2, "There is no /x/y"),
        (errno.EIO, 1, "/x/y cannot be read or written"),
        (errno.ENOSPC, 1, "disk is full"),
    ],
)
def test_errors_of_the_system_are_sentences(number: int, code: int, said: str) -> None:
    known = _known_cause(OSError(number, "words of the system", "/x/y"))
    assert known is not None and known.exit_code == code and said in known.message
    assert _known_cause(OSError("no file is named")) is None


def test_folders_that_stand_alone_are_told_their_options(run, tmp_path: Path) -> None:
    code, found, _ = run("duplicates", tmp_path / "train", tmp_path / "test")
    assert code == 2 and "stands alone" in found["error"]
    assert found["hint"] == (
        f"replicate duplicates --reference {tmp_path / 'train'} --candidates {tmp_path / 'test'}"
    )


def test_empty_tables_are_called_empty(run, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    for words in (["analyze", empty, "--original", "a"], ["competitions", empty]):
        code, found, _ = run(*words)
        assert code == 2 and found["error"] == "empty.csv is empty.", found


def test_labels_that_are_not_there_are_named(run, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    words = ["score", "folder", "--models", "x", "--data", tmp_path, "--output", tmp_path / "p"]
    code, found, _ = run(*words, "--labels", tmp_path / "nosuch.csv")
    assert code == 2 and "nosuch.csv" in found["error"] and "Errno" not in found["error"]


def test_swapped_tables_of_votes_are_suspected(run, tmp_path: Path) -> None:
    names = {}
    for side in ("a", "b"):
        images = [f"{side}{n}" for n in range(8)]
        table, votes = tmp_path / f"{side}.csv", tmp_path / f"{side}-votes.csv"
        table.write_text("image_id,class_id,correct\n" + "".join(f"{i},0,0.5\n" for i in images))
        rows = "".join(f"{i},0,w{w},{'yes' if w else 'no'}\n" for i in images for w in range(4))
        votes.write_text("image_id,class_id,worker,vote\n" + rows)
        names[side] = table, votes
    words = ["adjust", "--original", names["a"][0], "--votes-original", names["b"][1]]
    code, found, _ = run(*words, "--new", names["b"][0], "--votes-new", names["a"][1])
    assert code == 2 and "'b0'" in found["error"] and "'a0'" in found["error"]
    assert "swapped" in found["hint"]


def test_texts_that_were_python() -> None:
    assert who_fits([], None) == "no set has that many items"
    assert who_fits(["a", "b"], None) == "2 sets have that many items: a, b"
    assert "{" not in _cuts_text({"sure": 0.01, "unsure": {"none": [0.1, 0.25]}})


def test_too_short_an_id_is_called_too_short() -> None:
    class Nothing:
        def scalar(self, _: object) -> None:
            return None

    with pytest.raises(UsageError, match="'77' is too short for an image id") as caught:
        meant(Nothing(), "77", None)  # type: ignore[arg-type]
    assert "eight characters" in caught.value.hint
