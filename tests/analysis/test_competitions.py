"""Competitions against hand-made cases, scipy and statsmodels."""

import numpy as np
import pytest
from scipy import stats

from replicate.analysis.competitions import Competition, competition, meta_summary, t_interval
from replicate.analysis.intervals import Interval
from replicate.base.errors import UsageError
from replicate.zoo.competition_tables import read_competitions


def planted(seed=0, n=50, gap=0.02, overfit=0.0):
    rng = np.random.default_rng(seed)
    private = rng.uniform(0.6, 0.9, n)
    public = private + gap + rng.normal(0, 0.005, n)
    public[np.argsort(-public)[:5]] += overfit
    return Competition(f"c{seed}", public, private, 5000, 15_000)


def test_figures_are_those_of_scipy():
    data = planted()
    found = competition(data)
    line = stats.linregress(data.public, data.private)
    assert found.slope == pytest.approx(line.slope)
    assert found.r2 == pytest.approx(line.rvalue**2)
    gap = data.public - data.private
    ends = stats.t.interval(0.95, 49, gap.mean(), gap.std(ddof=1) / np.sqrt(50))
    assert (found.gap_ci.low, found.gap_ci.high) == pytest.approx(ends)
    assert 0.004 < found.noise < 0.01


def test_overfitting_at_the_top_shows():
    assert abs(competition(planted()).excess) < 0.01
    found = competition(planted(overfit=0.1))
    assert found.excess == pytest.approx(0.1, abs=0.01)
    assert found.top_gap_ci.low > 0.1


def test_few_teams():
    one = competition(Competition("x", np.array([0.5]), np.array([0.4])))
    assert one.gap == pytest.approx(0.1) and one.gap_ci is None and np.isnan(one.slope)
    same = competition(Competition("x", np.full(4, 0.5), np.full(4, 0.5)))
    assert np.isnan(same.slope) and np.isnan(same.spearman)
    with pytest.raises(UsageError, match="both scores"):
        competition(Competition("x", np.array([np.nan]), np.array([0.4])))


def test_the_summary_is_that_of_statsmodels():
    from statsmodels.stats.meta_analysis import combine_effects

    rng = np.random.default_rng(1)
    effect, error = rng.normal(0.02, 0.02, 8), rng.uniform(0.003, 0.02, 8)
    z = stats.norm.ppf(0.975)
    intervals = [Interval(e - z * s, e + z * s) for e, s in zip(effect, error, strict=True)]
    found = meta_summary(list(effect), intervals)
    reference = combine_effects(effect, error**2, method_re="dl")
    assert found.mean == pytest.approx(reference.mean_effect_re)
    assert found.between_sd == pytest.approx(np.sqrt(reference.tau2))
    assert found.i2 == pytest.approx(reference.i2)
    low, high = reference.conf_int()[1]
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert meta_summary([0.1], [None]) is None
    assert t_interval([1.0, 2.0]) is None


def test_tables_with_directions(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "Team, Competition, Public Score, private_score, Direction\n"
        "a, log loss, 0.5, 0.6, lower\nb, log loss, 0.4, 0.7, lower\nc, log loss, , 0.7, lower\n"
        "a, auc, 0.9, 0.8, higher\nb, auc, 0.8, 0.8, higher\n"
    )
    found, warnings = read_competitions(path)
    assert [c.name for c in found] == ["auc", "log loss"]
    assert competition(found[1]).gap == pytest.approx(0.2)
    assert competition(found[0]).gap == pytest.approx(0.05)
    assert warnings == ["log loss: 1 of 3 teams lack a score and were left out"]
    path.write_text("competition,public,private,direction\nx,1,2,sideways\n")
    with pytest.raises(UsageError, match="not clear"):
        read_competitions(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="lacks the columns"):
        read_competitions(path)
