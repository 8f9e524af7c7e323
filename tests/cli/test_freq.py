"""`replicate freq` as a user gives it."""

import csv
import io
from pathlib import Path

import pytest
from support.command import replicate

COUNTS = "image_id,class_id,shown,selected\na,1,10,9\nb,1,10,2\nc,1,0,0\n"


def _table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_gets_its_columns_and_the_talk_is_elsewhere(tmp_path: Path) -> None:
    outcome = replicate("freq", _table(tmp_path, COUNTS), cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    rows = _rows(outcome.out)
    assert [row["frequency"] for row in rows] == ["0.9", "0.2", ""]
    assert 0 < float(rows[0]["low"]) < 0.9 < float(rows[0]["high"]) < 1
    assert "0.5500" in outcome.err and "1 of them without votes" in outcome.err


def test_the_json_of_the_contract(tmp_path: Path) -> None:
    found = replicate("freq", _table(tmp_path, COUNTS), "--json", cwd=tmp_path).json()
    assert (found["n_images"], found["n_votes"], found["n_without_votes"]) == (3, 20, 1)
    assert found["mean"] == pytest.approx(0.55)
    assert 0 < found["icc"] < 1
    assert found["ci"]["workers"] is None and found["ci"]["both"] is None
    assert found["images"][2]["frequency"] is None
    path = tmp_path / "out.jsonl"
    short = replicate("freq", tmp_path / "table.csv", "--json", "--output", path).json()
    assert "images" not in short and len(path.read_text().splitlines()) == 3


def test_rows_left_out_are_named_and_the_exit_code_is_3(tmp_path: Path) -> None:
    outcome = replicate("freq", _table(tmp_path, COUNTS + "d,1,3,5\ne,1,3,x\n"), "--json")
    assert outcome.code == 3
    assert outcome.json()["left_out"] == {"not_whole": 1, "selected_above_shown": 1}
    assert "row 4: it was selected more often than it was shown" in outcome.err
    assert "selected '5'" in outcome.err


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "is empty"), ("image_id,class_id\na,1\n", "no column 'shown'"), ("a\n", "no rows")],
)
def test_a_table_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, word: str) -> None:
    outcome = replicate("freq", _table(tmp_path, text))
    assert outcome.code == 2 and word in outcome.err
    assert "Traceback" not in outcome.err and outcome.out == ""


def test_a_study_by_group_with_the_rules_and_without(small_demo: Path, tmp_path: Path) -> None:
    found = replicate("freq", "-C", small_demo, "--json").json()
    assert found["simulated"] is True and found["with_rules"] is True
    assert list(found["groups"])[:2] == ["original", "candidates"]
    assert found["rules"]["flagged"] == 1
    shown = {row["image_id"]: row["shown"] for row in found["images"] if row["group"] == "original"}
    rows = replicate(
        "db",
        "query",
        "SELECT image_id, shown FROM selection_frequencies "
        "JOIN set_images USING (image_id, class_id) WHERE set_name = 'original'",
        "-C",
        small_demo,
        "--json",
    ).json()
    assert shown == {row["image_id"]: row["shown"] for row in rows}
    for name, group in found["groups"].items():
        low, high = group["ci"]["both"]
        assert low < group["mean"] < high, name
        assert low <= group["ci"]["images"][0] and high >= group["ci"]["images"][1], name
    path = tmp_path / "frequencies.csv"
    other = replicate("freq", "-C", small_demo, "--no-rules", "--output", path)
    assert other.code == 0, other.err
    assert "SIMULATED" in other.out and "Under the rules" in other.out
    without = {
        row["image_id"]: int(row["shown"])
        for row in _rows(path.read_text())
        if row["group"] == "original"
    }
    left_out = sum(without.values()) - sum(shown.values())
    assert left_out > 0 and set(without) == set(shown)


def test_a_study_without_votes_and_a_table_with_rules(tmp_path: Path) -> None:
    study = tmp_path / "early"
    assert replicate("init", study, "--from", "digits", "--size", "small").code == 0
    outcome = replicate("freq", "-C", study)
    assert outcome.code == 2 and "replicate collect" in outcome.err
    outcome = replicate("freq", _table(tmp_path, COUNTS), "--no-rules")
    assert outcome.code == 2 and "no rules" in outcome.err
