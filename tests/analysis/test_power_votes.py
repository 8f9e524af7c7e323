"""The power of adjusted gaps: what is computed is what simulations find."""

import numpy as np
import pytest

from replicate.analysis.adjust import Judged, adjusted_gaps
from replicate.analysis.power import smallest_gap
from replicate.analysis.power_votes import gaps_by_votes_needed, votes_needed
from replicate.base.errors import UsageError


def test_without_adjustment_it_is_the_two_proportion_formula():
    (found,) = gaps_by_votes_needed(1000, 1000, 0.8, votes=(10,), rise=0.0, runs=300)
    formula = smallest_gap(0.8, 1000, 1000).gap
    assert found.plain == pytest.approx(formula, rel=0.12)
    assert found.gap >= 0.9 * found.plain


def test_a_gap_of_that_size_is_found_as_often_as_was_asked_for():
    (item,) = gaps_by_votes_needed(800, 800, 0.8, votes=(10,), runs=200, seed=1)
    rng, hits, runs = np.random.default_rng(5), 0, 120
    for run in range(runs):
        sides = []
        for lift in (0.0, -item.gap):
            s = rng.beta(0.75 * (1 / 0.3 - 1), 0.25 * (1 / 0.3 - 1), 800)
            chance = np.clip(0.8 + 0.5 * (s - 0.75) + lift, 0, 1)
            right = (rng.random(800) < chance).astype(float)
            sides.append(Judged(rng.binomial(10, s), np.full(800, 10), right))
        gaps = adjusted_gaps(*sides, run, resamples=200)
        hits += gaps.estimators[gaps.recommended].interval.low > 0
    assert 0.62 <= hits / runs <= 0.93  # 0.8 was asked for


def test_more_votes_show_less_and_the_fewest_are_named():
    found = gaps_by_votes_needed(400, 400, 0.8, votes=(3, 40), runs=80)
    assert found[0].gap > found[1].gap
    assert votes_needed(found, 1.0) == 3 and votes_needed(found, 1e-6) is None
    assert found == gaps_by_votes_needed(400, 400, 0.8, votes=(3, 40), runs=80)


@pytest.mark.parametrize("bad", [{"accuracy": 1.0}, {"icc": 0.0}, {"votes": (1,)}, {"n_new": 1}])
def test_numbers_out_of_range(bad):
    given = {"n_original": 10, "n_new": 10, "accuracy": 0.5, **bad}
    with pytest.raises(UsageError):
        gaps_by_votes_needed(**given)
