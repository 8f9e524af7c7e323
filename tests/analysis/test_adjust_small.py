"""Small sets: no absurd gap, no estimate where nothing can be told, and cautions that say why."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.analysis.adjust import Judged, adjusted_gaps
from replicate.analysis.adjust_cells import Sums, noise
from replicate.analysis.adjust_estimators import ESTIMATORS, RECOMMENDED, degree_for, naive
from replicate.analysis.adjust_mixture import CURVES, fit_mixture

WORLDS = {  # true frequencies: beta, two humps, near 1; little or much overdispersed
    "beta": lambda rng, k: rng.beta(2.8, 1.2, k),
    "wide beta": lambda rng, k: rng.beta(1.05, 0.45, k),
    "humps": lambda rng, k: np.where(rng.random(k) < 0.3, rng.beta(8, 5, k), rng.beta(13, 1.1, k)),
    "apart": lambda rng, k: np.where(rng.random(k) < 0.3, rng.beta(3, 8, k), rng.beta(14, 2, k)),
    "near 1": lambda rng, k: rng.beta(3.72, 0.28, k),
    "at 1": lambda rng, k: rng.beta(1.395, 0.105, k),
}
GAP = 0.02


def runs(world: str, n: int, images: int, repeats: int = 20) -> Sums:
    """Two sets, again and again: one run a weighting."""
    rng = np.random.default_rng([n, images, sorted(WORLDS).index(world)])
    parts, residual = [], 0.1
    for pool in (False, True):
        counts, right = np.zeros((2, repeats, n + 1))
        for run in range(repeats):
            s = WORLDS[world](rng, images * 12)
            keep = (1.25 - s) / 1.25 if pool else 0.25 + 0.75 * s
            s = s[rng.random(s.size) < keep][:images]
            correct = rng.binomial(10, 0.35 + 0.6 * s**1.5 - GAP * pool) / 10
            missed = n - rng.binomial(n, s)
            np.add.at(counts[run], missed, 1.0)
            np.add.at(right[run], missed, correct)
            residual = noise(n - missed, np.full(images, n), correct)
        parts += [np.arange(n + 1), np.full(n + 1, n), counts, right]
    return Sums(*parts, residual)


@pytest.mark.parametrize("images", [30, 75, 150, 300])
@pytest.mark.parametrize("n", [3, 5, 9])
def test_small_sets_give_no_absurd_gap(n: int, images: int):
    errors: dict[str, list[np.ndarray]] = {"naive": [], "jackknife": [], RECOMMENDED: []}
    for world in WORLDS:  # 1,440 runs in all
        both = runs(world, n, images)
        for name, found in errors.items():
            found.append(both.original_mean - ESTIMATORS[name](both, *degree_for(n)) - GAP)
    off = {name: float(np.sqrt(np.mean(np.square(found)))) for name, found in errors.items()}
    assert off[RECOMMENDED] <= 1.15 * min(off["naive"], off["jackknife"])
    assert np.abs(errors[RECOMMENDED]).max() <= 1.2 / np.sqrt(images)


COUNTS = st.integers(2, 12).flatmap(
    lambda n: st.lists(
        st.tuples(st.just(n), st.integers(0, n), st.sampled_from([0.0, 0.3, 1.0])),
        min_size=2,
        max_size=30,
    )
)


def judged(rows: list[tuple[int, int, float]]) -> Judged:
    shown, selected, correct = (np.array(each) for each in zip(*rows, strict=True))
    return Judged(selected, shown, correct.astype(float))


@given(COUNTS, COUNTS)
@settings(max_examples=60, deadline=None)
def test_whatever_the_votes_gaps_are_possible_and_silence_has_a_reason(one, two):
    original, new = judged(one), judged(two)
    found = adjusted_gaps(original, new, 1, resamples=10)
    best = original.correct.mean()
    for gap in found.estimators.values():
        assert best - 1 - 1e-9 <= gap.gap <= best + 1e-9
        assert -1 <= gap.interval.low <= gap.gap <= gap.interval.high <= 1
    codes = [caution.code for caution in found.cautions]
    assert "few_images" in codes and len(codes) == len(set(codes))
    assert (found.recommended is None) == (codes[0] == "none_recommended")
    assert ("few_votes" in codes) == (min(original.shown.min(), new.shown.min()) < 5)


def test_sets_of_quite_other_frequencies_are_not_compared():
    rng = np.random.default_rng(3)
    hard, easy = (
        Judged(rng.binomial(10, s, 500), np.full(500, 10), rng.binomial(1, 0.8, 500).astype(float))
        for s in (0.05, 0.95)
    )
    found = adjusted_gaps(easy, hard, 1, resamples=50)
    assert found.recommended is None
    assert [caution.code for caution in found.cautions] == ["none_recommended", "other_frequencies"]
    assert found.estimators[RECOMMENDED].allowance > 0.1
    alike = adjusted_gaps(easy, easy, 1, resamples=50)
    assert alike.recommended == RECOMMENDED and alike.cautions == ()


def test_a_curve_of_the_stated_bending_is_missed_by_as_much_as_is_allowed_for():
    """The allowance is what it is called: the bias' deviation over curves drawn as assumed."""
    both = runs("wide beta", 3, 300, repeats=1)
    fit = fit_mixture(both, 1)
    rng = np.random.default_rng(4)
    # No more than 2 % of a coefficient is missed of the constant: it is fitted freely.
    assert abs(fit.missed[0, 0]) < 0.02
    for few, scale in ((False, 1.0), (True, 2.0)):
        bending = CURVES * np.where(np.arange(len(CURVES)) > 0, scale, 1.0)
        drawn = rng.normal(0.0, bending, (20_000, len(CURVES)))
        bias = drawn @ fit.missed[0, 1:]
        assert fit.allowance(few)[0] == pytest.approx(bias.std(), rel=0.03)


def test_the_estimate_is_plain_least_squares_where_images_abound():
    """With ever more images the ridge is forgotten, and the naive gap stays what it is."""
    both = runs("beta", 9, 300, repeats=1)
    more = Sums(
        both.original_missed, both.original_shown, both.original_images, both.original_right,
        both.new_missed, both.new_shown, 1e6 * both.new_images, 1e6 * both.new_right, both.noise,
    )  # fmt: skip
    free = Sums(*(getattr(more, name) for name in (
        "original_missed", "original_shown", "original_images", "original_right",
        "new_missed", "new_shown", "new_images", "new_right",
    )), 0.0)  # fmt: skip
    assert fit_mixture(more, 3).accuracy == pytest.approx(fit_mixture(free, 3).accuracy, abs=1e-3)
    assert naive(more) == pytest.approx(naive(both))
