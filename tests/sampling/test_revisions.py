"""Later revisions: nothing leaves without a reason, and a class that nothing happened to stays."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.sampling.frequencies import frequencies
from replicate.sampling.request import Request
from replicate.sampling.revisions import Previous, class_sources, revise
from replicate.sampling.strategies import plan

CLASSES = ["0", "1", "2"]
STRATEGIES = ("matched-frequency", "matched-estimated", "threshold", "top", "uniform")


@st.composite
def counts(draw: Any, prefix: str) -> list[tuple[str, str, int, int]]:
    rows = []
    for i in range(45):
        shown = draw(st.integers(5, 8))
        rows.append((f"{prefix}{i:02}", CLASSES[i % 3], draw(st.integers(0, shown)), shown))
    return rows


def request(strategy: str) -> Request:
    return Request(
        "s",
        strategy,
        4,
        seed=1,
        min_votes=5,
        min_original_images=3,
        fill=strategy == "matched-frequency",
        threshold=0.2 if strategy == "threshold" else None,
    )


@settings(max_examples=40, deadline=None)
@given(
    counts("p"),
    counts("o"),
    st.sampled_from(STRATEGIES),
    st.sets(st.integers(0, 44), max_size=6),
    st.sets(st.integers(0, 44), max_size=2),
)
def test_what_may_stay_stays(pool, original, strategy, out, voted):
    asked, old, first_pool = request(strategy), frequencies(original), frequencies(pool)
    first = plan(asked, first_pool, old, CLASSES)
    sources = class_sources(asked, first_pool, old, CLASSES)
    later = [
        (image, cls, selected, shown + 1) if i in voted else (image, cls, selected, shown)
        for i, (image, cls, selected, shown) in enumerate(pool)
    ]
    excluded = {(pool[i][0], pool[i][1]): "review_wrong_class" for i in out}
    second_pool = frequencies(later)
    before = Previous(first.chosen, sources)
    found = revise(asked, second_pool, old, CLASSES, before, excluded)
    images = [item.image_id for item in found.sample.chosen]
    assert len(images) == len(set(images))
    assert not {(item.image_id, item.class_id) for item in found.sample.chosen} & excluded.keys()
    was = {item.image_id for item in first.chosen}
    assert found.kept == len(was & set(images))
    assert {image for image, _ in found.dropped} == was - set(images)
    gone = {pair[0] for pair in excluded}
    changed = {pool[i][1] for i in voted} | {c.class_id for c in first.chosen if c.image_id in gone}
    for cls in CLASSES:
        mine = [item for item in found.sample.chosen if item.class_id == cls]
        needs = [need for need in found.sample.needs if need.class_id == cls]
        if not any(need.missing for need in needs):
            assert len(mine) == 4
        if cls not in changed:  # nothing happened to it
            assert mine == [item for item in first.chosen if item.class_id == cls]
            assert cls in found.unchanged
    for pair, reason in found.dropped.items():
        assert reason == excluded.get(pair, "gave_way")


@settings(max_examples=25, deadline=None)
@given(counts("p"), st.integers(0, 10_000))
def test_a_uniform_set_loses_only_what_had_to_go(pool, which):
    asked, none = request("uniform"), frequencies([])
    first = plan(asked, frequencies(pool), none, CLASSES)
    lost = first.chosen[which % len(first.chosen)]
    more = [(f"a{i}", CLASSES[i % 3], 3, 6) for i in range(30)]  # candidates that came later
    found = revise(
        asked,
        frequencies(pool + more),
        none,
        CLASSES,
        Previous(first.chosen, {}),
        {(lost.image_id, lost.class_id): "taken_down"},
    )
    assert found.dropped == {(lost.image_id, lost.class_id): "taken_down"}
    assert found.kept == len(first.chosen) - 1 and len(found.sample.chosen) == len(first.chosen)


def test_of_equal_images_the_top_keeps_those_it_had():
    pool = frequencies([(name, "0", 5, 5) for name in "abcd"])
    asked = Request("t", "top", 2, seed=1, min_votes=1)
    chosen = plan(asked, pool, pool, ["0"], previous={("d", "0"), ("c", "0")}).chosen
    assert [item.image_id for item in chosen] == ["c", "d"]
    better = frequencies([*((name, "0", 5, 5) for name in "abcd"), ("e", "0", 9, 9)])
    chosen = plan(asked, better, pool, ["0"], previous={("d", "0"), ("c", "0")}).chosen
    assert [item.image_id for item in chosen] == ["c", "e"]  # more votes come before membership


def test_an_image_that_left_the_pool_is_said():
    pool = frequencies([(name, "0", 5, 5) for name in "abc"])
    asked = Request("t", "uniform", 2, seed=1, min_votes=1)
    first = plan(asked, pool, pool, ["0"]).chosen
    gone = first[0].image_id
    found = revise(asked, pool.where(pool.image_id != gone), pool, ["0"], Previous(first, {}))
    assert found.dropped == {(gone, "0"): "not_in_pool"}
