"""Sets are those of plain loops, never more than there is, and the same in any order."""

import os
import random
import subprocess
import sys
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling.oracle import Row, bin_of, matched

from replicate.base.errors import UsageError
from replicate.sampling.feasibility import InfeasibleSample
from replicate.sampling.frequencies import frequencies
from replicate.sampling.request import Request, Sample
from replicate.sampling.strata import stratum_labels
from replicate.sampling.strategies import draw, plan

EDGES = [Fraction(i, 10) for i in (2, 4, 6, 8)]
CLASSES = ["0", "1"]


@st.composite
def tables(draw_value: Any, prefix: str, most: int) -> list[Row]:
    """Rows with counts, each image of one class."""
    n = draw_value(st.integers(0, most))
    rows = []
    for i in range(n):
        shown = draw_value(st.integers(0, 8))
        selected = draw_value(st.integers(0, shown))
        rows.append((f"{prefix}{i}", draw_value(st.sampled_from(CLASSES)), selected, shown))
    return rows


def images(sample: Sample, class_id: str) -> list[str]:
    return [chosen.image_id for chosen in sample.chosen if chosen.class_id == class_id]


@settings(max_examples=150, deadline=None)
@given(
    pool=tables("p", 40),
    original=tables("o", 25),
    per_class=st.integers(1, 8),
    min_votes=st.integers(1, 4),
    fill=st.booleans(),
    seed=st.integers(0, 9),
)
def test_matched_frequency_is_that_of_plain_loops(
    pool: list[Row],
    original: list[Row],
    per_class: int,
    min_votes: int,
    fill: bool,
    seed: int,
) -> None:
    request = Request(
        "m",
        "matched-frequency",
        per_class,
        seed,
        min_votes=min_votes,
        min_original_images=3,
        fill=fill,
    )
    found = plan(request, frequencies(pool), frequencies(original), CLASSES)
    labels = stratum_labels()
    all_there = True
    for class_id in CLASSES:
        annotated = [row for row in original if row[1] == class_id and row[3] >= min_votes]
        needs = [need for need in found.needs if need.class_id == class_id]
        if len(annotated) < 3:
            assert [need.stratum for need in needs] == ["original images"]
            assert needs[0].missing == 3 - len(annotated)
            all_there = False
            continue
        expected = matched(pool, original, class_id, per_class, min_votes, EDGES, fill, seed, "m")
        missing = sum(need.missing for need in needs)
        assert (expected is None) == (missing > 0)
        assert sum(need.wanted for need in needs) == per_class
        for need in needs:
            assert need.wanted == min(need.wanted, need.there) + need.filled + need.missing
            assert fill or need.filled == 0
        if expected is not None:
            mine = [
                (chosen.image_id, labels.index(chosen.stratum), chosen.filled)
                for chosen in found.chosen
                if chosen.class_id == class_id
            ]
            assert sorted(mine) == expected
        all_there = all_there and expected is not None
    assert found.feasible == all_there


@settings(max_examples=60, deadline=None)
@given(
    pool=tables("p", 30),
    strategy=st.sampled_from(["threshold", "top", "uniform"]),
    per_class=st.integers(1, 12),
    order=st.randoms(use_true_random=False),
)
def test_sets_hold_only_eligible_images_and_order_changes_nothing(
    pool: list[Row], strategy: str, per_class: int, order: random.Random
) -> None:
    threshold = 0.5 if strategy == "threshold" else None
    request = Request("s", strategy, per_class, 1, min_votes=3, threshold=threshold)
    none = frequencies([])
    found = plan(request, frequencies(pool), none, CLASSES)
    counts = {row[0]: row for row in pool}
    for class_id in CLASSES:
        there = [row for row in pool if row[1] == class_id and row[3] >= 3]
        if strategy == "threshold":
            there = [row for row in there if 2 * row[2] >= row[3]]
        drawn = images(found, class_id)
        assert len(drawn) == len(set(drawn)) == min(per_class, len(there))
        assert set(drawn) <= {row[0] for row in there}
        if strategy == "top" and drawn:
            worst = min(Fraction(counts[i][2], counts[i][3]) for i in drawn)
            left = [Fraction(row[2], row[3]) for row in there if row[0] not in drawn]
            assert all(value <= worst for value in left)
    for chosen in found.chosen:
        _, class_id, selected, shown = counts[chosen.image_id]
        assert chosen.class_id == class_id
        assert chosen.stratum == stratum_labels()[bin_of(selected, shown, EDGES)]
    shuffled = list(pool)
    order.shuffle(shuffled)
    assert plan(request, frequencies(shuffled), none, CLASSES[::-1]) == found


def test_top_breaks_ties_by_votes_then_id() -> None:
    pool = frequencies([("c", "0", 4, 4), ("b", "0", 8, 8), ("a", "0", 4, 4), ("d", "0", 7, 8)])
    request = Request("t", "top", 2, 1, min_votes=1)
    assert images(draw(request, pool, pool, ["0"]), "0") == ["a", "b"]


def test_threshold_takes_the_edge_itself_and_overrides_by_class() -> None:
    pool = frequencies(
        [("a", "0", 7, 10), ("b", "0", 69, 100), ("c", "1", 7, 10), ("d", "1", 9, 10)]
    )
    request = Request("t", "threshold", 1, 1, threshold=0.7, overrides={"1": 0.8})
    found = draw(request, pool, pool, ["0", "1"])
    assert (images(found, "0"), images(found, "1")) == (["a"], ["d"])


def test_seed_and_name_change_random_draws_and_nothing_else_does() -> None:
    pool = frequencies([(f"p{i:03}", "0", 5, 5) for i in range(100)])

    def drawn(name: str, seed: int, per_class: int = 10) -> list[str]:
        request = Request(name, "uniform", per_class, seed, min_votes=1)
        return images(draw(request, pool, pool, ["0"]), "0")

    assert drawn("u", 1) == drawn("u", 1)
    assert drawn("u", 1) != drawn("u", 2)
    assert drawn("u", 1) != drawn("v", 1)
    assert set(drawn("u", 1)) < set(drawn("u", 1, per_class=20))


def test_a_uniform_draw_is_uniform() -> None:
    pool = frequencies([(f"p{i}", "0", i, 9) for i in range(10)])
    counts = {f"p{i}": 0 for i in range(10)}
    for seed in range(600):
        for image in images(draw(Request("u", "uniform", 3, seed, 1), pool, pool, ["0"]), "0"):
            counts[image] += 1
    assert all(130 < count < 230 for count in counts.values())  # 180 ± 4.5 standard deviations


def test_excluded_images_are_never_drawn_and_counted_by_reason() -> None:
    pool = frequencies([("a", "0", 5, 5), ("b", "0", 5, 5), ("c", "0", 1, 1)])
    request = Request("t", "uniform", 1, 1, min_votes=2)
    found = draw(request, pool, pool, ["0"], excluded={("a", "0"): "flagged"})
    assert images(found, "0") == ["b"]
    assert found.reasons == {"flagged": 1, "too_few_votes": 1}


def test_an_infeasible_set_names_class_stratum_and_number() -> None:
    pool = frequencies([("a", "3", 5, 5)])
    with pytest.raises(InfeasibleSample) as caught:
        draw(Request("best", "top", 4, 1, min_votes=1), pool, pool, ["3", "4"])
    message = caught.value.message
    assert "best" in message
    assert "class 3, stratum all: 4 wanted, 1 there, 3 missing" in message
    assert "class 4, stratum all: 4 wanted, 0 there, 4 missing" in message
    assert "3, 4" in caught.value.hint
    assert caught.value.exit_code == 4


def test_too_few_annotated_originals_have_their_own_advice() -> None:
    pool = frequencies([("a", "3", 5, 5)])
    with pytest.raises(InfeasibleSample, match="original images: 20 wanted, 1 there") as caught:
        draw(Request("m", "matched-frequency", 1, 1, min_votes=1), pool, pool, ["3"])
    assert "original images" in caught.value.hint


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strategy": "best"}, "no sampling strategy 'best'"),
        ({"strategy": "threshold"}, "needs a threshold"),
        ({"strategy": "top", "threshold": 0.5}, "means nothing"),
        ({"strategy": "top", "per_class": 0}, "0 images a class"),
        ({"strategy": "top", "edges": (0.5, 0.2)}, "cannot be used"),
    ],
)
def test_bad_requests_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Request(**({"name": "t", "per_class": 1, "seed": 1} | values))


SCRIPT = """
from replicate.sampling.frequencies import frequencies
from replicate.sampling.holdout import ballots, split_votes
from replicate.sampling.request import Request
from replicate.sampling.strategies import draw
votes = {
    (f"p{i % 60}", str(i % 60 % 3), f"w{i // 60}", (i * 7 + i // 60) % 3 > 0) for i in range(480)
}
rest, kept = split_votes(ballots(votes), 2, 5)
for strategy in ("matched-frequency", "top", "uniform"):
    request = Request("t", strategy, 3, 5, min_votes=3, min_original_images=5, fill=True)
    print(draw(request, rest, rest, {"0", "1", "2"}).chosen)
print(kept.selected.tolist())
"""


def test_the_hash_seed_changes_nothing() -> None:
    outputs = set()
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={
                **os.environ,
                "PYTHONHASHSEED": hash_seed,
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert outputs.pop().count("Chosen") == 27
