import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.sampling.estimated import MOMENTS, TrueMatching, _whole
from replicate.sampling.feasibility import InfeasibleSample
from replicate.sampling.frequencies import Frequencies, frequencies
from replicate.sampling.request import Request
from replicate.sampling.strategies import draw

CLASSES = [str(number) for number in range(10)]


def planted(rng, n: int | list[int], hard: bool, size: int) -> tuple[Frequencies, dict[str, float]]:
    """Images of ten classes with votes, and their true frequencies by image."""
    s = rng.beta(2.2, 0.9, size * 10)
    s = s[rng.random(s.size) < ((1.25 - s) / 1.25 if hard else 0.25 + 0.75 * s)][:size]
    shown = rng.choice(np.atleast_1d(n), size)
    selected = rng.binomial(shown, s)
    kind = "p" if hard else "o"
    rows = [
        (f"{kind}{i}", CLASSES[i % 10], int(k), int(m))
        for i, (k, m) in enumerate(zip(selected, shown, strict=True))
    ]
    return frequencies(rows), {f"{kind}{i}": float(value) for i, value in enumerate(s)}


def request(strategy: str, per_class: int = 50, min_votes: int = 3) -> Request:
    return Request("set", strategy, per_class, seed=1, min_votes=min_votes)


@pytest.mark.parametrize("n", [5, 10, [10, 12, 15]])
def test_true_frequencies_are_matched_where_observed_ones_are_not_enough(n):
    errors = {"matched-estimated": [], "matched-frequency": []}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        original, true_original = planted(rng, n, False, 2000)
        pool, true_pool = planted(rng, n, True, 3000)
        for strategy, found in errors.items():
            chosen = draw(request(strategy), pool, original, CLASSES).chosen
            assert len(chosen) == 500 and len({item.image_id for item in chosen}) == 500
            new = np.mean([true_pool[item.image_id] for item in chosen])
            found.append(float(np.mean(list(true_original.values())) - new))
    ours = np.array(errors["matched-estimated"])
    assert abs(ours.mean()) < 0.01 and np.abs(ours).max() < 0.03
    assert np.mean(errors["matched-frequency"]) > 0.025


def test_spread_and_skewness_are_matched_too():
    rng = np.random.default_rng(4)
    original, true_original = planted(rng, 10, False, 4000)
    pool, true_pool = planted(rng, 10, True, 6000)
    chosen = draw(request("matched-estimated", 100), pool, original, CLASSES).chosen
    new = np.array([true_pool[item.image_id] for item in chosen])
    old = np.array(list(true_original.values()))
    for power in (2, 3):
        assert np.mean((1 - new) ** power) == pytest.approx(np.mean((1 - old) ** power), abs=0.02)


def test_the_order_of_rows_and_the_rest_of_the_seed_change_nothing():
    rng = np.random.default_rng(5)
    original, _ = planted(rng, 10, False, 500)
    pool, _ = planted(rng, 10, True, 900)
    rows = list(zip(pool.image_id, pool.class_id, pool.selected, pool.shown, strict=True))
    turned = frequencies((str(a), str(b), int(c), int(d)) for a, b, c, d in reversed(rows))
    wanted = request("matched-estimated", 20)
    one, two = (draw(wanted, each, original, CLASSES).chosen for each in (pool, turned))
    assert one == two


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 9), st.integers(0, 6)), min_size=1, max_size=12), st.data())
def test_whole_numbers_keep_to_what_is_there_and_add_up(cells, data):
    wanted = np.array([min(want, there) for want, there in cells])
    available = np.array([there for _, there in cells])
    images = data.draw(st.integers(0, int(available.sum())))
    taken = _whole(wanted, available, images)
    assert taken.sum() == images
    assert np.all(taken >= 0) and np.all(taken <= available)


def test_a_class_with_too_few_candidates_or_originals_is_named():
    rng = np.random.default_rng(6)
    original, _ = planted(rng, 10, False, 400)
    pool, _ = planted(rng, 10, True, 300)
    with pytest.raises(InfeasibleSample, match="class 0, stratum all: 40 wanted, 30 there"):
        draw(request("matched-estimated", 40), pool, original, CLASSES)
    few = original.where(original.class_id != "3")
    with pytest.raises(InfeasibleSample, match="class 3, stratum original images"):
        draw(request("matched-estimated", 10), pool, few, CLASSES)
    with pytest.raises(InfeasibleSample):
        draw(request("matched-estimated", 10), pool.where(pool.shown > 99), original, CLASSES)


def test_too_few_votes_are_said():
    table = frequencies([("a", "0", 1, MOMENTS - 1), ("b", "0", 2, 5)])
    with pytest.raises(UsageError, match="3 votes on every image; some have 2"):
        TrueMatching(table, table)
    with pytest.raises(UsageError, match="candidates and original images"):
        TrueMatching(frequencies([]), table)


@pytest.mark.parametrize("selected", [0, 5, 10])
def test_images_that_all_have_the_same_votes(selected: int):
    rows = [(f"i{i}", "0", selected, 10) for i in range(30)]
    pool, original = frequencies(rows), frequencies([(f"o{i}", "0", 7, 10) for i in range(30)])
    assert len(draw(request("matched-estimated", 12), pool, original, ["0"]).chosen) == 12
