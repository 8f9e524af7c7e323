"""Tables that nobody should make, given to `freq`, `sample table` and `adjust`."""

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = "image_id,class_id,shown,selected,correct,keyword\n"
STRATEGIES = {
    "matched-frequency": (),
    "matched-estimated": (),
    "threshold": ("--threshold", "0"),
    "top": (),
    "uniform": (),
    "quota": ("--keywords", "2"),
}
TIED = {  # every image alike
    "no votes": (0, 0),
    "one vote": (1, 1),
    "all selected": (12, 12),
    "none selected": (12, 0),
    "ties": (12, 6),
}
BAD_ROWS = {
    "missing_value": "x,0,nan,3,1,w0\nx2,0,,3,1,w0\nx3,,12,3,1,w0\n",
    "not_whole": "x,0,abc,3,1,w0\nx2,0,2.5,1,1,w0\nx3,0,inf,1,1,w0\nx4,0,12,1e400,1,w0\n",
    "negative": "x,0,12,-3,1,w0\n",
    "selected_above_shown": "x,0,3,12,1,w0\n",
    "duplicate": "p3,1,12,3,1,w0\n",
    "too_many_votes": "x,0,9007199254740000,5,1,w0\n",
}
BROKEN = {  # no table at all, or nothing in it
    "nothing": (b"", "is empty"),
    "no row": (HEAD.encode(), "no rows"),
    "other columns": (b"a,b\n1,2\n", "has no column"),
    "bytes": (bytes(range(256)), "cannot be read"),
    "longer rows": (HEAD.encode() + b"a,0,3,2,1,w,1,1\n", "line 2"),
    "a quote that is not closed": (HEAD.encode() + b'"a,0,3,2,1,w\n', "cannot be read"),
}


def _rows(prefix: str, n: int, votes: Callable[[int], tuple[int, int]], classes: int = 2) -> str:
    return "".join(
        f"{prefix}{i},{i % classes},{votes(i)[0]},{votes(i)[1]},{i % 3 % 2},w{i % 3}\n"
        for i in range(n)
    )


def _spread(i: int) -> tuple[int, int]:
    return 12, i * 7 % 13


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(HEAD + _rows("o", 200, _spread))
    return path


def _draw(run, original: Path, pool: Path, strategy: str, *more: object):
    output = pool.parent / "set.csv"
    output.unlink(missing_ok=True)
    found = run(
        "sample", "table", "--original", original, "--pool", pool, "--strategy", strategy,
        "--per-class", 5, "--seed", 1, "--output", output, *STRATEGIES[strategy], *more,
    )  # fmt: skip
    assert output.exists() == (found[0] in (0, 3)), "written, whole, if and only if it was drawn"
    return found


def _adjust(run, original: Path, new: Path):
    return run("adjust", "--original", original, "--new", new, "--resamples", 100)


@pytest.mark.parametrize("what", TIED)
def test_every_image_alike(run, good: Path, what: str) -> None:
    shown, selected = TIED[what]
    table = good.parent / "tied.csv"
    table.write_text(HEAD + _rows("p", 100, lambda _: (shown, selected)))
    code, found, _ = run("freq", table, "--summary")
    share = None if not shown else selected / shown
    assert code == 0 and found["mean"] == share
    for strategy in STRATEGIES:
        code, found, err = _draw(run, good, table, strategy)
        possible = shown == 12 and strategy != "matched-frequency"
        assert code == (0 if possible else 4), (strategy, err)
        if possible:
            assert found["per_class"] == {"0": 5, "1": 5}
        else:
            assert "Too few images" in err and "Next:" in err
    for sides in ((good, table), (table, good), (table, table)):
        code, found, err = _adjust(run, *sides)
        assert code == (0 if shown == 12 else 2), err
        assert shown == 12 or "collect some first" in err


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_a_bad_row_is_left_out_and_named(run, good: Path, reason: str) -> None:
    table = good.parent / "bad.csv"
    table.write_text(HEAD + _rows("p", 200, _spread) + BAD_ROWS[reason])
    bad = BAD_ROWS[reason].count("\n") + (reason == "duplicate")
    code, found, err = run("freq", table, "--summary")
    assert code == 3 and found["left_out"] == {reason: bad} and "Left out: row" in err
    for strategy in STRATEGIES:
        code, found, err = _draw(run, good, table, strategy)
        assert code == 3 and found["left_out"] == {reason: bad}, err
        assert found["n"] == 10
    code, found, err = _adjust(run, good, table)
    assert code == 3 and {row["reason"] for row in found["left_out"]["bad.csv"]} == {reason}, err


@pytest.mark.parametrize("what", BROKEN)
def test_no_table_at_all(run, good: Path, what: str) -> None:
    content, message = BROKEN[what]
    table = good.parent / "broken.csv"
    table.write_bytes(content)
    answers = [run("freq", table), _adjust(run, good, table), _adjust(run, table, good)]
    answers += [_draw(run, good, table, name) for name in STRATEGIES]
    answers += [_draw(run, table, good, name) for name in STRATEGIES]
    for code, _, err in answers:
        assert code == 2 and message in err, err


def test_a_class_that_is_empty_or_that_the_original_lacks(run, good: Path) -> None:
    table = good.parent / "classes.csv"
    unseen = "".join(f"e{i},E,0,0,1,w0\n" for i in range(20))
    table.write_text(HEAD + _rows("p", 200, _spread) + unseen)
    for strategy in STRATEGIES:
        code, _, err = _draw(run, good, table, strategy)
        assert code == (2 if strategy == "quota" else 4) and "class E" in err, err
    assert run("freq", table, "--summary")[0] == 0
    code, found, err = _adjust(run, good, table)
    assert code == 3 and {row["reason"] for row in found["left_out"][table.name]} == {
        "too_few_votes"
    }, err


def test_correctness_that_is_no_share(run, good: Path) -> None:
    table = good.parent / "wrong.csv"
    wrong = "x,0,12,3,nan,w\nx2,0,12,3,right,w\nx3,0,12,3,1.5,w\nx4,0,12,3,-1,w\nx5,0,12,3,,w\n"
    table.write_text(HEAD + _rows("p", 200, _spread) + wrong)
    code, found, err = _adjust(run, good, table)
    assert code == 3 and len(found["left_out"][table.name]) == 5, err
    table.write_text(HEAD + wrong)
    assert _adjust(run, good, table)[0] == 2


def test_single_votes_on_unknown_images(run, good: Path) -> None:
    votes = good.parent / "votes.csv"
    cast = "".join(f"o{i},{i % 2},w{w},{int(w < i % 8)}\n" for i in range(1, 200) for w in range(7))
    votes.write_text("image_id,class_id,worker_id,selected\n" + cast + "stranger,0,w1,1\n")
    code, found, err = run(
        "adjust", "--original", good, "--new", good, "--votes-new", votes, "--resamples", 100
    )
    assert code == 3, err
    assert [(row["reason"], row["row"]) for row in found["left_out"][good.name]] == [
        ("no_votes", 1),
        ("unknown_image", 0),
    ]


def test_a_hundred_thousand_images_in_one_class(run, good: Path) -> None:
    table = good.parent / "large.csv"
    table.write_text(HEAD + _rows("p", 100_000, lambda i: (10, i % 11), classes=1))
    assert run("freq", table, "--summary")[1]["n_images"] == 100_000
    for strategy in ("matched-estimated", "top"):
        code, found, err = _draw(run, table, table, strategy, "--min-votes", 5)
        assert code == 0 and found["n"] == 5, err
    code, found, err = _adjust(run, good, table)
    assert code == 0 and found["n"] == {"original": 200, "new": 100_000}, err


def test_covariates_that_are_no_numbers(run, good: Path) -> None:
    table = good.parent / "years.csv"
    table.write_text(HEAD + _rows("p", 200, _spread))
    code, found, err = _draw(run, good, table, "matched-estimated", "--covariates", "correct")
    assert code == 0 and [item["name"] for item in found["covariates"]] == ["correct"], err
    for names, message in (
        ("keyword", "No original image"),
        ("year", "has no column 'year'"),
        ("correct,correct", "one twice"),
        (",", "no column"),
    ):
        code, _, err = _draw(run, good, table, "matched-estimated", "--covariates", names)
        assert code == 2 and message in err, err
    assert _draw(run, good, table, "top", "--covariates", "correct")[0] == 2
