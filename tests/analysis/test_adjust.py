from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.analysis.adjust import Judged, adjusted_gaps
from replicate.analysis.adjust_cells import Sums, noise
from replicate.analysis.adjust_estimators import (
    ESTIMATORS,
    RECOMMENDED,
    degree_for,
    heldout,
    moments,
    naive,
)
from replicate.base.errors import UsageError


def planted(
    rng: np.random.Generator, n: int, hard: bool, gap: float = 0.0, size: int = 2000
) -> Judged:
    """Images of one population; of a pool, with more of the ambiguous ones; and votes on them."""
    s = rng.beta(2.2, 0.9, size * 8)
    keep = rng.random(s.size) < ((1.25 - s) / 1.25 if hard else 0.25 + 0.75 * s)
    s = s[keep][:size]
    accuracy = 0.35 + 0.6 * s**1.5 - (gap if hard else 0.0)
    return Judged(rng.binomial(n, s), np.full(size, n), rng.binomial(10, accuracy) / 10)


def sums(original: Judged, new: Judged) -> Sums:
    parts = []
    for side in (original, new):
        cells = sorted({(n, n - k) for n, k in zip(side.shown, side.selected, strict=True)})
        place = {cell: i for i, cell in enumerate(cells)}
        images, right = np.zeros((1, len(cells))), np.zeros((1, len(cells)))
        for n, k, correct in zip(side.shown, side.selected, side.correct, strict=True):
            images[0, place[n, n - k]] += 1
            right[0, place[n, n - k]] += correct
        parts += [np.array([m for _, m in cells]), np.array([n for n, _ in cells]), images, right]
    return Sums(*parts, noise(new.selected, new.shown, new.correct))


def judged(rows: list[tuple[int, int, float]]) -> Judged:
    shown, selected, correct = (np.array(each) for each in zip(*rows, strict=True))
    return Judged(np.minimum(selected, shown), shown, correct.astype(float))


ROWS = st.lists(
    st.tuples(st.integers(4, 6), st.integers(0, 6), st.sampled_from([0.0, 0.5, 1.0])),
    min_size=12,
    max_size=40,
)


@given(ROWS, ROWS)
def test_naive_equals_reweighting_image_by_image(one, two):
    original, new = judged(one), judged(two)
    groups: dict[float, list[float]] = {}
    for n, k, c in zip(new.shown, new.selected, new.correct, strict=True):
        groups.setdefault(round(float(n - k) / float(n), 9), []).append(float(c))
    known = sorted(groups)
    total = 0.0
    for n, k in zip(original.shown, original.selected, strict=True):
        mine = round(float(n - k) / float(n), 9)
        lower = [each for each in known if each <= mine]
        total += float(np.mean(groups[lower[-1] if lower else known[0]]))
    assert naive(sums(original, new))[0] == pytest.approx(total / len(original.shown))


def test_moments_equal_plain_normal_equations():
    rng = np.random.default_rng(5)
    original, new = planted(rng, 6, hard=False, size=300), planted(rng, 6, hard=True, size=300)

    def power(side: Judged, j: int) -> np.ndarray:
        missed = side.shown - side.selected
        found = np.ones(len(missed))
        for i in range(j):
            found = found * (missed - i) / (side.shown - i)
        return found

    matrix = np.array([[power(new, a + b).mean() for b in range(4)] for a in range(4)])
    right = np.array([(power(new, a) * new.correct).mean() for a in range(4)])
    beta = np.linalg.solve(matrix, right)
    expected = sum(beta[j] * power(original, j).mean() for j in range(4))
    assert moments(sums(original, new), 3, 3)[0] == pytest.approx(expected, abs=1e-4)


def test_held_out_votes_equal_holding_them_out_many_times():
    rng = np.random.default_rng(6)
    original, new = planted(rng, 5, hard=False, size=400), planted(rng, 5, hard=True, size=400)
    missed = new.shown - new.selected
    images, right, power = np.zeros(5), np.zeros(5), np.zeros(5)
    for _ in range(4000):
        out = rng.random(len(missed)) < missed / 5  # one of five votes is held out
        np.add.at(images, missed - out, 1.0)
        np.add.at(right, missed - out, new.correct)
        np.add.at(power, missed - out, out)
    design = np.stack([np.ones(5), power / images], axis=1)
    beta = np.linalg.solve(design.T @ (images[:, None] * design), design.T @ right)
    mean = (1 - original.selected / original.shown).mean()
    found = heldout(sums(original, new), 1, 1)[0]
    assert found == pytest.approx(beta[0] + beta[1] * mean, abs=2e-3)


@pytest.mark.parametrize(("n", "gap"), [(3, 0.05), (5, 0.0), (10, 0.05), (20, 0.0)])
def test_the_recommended_estimator_finds_the_planted_gap(n: int, gap: float):
    rng = np.random.default_rng(n)
    found: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
    for _ in range(30):
        original, new = planted(rng, n, hard=False), planted(rng, n, hard=True, gap=gap)
        both = sums(original, new)
        for name, estimator in ESTIMATORS.items():
            found[name].append(float(original.correct.mean() - estimator(both, *degree_for(n))[0]))
    error = {name: 100 * (np.mean(values) - gap) for name, values in found.items()}
    best = RECOMMENDED
    spread = 100 * np.std(found[best]) / np.sqrt(30)
    assert abs(error[best]) < 0.5 + 3 * spread
    assert error["naive"] > 2 * abs(error[best]) and error["naive"] > 0.8
    assert abs(error["jackknife"]) < error["naive"]


def test_the_interval_covers_and_the_raw_gap_does_not():
    rng = np.random.default_rng(8)
    covered = 0
    for seed in range(40):
        original, new = planted(rng, 10, hard=False), planted(rng, 10, hard=True)
        found = adjusted_gaps(original, new, seed, resamples=200)
        assert not found.raw.interval.contains(0.0)
        covered += found.estimators[found.recommended].interval.contains(0.0)
    assert covered >= 34  # 95 % of 40 is 38; 33 or fewer has a chance below 1 in 100


def test_the_same_seed_gives_the_same_and_strata_keep_their_sizes():
    rng = np.random.default_rng(9)
    original, new = planted(rng, 5, hard=False, size=200), planted(rng, 5, hard=True, size=200)
    one, two = (adjusted_gaps(original, new, 3, resamples=100) for _ in range(2))
    assert one == two
    assert adjusted_gaps(original, new, 4, resamples=100) != one
    # Every class is right or wrong as a whole: resampling within classes changes no accuracy.
    classes = np.arange(200) % 4
    sides = [
        Judged(side.selected, side.shown, (classes < 2).astype(float), classes)
        for side in (original, new)
    ]
    raw = adjusted_gaps(*sides, 1, resamples=100).raw
    assert (raw.interval.low, raw.interval.high) == (0.0, 0.0)


def test_images_of_different_numbers_of_votes_go_together():
    rng = np.random.default_rng(10)

    def mixed(hard: bool) -> Judged:
        parts = [planted(rng, n, hard=hard, size=1500) for n in (5, 8, 12)]
        return Judged(*(np.concatenate([getattr(p, name) for p in parts])
                        for name in ("selected", "shown", "correct")))  # fmt: skip

    found = adjusted_gaps(mixed(False), mixed(True), 1, resamples=100)
    assert found.raw.gap > 0.05
    assert abs(found.estimators["heldout"].gap) < 0.02


def _one_vote(rng: np.random.Generator) -> Judged:
    return planted(rng, 1, hard=False, size=50)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: adjusted_gaps(*[_one_vote(np.random.default_rng(1))] * 2, 1), "one vote"),
        (lambda: judged([(3, 1, 0.5)]), "at least two images"),
        (lambda: judged([(3, 1, 0.5), (0, 0, 0.5)]), "at least one vote"),
        (lambda: judged([(3, 1, 1.5), (3, 0, 0.5)]), "between 0 and 1"),
        (lambda: judged([(3, 1, float("nan")), (3, 0, 0.5)]), "between 0 and 1"),
    ],
)
def test_what_cannot_be_adjusted_is_said(make: Callable[[], object], message: str):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize("selected", [[5] * 6, [0] * 6, [5, 5, 5, 0, 0, 0]])
def test_votes_that_all_agree_give_a_number(selected: list[int]):
    side = Judged(np.array(selected), np.full(6, 5), np.array([1.0, 0, 1, 0, 1, 0]))
    found = adjusted_gaps(side, side, 1, resamples=100)
    assert all(np.isfinite(gap.gap) for gap in found.estimators.values())
    assert found.estimators["heldout"].gap == pytest.approx(0.0, abs=1e-6)
