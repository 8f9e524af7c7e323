"""`replicate adjust` as a user gives it."""

from pathlib import Path

import numpy as np
import pytest
from support.command import replicate


def _table(path: Path, hard: bool, models: int = 0, n: int = 10, size: int = 1500) -> Path:
    rng = np.random.default_rng(1 + hard)
    s = rng.beta(2.0 if hard else 4.0, 1.0, size)
    votes = rng.binomial(n, s)
    names = [f"correct:m{i}" for i in range(models)] or ["correct"]
    right = rng.random((size, len(names))) < (0.2 + 0.7 * s)[:, None]
    lines = [",".join(["image_id", "class_id", "shown", "selected", *names])]
    lines += [
        ",".join([f"i{i}", "7", str(n), str(votes[i]), *(str(int(each)) for each in right[i])])
        for i in range(size)
    ]
    path.write_text("\n".join(lines))
    return path


def test_a_gap_of_frequencies_alone_is_taken_out(tmp_path: Path) -> None:
    tables = [_table(tmp_path / "a.csv", False), _table(tmp_path / "b.csv", True)]
    outcome = replicate("adjust", "--original", tables[0], "--new", tables[1], "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.json()
    assert found["raw"]["ci"][0] > 0.05
    assert set(found["estimators"]) == {"naive", "jackknife", "mixture", "moments", "heldout"}
    best = found["estimators"][found["recommended"]]
    assert best["ci"][0] < 0 < best["ci"][1] and abs(best["gap"]) < 0.03
    assert found["n"] == {"original": 1500, "new": 1500}
    text = replicate("adjust", "--original", tables[0], "--new", tables[1])
    assert "(recommended)" in text.out and "points are left" in text.out


def test_models_have_gaps_of_their_own(tmp_path: Path) -> None:
    one = _table(tmp_path / "a.csv", False, models=3)
    two = _table(tmp_path / "b.csv", True, models=2)
    outcome = replicate("adjust", "--original", one, "--new", two, "--json", "--resamples", "100")
    assert outcome.code == 3 and "m2 is in one table only" in outcome.err
    found = outcome.json()
    assert set(found["models"]) == {"m0", "m1"}
    assert found["excluded"] == [{"model": "m2", "reason": "only in one table"}]
    assert found["models"]["m0"]["raw"]["gap"] > 0.02


def test_rows_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    one, two = _table(tmp_path / "a.csv", False), _table(tmp_path / "b.csv", True)
    with two.open("a") as handle:
        handle.write("\nx,7,10,11,1\ny,7,10,5,2\nz,7,1,1,1\nw,7,10,5,\n")
    outcome = replicate("adjust", "--original", one, "--new", two, "--json", "--resamples", "100")
    assert outcome.code == 3
    reasons = {item["reason"] for item in outcome.json()["left_out"]["b.csv"]}
    assert reasons == {"selected_above_shown", "no_share", "too_few_votes"}
    assert "4 rows of b.csv were left out" in outcome.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,class_id,shown,selected\na,1,10,9\n", "how models did"),
        ("image_id,class_id,shown,correct\na,1,10,1\n", "no column 'selected'"),
        ("image_id,class_id,shown,selected,correct\na,1,1,1,1\nb,1,0,0,1\n", "fewer than two"),
        ("", "is empty"),
    ],
)
def test_a_wrong_table_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    good = _table(tmp_path / "a.csv", False, size=20)
    outcome = replicate("adjust", "--original", good, "--new", tmp_path / "bad.csv")
    assert outcome.code == 2 and message in outcome.err and "Traceback" not in outcome.err


def _votes(path: Path, hard: bool, own: bool, size: int = 300) -> list[Path]:
    """Single votes of forty workers; with correctness in every row, or in a table of images."""
    rng = np.random.default_rng(5 + hard)
    s = rng.beta(2.0 if hard else 4.0, 1.0, size)
    right = (rng.random(size) < 0.2 + 0.7 * s).astype(int)
    rows = [
        (f"i{i}", "7", f"w{w}", str(int(rng.random() < s[i])), str(right[i]))
        for i in range(size)
        for w in rng.permutation(40)[:8]
    ]
    if own:
        head, tables = ("image_id", "class_id", "worker_id", "selected", "correct"), [rows]
        path.write_text("\n".join(",".join(row) for row in (head, *rows)))
        return [path]
    votes = path.with_name(f"votes-{path.name}")
    votes.write_text("\n".join(["image_id,class_id,worker,vote", *(",".join(r[:4]) for r in rows)]))
    tables = [f"i{i},7,{right[i]}" for i in range(size)]
    path.write_text("\n".join(["image_id,class_id,correct", *tables]))
    return [path, votes]


def test_single_votes_give_intervals_over_workers(tmp_path: Path) -> None:
    one = _votes(tmp_path / "a.csv", False, own=True)
    two = _votes(tmp_path / "b.csv", True, own=False)
    command = ["adjust", "--original", *one, "--new", two[0], "--votes-new", two[1]]
    figure = tmp_path / "gap.svg"
    outcome = replicate(*command, "--figure", figure, "--resamples", "100", "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.json()
    assert found["workers"] == 40 and found["n"] == {"original": 300, "new": 300}
    assert [at["votes"] for at in found["by_votes"]] == [2, 3, 5, 7, 8]
    assert found["by_votes"][-1]["estimators"]["naive"]["gap"] == pytest.approx(
        found["estimators"]["naive"]["gap"]
    )
    svg = figure.read_text()
    assert svg.startswith("<svg role=") and "1/8" in svg and "mixture" in svg
    text = replicate(*command, "--resamples", "100")
    assert "over 40 workers" in text.out
    assert replicate(*command, "--figure", tmp_path / "gap.png").code == 2


def test_images_without_partner_in_the_other_table_are_named(tmp_path: Path) -> None:
    one, two = (_votes(tmp_path / f"{n}.csv", n == "b", own=False) for n in ("a", "b"))
    with two[0].open("a") as handle:
        handle.write("\nlonely,7,1\n")
    with two[1].open("a") as handle:
        handle.write("\nunknown,7,w1,1\ni0,7,w99,maybe\n")
    outcome = replicate(
        "adjust", "--original", one[0], "--votes-original", one[1], "--new", two[0],
        "--votes-new", two[1], "--resamples", "100", "--json",
    )  # fmt: skip
    assert outcome.code == 3, outcome.err
    reasons = {item["reason"] for item in outcome.json()["left_out"]["b.csv"]}
    assert reasons == {"no_votes", "unknown_image", "unknown_vote"}


def test_what_small_sets_cannot_tell_is_said_everywhere_alike(tmp_path: Path) -> None:
    small = [_table(tmp_path / f"{n}.csv", n == "b", n=3, size=12, models=1) for n in ("a", "b")]
    command = ["adjust", "--original", small[0], "--new", small[1], "--resamples", "100"]
    outcome = replicate(*command, "--json")
    found = outcome.json()
    assert outcome.code == 0 and found["recommended"] is None
    codes = [item["code"] for item in found["warnings"]]
    assert codes[0] == "none_recommended" and {"few_images", "few_votes"} <= set(codes)
    assert found["models"]["m0"]["warnings"] == found["warnings"]
    for gap in found["estimators"].values():
        assert -1 <= gap["ci"][0] <= gap["gap"] <= gap["ci"][1] <= 1
    text = replicate(*command).out
    assert "m0: raw" in text and "cannot be told" in text and "(recommended)" not in text
    for item in found["warnings"]:
        assert text.count(item["message"]) == 1 and outcome.err.count(item["message"]) == 1


def test_large_sets_need_no_warning(tmp_path: Path) -> None:
    large = [_table(tmp_path / f"{n}.csv", n == "b") for n in ("a", "b")]
    command = ["adjust", "--original", large[0], "--new", large[1], "--resamples", "100"]
    outcome = replicate(*command, "--json")
    assert outcome.code == 0 and outcome.json()["warnings"] == [] and "Warning" not in outcome.err
    assert "Warning" not in replicate(*command).out
