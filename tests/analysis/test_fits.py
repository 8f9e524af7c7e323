"""Line fits against scipy and statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from replicate.analysis.fits import SCALES, clip_accuracy, from_scale, line_fit, to_scale
from replicate.base.errors import UsageError

accuracies = st.lists(
    st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)), min_size=3, max_size=30
).filter(lambda rows: np.ptp([x for x, _ in rows]) > 0.01)


@given(accuracies)
def test_linear_fit_is_scipys(rows):
    x, y = np.array(rows).T
    fit, oracle = line_fit(x, y), stats.linregress(x, y)
    assert fit.slope == pytest.approx(oracle.slope, abs=1e-8)
    assert fit.intercept == pytest.approx(oracle.intercept, abs=1e-8)
    if np.ptp(y) > 1e-6:
        assert fit.r2 == pytest.approx(oracle.rvalue**2, abs=1e-6)


@pytest.mark.parametrize(
    ("scale", "f", "inverse"),
    [
        ("probit", stats.norm.ppf, stats.norm.cdf),
        ("logit", stats.logistic.ppf, stats.logistic.cdf),
    ],
)
def test_stretched_fits_are_statsmodels_on_stretched_axes(scale, f, inverse):
    rng = np.random.default_rng(3)
    x = rng.uniform(0.6, 0.97, 25)
    y = inverse(0.9 * f(x) - 0.3 + rng.normal(0, 0.05, 25))
    fit = line_fit(x, y, scale)
    model = sm.OLS(f(y), sm.add_constant(f(x))).fit()
    assert (fit.intercept, fit.slope) == pytest.approx(tuple(model.params))
    assert fit.r2 == pytest.approx(model.rsquared)
    predicted = inverse(model.fittedvalues)
    assert fit.predict(x) == pytest.approx(predicted)
    sd = 100 * np.sqrt(((y - predicted) ** 2).sum() / 23)
    assert fit.residual_sd_points == pytest.approx(sd)


def test_clipping_moves_only_zero_and_one():
    clipped = clip_accuracy([0.0, 0.3, 1.0], [10, 10, 200])
    assert clipped.values.tolist() == [0.05, 0.3, 0.9975]
    assert clipped.n_clipped == 2


def test_a_perfect_model_is_clipped_and_counted_once():
    x, y = [0.8, 0.9, 1.0], [0.7, 0.8, 1.0]
    with pytest.raises(UsageError, match="no place on the probit scale"):
        line_fit(x, y, "probit")
    fit = line_fit(x, y, "probit", n_x=100, n_y=50)
    assert fit.n_clipped == 1
    oracle = stats.linregress(stats.norm.ppf([0.8, 0.9, 0.995]), stats.norm.ppf([0.7, 0.8, 0.99]))
    assert fit.slope == pytest.approx(oracle.slope)
    assert line_fit(x, y, "linear", n_x=100, n_y=50).n_clipped == 0


@given(st.floats(0.001, 0.999), st.sampled_from(SCALES))
def test_scales_invert(value, scale):
    assert float(from_scale(to_scale(value, scale), scale)) == pytest.approx(value)


@pytest.mark.parametrize(
    ("x", "y"), [([0.5], [0.5]), ([0.5, 0.6], [0.5]), ([0.5, 0.5, 0.5], [0.1, 0.2, 0.3])]
)
def test_what_no_line_fits_is_refused(x, y):
    with pytest.raises(UsageError):
        line_fit(x, y)


def test_an_unknown_scale_names_the_known_ones():
    with pytest.raises(UsageError) as error:
        to_scale([0.5], "cubic")
    assert "linear, probit, logit" in error.value.hint


def test_equal_new_accuracies_have_no_r2():
    assert np.isnan(line_fit([0.5, 0.6, 0.7], [0.4, 0.4, 0.4]).r2)
