"""Images that stand in: by plain loops, marked, and never one that must not be in a set."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.base.randomness import uniform
from replicate.sampling.feasibility import InfeasibleSample
from replicate.sampling.frequencies import frequencies
from replicate.sampling.request import Request
from replicate.sampling.strategies import draw, plan

Row = tuple[str, str, int, int]
CLASSES = ["0", "1"]


@st.composite
def tables(draw_value: Any) -> list[Row]:
    """Counts of images that may be there for both classes."""
    rows: list[Row] = []
    for i in range(draw_value(st.integers(0, 16))):
        for class_id in draw_value(st.sampled_from([["0"], ["1"], ["0", "1"]])):
            shown = draw_value(st.integers(0, 6))
            rows.append((f"p{i:02}", class_id, draw_value(st.integers(0, shown)), shown))
    return rows


def _oracle(
    pool: list[Row], strategy: str, per_class: int, excluded: set[tuple[str, str]]
) -> set[tuple[str, str, bool]]:
    """What each class takes, image by image."""
    open_rows = [row for row in pool if row[:2] not in excluded]

    def once(rows: list[Row]) -> list[Row]:
        best: dict[str, Row] = {}
        for row in sorted(rows, key=lambda r: (-Fraction(r[2], r[3]), -r[3], r[1])):
            best.setdefault(row[0], row)
        return list(best.values())

    eligible = once([row for row in open_rows if row[3] >= 3])
    taken = {row[0] for row in eligible}
    spare = once([row for row in open_rows if 0 < row[3] < 3 and row[0] not in taken])
    drawn = set()
    for class_id in CLASSES:
        mine = [row for row in eligible if row[1] == class_id]
        few = [row for row in spare if row[1] == class_id]

        def chance(row: Row, of: str = class_id) -> float:
            return uniform(1, "sample", "s", of, row[0])

        def best(row: Row) -> tuple[Fraction, int, str]:
            return -Fraction(row[2], row[3]), -row[3], row[0]

        good = [row for row in mine if strategy != "threshold" or 2 * row[2] >= row[3]]
        below = [row for row in mine if row not in good]
        good.sort(key=best if strategy == "top" else chance)
        below.sort(key=best)
        few.sort(key=chance if strategy == "uniform" else best)
        few.sort(key=lambda row: -row[3])
        queue = [(row[0], class_id, False) for row in good]
        queue = queue[:per_class]
        filling = [(row[0], class_id, True) for row in below + few]
        drawn |= {*queue, *filling[: max(0, per_class - len(good))]}
    return drawn


@settings(max_examples=120, deadline=None)
@given(
    tables(),
    st.sampled_from(["threshold", "top", "uniform"]),
    st.integers(1, 8),
    st.sets(st.integers(0, 20), max_size=3),
)
def test_short_classes_are_filled_as_plain_loops_do(
    pool: list[Row], strategy: str, per_class: int, out: set[int]
) -> None:
    excluded = {row[:2]: "review_ambiguous" for i, row in enumerate(pool) if i in out}
    threshold = 0.5 if strategy == "threshold" else None
    request = Request("s", strategy, per_class, 1, min_votes=3, threshold=threshold, fill=True)
    found = plan(request, frequencies(pool), frequencies([]), CLASSES, excluded)
    mine = {(item.image_id, item.class_id, item.filled) for item in found.chosen}
    assert mine == _oracle(pool, strategy, per_class, set(excluded))
    images = [item.image_id for item in found.chosen]
    assert len(images) == len(set(images))
    for need in found.needs:
        assert need.wanted == min(need.there, need.wanted) + need.filled + need.missing
        assert need.filled == sum(c.filled for c in found.chosen if c.class_id == need.class_id)


def test_without_filling_it_stops_and_says_that_it_could() -> None:
    pool = frequencies([("a", "0", 3, 3), ("b", "0", 1, 2), ("c", "0", 1, 1), ("d", "0", 0, 0)])
    request = Request("s", "top", 3, 1, min_votes=3)
    with pytest.raises(InfeasibleSample, match="3 wanted, 1 there, 2 missing") as caught:
        draw(request, pool, pool, ["0"])
    assert "fill = true" in caught.value.hint
    lacking = caught.value.details["lacking"]
    assert [(row["set"], row["class_id"], row["missing"]) for row in lacking] == [("s", "0", 2)]
    filled = draw(Request("s", "top", 3, 1, min_votes=3, fill=True), pool, pool, ["0"])
    assert [c.image_id for c in filled.chosen if c.filled] == ["b", "c"]
    with pytest.raises(InfeasibleSample, match="4 wanted, 1 there, 1 missing") as caught:
        draw(Request("s", "top", 4, 1, min_votes=3, fill=True), pool, pool, ["0"])
    assert "fill" not in caught.value.hint


def test_matched_estimated_takes_all_that_is_there_and_then_what_was_seen_most() -> None:
    original = frequencies([(f"o{i}", "0", i % 5, 4) for i in range(10)])
    rows = [(f"p{i}", "0", i % 5, 4) for i in range(5)]
    rows += [("q1", "0", 0, 2), ("q2", "0", 1, 2), ("q3", "0", 1, 1)]
    request = Request("s", "matched-estimated", 7, 1, 4, min_original_images=5, fill=True)
    found = draw(request, frequencies(rows), original, ["0"])
    assert {c.image_id for c in found.chosen if not c.filled} == {f"p{i}" for i in range(5)}
    assert {c.image_id for c in found.chosen if c.filled} == {"q1", "q2"}
