"""`replicate sample table` as a user gives it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from support.command import replicate


def _table(path: Path, hard: bool, size: int = 1500) -> Path:
    rng = np.random.default_rng(1 + hard)
    s = rng.beta(2.0 if hard else 4.0, 1.0, size)
    lines = ["image_id,class_id,shown,selected"]
    lines += [f"i{i},{i % 5},12,{rng.binomial(12, p)}" for i, p in enumerate(s)]
    path.write_text("\n".join(lines))
    return path


def _command(folder: Path, strategy: str, *more: str):
    return replicate(
        "sample", "table", "--original", folder / "a.csv", "--pool", folder / "b.csv",
        "--strategy", strategy, "--per-class", "40", "--seed", "1",
        "--output", folder / f"{strategy}.csv", "--json", *more,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _table(tmp_path / "a.csv", hard=False)
    _table(tmp_path / "b.csv", hard=True)
    return tmp_path


@pytest.mark.parametrize(
    ("strategy", "more"),
    [
        ("matched-frequency", ()),
        ("matched-estimated", ()),
        ("threshold", ("--threshold", "0.7")),
        ("top", ()),
        ("uniform", ()),
    ],
)
def test_every_strategy_writes_a_set(folder: Path, strategy: str, more: tuple[str, ...]) -> None:
    outcome = _command(folder, strategy, *more)
    assert outcome.code == 0, outcome.err
    found = outcome.json()
    assert found["n"] == 200 and found["per_class"] == {str(i): 40 for i in range(5)}
    assert found["heldout"] is None
    with (folder / f"{strategy}.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["image_id", "class_id", "stratum", "filled"] and len(rows) == 200
    assert _command(folder, strategy, *more).json()["digest"] == found["digest"]


def test_matching_estimated_frequencies_holds_on_votes_set_aside(folder: Path) -> None:
    more = ("--holdout-votes", "2")
    ours, paper = (
        _command(folder, name, *more).json()["heldout"]
        for name in ("matched-estimated", "matched-frequency")
    )
    assert set(ours) >= {"original", "new", "difference", "se"}
    assert abs(ours["difference"]) < 0.01 + 2 * ours["se"]
    assert paper["difference"] > ours["difference"]


def test_what_cannot_be_drawn_stops_with_4(folder: Path) -> None:
    outcome = _command(folder, "top", "--min-votes", "13")
    assert outcome.code == 4 and "Too few images" in outcome.err
    assert not (folder / "top.csv").exists()


def test_mistakes_are_one_message(folder: Path) -> None:
    for more, message in (
        (("--bins", "a,b"), "no bin edges"),
        (("--bins", "0.4,0.2"), "cannot be used"),
        (("--threshold", "0.5"), "means nothing"),
    ):
        outcome = _command(folder, "top", *more)
        assert outcome.code == 2 and message in outcome.err, outcome.err
    assert _command(folder, "threshold").code == 2
    (folder / "b.csv").write_text((folder / "b.csv").read_text() + "\nx,1,2,3\n")
    outcome = _command(folder, "uniform")
    assert outcome.code == 3 and outcome.json()["left_out"] == {"selected_above_shown": 1}


def test_a_plan_says_what_is_missing_and_what_it_would_take(folder: Path) -> None:
    outcome = _command(folder, "top", "--min-votes", "13", "--plan")
    assert outcome.code == 0, outcome.err
    found = outcome.json()
    assert found["feasible"] is False and not (folder / "top.csv").exists()
    assert [row["missing"] for row in found["strata"]] == [40] * 5
    # No candidate has 13 votes: half of one in one is taken for the share; each lacks one vote.
    assert [row["more_votes"] for row in found["strata"]] == [80] * 5
    assert [row["more_candidates"] for row in found["strata"]] == [0] * 5
    enough = _command(folder, "matched-frequency", "--plan").json()
    assert enough["feasible"] and sum(row["wanted"] for row in enough["strata"]) == 200


HOSTILE = {
    "no votes at all": ("a,0,0,0\nb,0,0,0\n", 4, "Too few images"),
    "one vote each": ("a,0,1,1\nb,0,1,0\n", 4, "Too few images"),
    "missing numbers": ("a,0,nan,3\nb,0,,\n", 2, "No row of the table can be used"),
    "the same row twice": ("a,0,9,9\na,0,9,9\n", 2, "it comes twice"),
    "impossible counts": ("a,0,3,9\n", 2, "selected more often"),
    "not whole": ("a,0,inf,1\nb,0,2.5,1\n", 2, "not whole numbers"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_table_is_one_clear_answer(folder: Path, what: str) -> None:
    rows, code, message = HOSTILE[what]
    (folder / "b.csv").write_text("image_id,class_id,shown,selected\n" + rows)
    outcome = _command(folder, "top")
    assert outcome.code == code and message in outcome.err, outcome.err
    assert "Traceback" not in outcome.err and not (folder / "top.csv").exists()


@pytest.mark.parametrize("strategy", ["matched-estimated", "top"])
def test_ties_everywhere_in_a_large_class_are_drawn(tmp_path: Path, strategy: str) -> None:
    rows = "".join(f"i{i},0,10,10\n" for i in range(20_000))
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("image_id,class_id,shown,selected\n" + rows)
    outcome = _command(tmp_path, strategy)
    assert outcome.code == 0 and outcome.json()["n"] == 40, outcome.err


def test_quotas_by_keyword(tmp_path: Path) -> None:
    head = "image_id,class_id,shown,selected,keyword\n"
    words = ["tabby"] * 6 + ["tomcat"] * 3 + ["kitty"]
    (tmp_path / "a.csv").write_text(
        head + "".join(f"o{i},cat,10,9,{word}\n" for i, word in enumerate(words))
    )
    (tmp_path / "b.csv").write_text(
        head + "".join(f"p{i},cat,10,{9 if i % 5 else 1},{words[i % 10]}\n" for i in range(1000))
    )
    outcome = _command(tmp_path, "quota", "--keywords", "2", "--threshold", "0.5")
    assert outcome.code == 0, outcome.err
    with (tmp_path / "quota.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert sorted(row["stratum"] for row in rows) == ["tabby"] * 27 + ["tomcat"] * 13
    assert all(int(row["image_id"][1:]) % 5 for row in rows)
    assert _command(tmp_path, "quota").code == 2
    assert _command(tmp_path, "top", "--keywords", "2").code == 2


def test_quotas_are_planned_filled_and_one_in_thirty(run, tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    words = ["tabby"] * 60 + ["tomcat"] * 31 + ["kitty"] * 14
    old.write_text(
        "image_id,class_id,keyword\n" + "".join(f"o{i},cat,{w}\n" for i, w in enumerate(words))
    )
    rows = "".join(f"p{i},cat,2,2,{'kitty' if i else 'tabby'}\n" for i in range(9))
    new.write_text("image_id,class_id,shown,selected,keyword\n" + rows)
    words = ["sample", "table", "--original", old, "--pool", new, "--strategy", "quota"]
    words += ["--keywords", "3", "--per-class", "0", "--seed", "1", "--min-votes", "2"]
    code, plan, _ = run(*words, "--plan")
    wanted = [(row["stratum"], row["wanted"], row["missing"]) for row in plan["strata"]]
    assert code == 0 and wanted == [("tabby", 2, 1), ("tomcat", 2, 2)]
    code, refused, _ = run(*words, "--output", tmp_path / "set.csv")
    assert code == 4 and [row["missing"] for row in refused["lacking"]] == [1, 2]
    code, found, _ = run(*words, "--fill", "--output", tmp_path / "set.csv")
    assert (code, found["n"], found["filled"]) == (0, 4, 3)
    with (tmp_path / "set.csv").open() as handle:
        drawn = {(row["stratum"], row["filled"]) for row in csv.DictReader(handle)}
    assert drawn == {("tabby", "False"), ("tabby", "True"), ("tomcat", "True")}
    assert run(*[w if w != "quota" else "top" for w in words], "--plan")[0] == 2
