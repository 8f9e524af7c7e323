from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.crowd.composition import Numbers, compose, shared_images

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


def _shown(plan, *roles):
    return [slot.image_id for slot in plan.slots if slot.role in roles]


@st.composite
def _studies(draw):
    """A class's material and the numbers of its pages, with enough controls for one page."""
    numbers = Numbers(
        candidates=draw(st.integers(1, 12)),
        positive=draw(st.integers(0, 4)),
        negative=draw(st.integers(0, 4)),
        originals=draw(st.integers(0, 6)),
        repeats=draw(st.integers(0, 4)),
        padding=draw(st.booleans()),
    )
    material = (
        [f"c{i}" for i in range(draw(st.integers(0, 60)))],
        [f"p{i}" for i in range(draw(st.integers(numbers.positive, 25)))],
        [f"n{i}" for i in range(draw(st.integers(numbers.negative, 25)))],
    )
    return numbers, material, draw(st.integers(0, 2**31))


@given(_studies(), st.randoms(use_true_random=False))
def test_pages_keep_their_numbers_whatever_order_the_material_comes_in(given_study, shuffler):
    numbers, material, seed = given_study
    candidates, originals, negatives = material
    plans = compose("k", *material, seed=seed, numbers=numbers)
    mixed = [shuffler.sample(ids, len(ids)) for ids in material]
    assert compose("k", *mixed, seed=seed, numbers=numbers) == plans

    assert len(plans) == -(-len(candidates) // numbers.candidates)
    assert sorted(i for plan in plans for i in _shown(plan, "candidate")) == sorted(candidates)
    for plan in plans:
        once = [slot.image_id for slot in plan.slots if slot.role != "repeat"]
        assert len(set(once)) == len(once)
        assert [s.slot_id for s in plan.slots] == [
            f"i{i:02d}" for i in range(1, len(plan.slots) + 1)
        ]
        assert len(once) <= numbers.page - numbers.repeats
        judged = _shown(plan, "candidate", "original")
        repeated = _shown(plan, "repeat")
        assert len(set(repeated)) == len(repeated) == min(numbers.repeats, len(judged))
        assert set(repeated) <= set(judged)
        assert len(_shown(plan, "original")) <= numbers.originals
        short = len(once) < numbers.page - numbers.repeats
        padded = numbers.padding and numbers.positive + numbers.negative > 0
        for role in ("positive", "negative"):
            wanted = getattr(numbers, role)
            assert len(_shown(plan, role)) == wanted or (
                padded and len(_shown(plan, role)) > wanted
            )
        if padded and short:  # only because everything else stands on a page already
            everything = {slot.image_id for each in plans for slot in each.slots}
            assert everything >= {*originals, *negatives}


@given(_studies())
def test_an_image_stands_on_two_pages_only_when_it_must(given_study):
    numbers, (candidates, originals, negatives), seed = given_study
    plans = compose("k", candidates, originals, negatives, seed=seed, numbers=numbers)
    uses = Counter(image for plan in plans for image in {slot.image_id for slot in plan.slots})
    shared = shared_images(plan.slots for plan in plans)
    assert shared == {image for image, count in uses.items() if count > 1}
    for ids, each in ((originals, numbers.positive), (negatives, numbers.negative)):
        # Controls alone may come again, and only when the pages need more than there are.
        assert not shared & set(ids) or each * len(plans) > len(ids)
        counts = [uses[image] for image in ids]
        assert not counts or max(counts) - min(counts) <= 1
    assert not shared & set(candidates)
    mixed = [len(_shown(plan, "original")) for plan in plans]
    assert not mixed or max(mixed) - min(mixed) <= 1  # every page's workers judge originals


@given(_studies(), _studies())
def test_later_pages_take_what_earlier_pages_did_not(first, second):
    numbers, (candidates, originals, negatives), seed = first
    plans = compose("k", candidates, originals, negatives, seed=seed, numbers=numbers)
    used = Counter(image for plan in plans for image in {slot.image_id for slot in plan.slots})
    more = [f"later {name}" for name in second[1][0]]
    later = compose(
        "k",
        more,
        originals,
        negatives,
        seed=seed,
        numbers=numbers,
        first_number=len(plans),
        used=used,
    )
    assert [plan.number for plan in later] == [len(plans) + i for i in range(len(later))]
    total = used + Counter(i for plan in later for i in {slot.image_id for slot in plan.slots})
    for ids in (originals, negatives):
        counts = [total[image] for image in ids]
        assert not counts or max(counts) - min(counts) <= 1
    for plan in later:
        assert not set(_shown(plan, "original")) & used.keys()


def test_originals_with_too_few_votes_are_judged_again_as_originals():
    plans = compose(
        "k",
        CANDIDATES[:3],
        POSITIVES,
        NEGATIVES,
        seed=1,
        numbers=Numbers(2, 1, 1),
        again=POSITIVES[:3],
    )
    assert sorted(i for plan in plans for i in _shown(plan, "original")) == POSITIVES[:3]
    assert [len(_shown(plan, "candidate", "original")) for plan in plans] == [2, 2, 2]
    assert not set(POSITIVES[:3]) & {i for plan in plans for i in _shown(plan, "positive")}


def test_repeats_stand_anywhere_on_the_page():
    places, repeated = Counter(), Counter()
    for seed in range(120):
        (plan,) = _pages(seed=seed, candidates=CANDIDATES[:42], numbers=Numbers(42, 3, 3, 10, 6))
        places.update(s.slot_id for s in plan.slots if s.role == "repeat")
        roles = {s.image_id: s.role for s in plan.slots if s.role != "repeat"}
        repeated.update(roles[s.image_id] for s in plan.slots if s.role == "repeat")
    # 720 repeats over 64 places, 11.25 each; 10 of the 52 judged images are originals: 138 of
    # 720; both ± 4.5 standard deviations
    assert len(places) == 64
    assert max(places.values()) <= 26
    assert 91 <= repeated["original"] <= 186


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
    used = {slot.image_id: 1 for slot in first.slots}
    later = _pages(first_number=4, used=used)[0]
    controls = [{s.image_id for s in p.slots if s.role == "positive"} for p in (first, later)]
    assert later.number == 4
    assert not controls[0] & controls[1]
