from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.crowd.composition import Numbers, compose

CANDIDATES = [f"c{i:03d}" for i in range(100)]
POSITIVES = [f"p{i:02d}" for i in range(30)]
NEGATIVES = [f"n{i:02d}" for i in range(30)]


def _pages(seed=7, candidates=CANDIDATES, **more):
    return compose("3", candidates, POSITIVES, NEGATIVES, seed=seed, **more)


def _count(plan, role):
    return sum(slot.role == role for slot in plan.slots)


def test_the_papers_page_and_a_last_page_padded_half_and_half():
    first, second, last = _pages()
    for plan in (first, second):
        assert [_count(plan, r) for r in ("candidate", "positive", "negative")] == [42, 3, 3]
    assert [_count(last, r) for r in ("candidate", "positive", "negative")] == [16, 16, 16]
    assert [plan.number for plan in (first, second, last)] == [0, 1, 2]
    assert [slot.slot_id for slot in first.slots] == [f"i{i:02d}" for i in range(1, 49)]


def test_every_candidate_is_on_exactly_one_page():
    shown = [s.image_id for plan in _pages() for s in plan.slots if s.role == "candidate"]
    assert sorted(shown) == CANDIDATES


def test_input_order_and_repeats_change_nothing():
    forward = _pages()
    backward = compose(
        "3", CANDIDATES[::-1] + CANDIDATES[:5], POSITIVES[::-1], set(NEGATIVES), seed=7
    )
    assert forward == backward


def test_seed_and_terms_change_the_key():
    base = _pages()[0]
    assert _pages(seed=8)[0].key != base.key
    changed = _pages(terms={"reward": "0.20"})[0]
    assert changed.slots == base.slots
    assert changed.key != base.key
    assert len(base.key) == 64


def test_roles_cannot_be_told_from_places():
    places = Counter()
    for seed in range(60):
        for plan in _pages(seed=seed, candidates=CANDIDATES[:42]):
            places.update(s.slot_id for s in plan.slots if s.role != "candidate")
    # 360 controls over 48 places: 7.5 each; ±4 standard deviations
    assert len(places) == 48
    assert max(places.values()) <= 19


@given(
    n=st.integers(0, 130),
    positives=st.integers(3, 25),
    negatives=st.integers(3, 25),
    seed=st.integers(0, 2**31),
)
def test_pages_never_repeat_an_image_and_spread_controls_evenly(n, positives, negatives, seed):
    plans = compose(
        "k",
        [f"c{i}" for i in range(n)],
        [f"p{i}" for i in range(positives)],
        [f"n{i}" for i in range(negatives)],
        seed=seed,
        numbers=Numbers(20, 3, 3),
    )
    assert len(plans) == -(-n // 20)
    for plan in plans:
        images = [slot.image_id for slot in plan.slots]
        assert len(set(images)) == len(images)
        full = _count(plan, "candidate") + positives + negatives >= 26
        assert len(images) == (26 if full else _count(plan, "candidate") + positives + negatives)
    for role, pool in (("positive", positives), ("negative", negatives)):
        uses = Counter(s.image_id for p in plans for s in p.slots if s.role == role)
        counts = [*uses.values(), *[0] * (pool - len(uses))]
        assert max(counts) - min(counts) <= 1


def test_where_one_side_runs_out_the_other_fills_the_page():
    (plan,) = compose("k", ["c"], ["p1", "p2", "p3"], NEGATIVES, seed=1, numbers=Numbers(20, 3, 3))
    assert [_count(plan, r) for r in ("candidate", "positive", "negative")] == [1, 3, 22]


def test_a_control_that_is_also_a_candidate_is_not_shown_twice():
    (plan,) = compose("k", ["a", "b"], ["a", "p"], ["n"], seed=1, numbers=Numbers(2, 1, 1))
    assert sorted(s.image_id for s in plan.slots) == ["a", "b", "n", "p"]


def test_no_controls_asked_no_padding():
    plans = compose("k", CANDIDATES[:5], POSITIVES, NEGATIVES, seed=1, numbers=Numbers(4, 0, 0))
    assert [len(plan.slots) for plan in plans] == [4, 1]


def test_too_few_originals_are_named():
    with pytest.raises(UsageError, match="Class '3' has 2 original images for positive"):
        compose("3", CANDIDATES, POSITIVES[:2], NEGATIVES, seed=1)
    with pytest.raises(UsageError, match="both a positive and a negative"):
        compose("3", CANDIDATES, POSITIVES, POSITIVES, seed=1)


def test_later_pages_draw_other_controls():
    first = _pages()[0]
    later = _pages(first_number=4)[0]
    controls = [{s.image_id for s in p.slots if s.role == "positive"} for p in (first, later)]
    assert later.number == 4
    assert controls[0] != controls[1]
