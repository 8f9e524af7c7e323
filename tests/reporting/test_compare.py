"""Comparisons: the numbers of the report are those of the analysis, on the shared models."""

import numpy as np
import pytest

from replicate.analysis.equivalence import paired_gap
from replicate.analysis.fits import line_fit
from replicate.analysis.intervals import clopper_pearson, newcombe_gap
from replicate.base.errors import UsageError
from replicate.reporting.compare import compare
from replicate.reporting.data import ModelInfo, ScoredSet, SetInfo

NAMES = ("a", "b", "c", "d")
MODELS = {name: ModelInfo(name, "f") for name in NAMES}


def _set(name, accuracies, models=NAMES, n=400, role="new", seed=0):
    rng = np.random.default_rng([seed, n])
    right = rng.random((n, len(models))) < np.array(accuracies)
    return ScoredSet(SetInfo(name, role, n), models, right, ("x", "y") * (n // 2))


@pytest.fixture
def sides():
    original = _set("original", (0.6, 0.7, 0.8, 0.9), n=1000, role="original")
    return original, _set("new", (0.5, 0.65, 0.7, 0.85))


def test_scores_are_counts_with_their_intervals(sides):
    original, new = sides
    (item,) = compare(original, [new], MODELS, 1, resamples=100)
    assert [score.model.name for score in item.scores] == ["d", "c", "b", "a"]
    for score in item.scores:
        i = NAMES.index(score.model.name)
        k0, k1 = int(original.correct[:, i].sum()), int(new.correct[:, i].sum())
        assert (score.correct_original, score.correct_new) == (k0, k1)
        assert score.interval_original == clopper_pearson(k0, 1000)
        assert score.interval_new == clopper_pearson(k1, 400)
        assert score.gap == pytest.approx(k0 / 1000 - k1 / 400)
        assert score.gap_interval == newcombe_gap(k0, 1000, k1, 400)
    assert item.mean_gap == pytest.approx(original.correct.mean() - new.correct.mean(), abs=1e-12)
    fit = line_fit(original.correct.mean(axis=0), new.correct.mean(axis=0), "probit")
    assert item.fit("probit") == fit
    assert item.gap("both").interval.contains(item.mean_gap)
    assert item.line("logit", "images").slope.contains(item.fit("logit").slope)


def test_the_same_images_in_another_form_are_compared_in_pairs(sides):
    original, _ = sides
    changed = original.correct.copy()
    changed[::100] = ~changed[::100]
    apart, together = (
        compare(
            original,
            [ScoredSet(SetInfo("form", "control", 1000, paired=paired), NAMES, changed,
                       original.classes)],
            MODELS, 1, resamples=400,
        )[0]
        for paired in (False, True)
    )  # fmt: skip
    assert apart.mean_gap == together.mean_gap
    for one, both in zip(apart.scores, together.scores, strict=True):
        i = NAMES.index(one.model.name)
        a, b = original.correct[:, i], changed[:, i]
        counts = [int(x.sum()) for x in (a & b, a & ~b, ~a & b, ~a & ~b)]
        assert both.gap_interval == paired_gap(*counts).interval
        assert one.gap_interval == newcombe_gap(int(a.sum()), 1000, int(b.sum()), 1000)
    wide, narrow = (item.gap("images").interval for item in (apart, together))
    assert narrow.high - narrow.low < 0.5 * (wide.high - wide.low)
    # Each image's difference has a known spread; the mean over models over 1,000 images.
    spread = (original.correct.mean(axis=1) - changed.mean(axis=1)).std() / 1000**0.5
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 * spread, rel=0.15)


def test_models_are_matched_by_name_and_only_shared_ones_compared(sides):
    original, new = sides
    order = ("d", "a", "c")
    columns = [NAMES.index(name) for name in order]
    turned = ScoredSet(new.info, order, new.correct[:, columns], new.classes)
    (item,) = compare(original, [turned], MODELS, 1, resamples=100)
    (whole,) = compare(original, [new], MODELS, 1, resamples=100)
    by_name = {score.model.name: score for score in whole.scores}
    assert {score.model.name for score in item.scores} == set(order)
    for score in item.scores:
        assert score.correct_new == by_name[score.model.name].correct_new


def test_one_model_has_a_gap_but_no_line(sides):
    original, _ = sides
    alone = _set("new", (0.5,), models=("b",))
    (item,) = compare(original, [alone], MODELS, 1, resamples=100)
    assert len(item.scores) == 1
    assert (item.gaps, item.fits, item.lines, item.inversions) == ((), (), (), None)
    assert np.isnan(item.kendall)


def test_equal_models_have_gaps_but_no_lines():
    right = np.ones((100, 2), bool)
    right[:10] = False
    sets = [
        ScoredSet(SetInfo(name, "new", 100), ("a", "b"), right, ("x",) * 100)
        for name in ("original", "new")
    ]
    (item,) = compare(sets[0], sets[1:], MODELS, 1, resamples=100)
    assert (item.fits, item.lines) == ((), ())
    assert [gap.kind for gap in item.gaps] == ["models", "images", "both"]
    assert item.mean_gap == 0


def test_a_set_without_shared_models_is_refused(sides):
    other = _set("new", (0.5,), models=("z",))
    with pytest.raises(UsageError, match="No model"):
        compare(sides[0], [other], MODELS, 1)


def test_other_sets_do_not_change_a_comparison(sides):
    original, new = sides
    other = _set("other", (0.4, 0.5, 0.6, 0.7), seed=3)
    alone = compare(original, [new], MODELS, 1, resamples=100)
    both = compare(original, [other, new], MODELS, 1, resamples=100)
    assert alone[0] == both[1]
    assert compare(original, [new], MODELS, 2, resamples=100)[0].gaps != alone[0].gaps
