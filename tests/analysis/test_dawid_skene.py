"""Dawid and Skene's model against crowd-kit, against a loop, and against planted truth."""

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene as Oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from replicate.analysis.dawid_skene import dawid_skene
from replicate.base.errors import UsageError


def _crowd(rng, images=400, each=9, workers=30, prevalence=0.6, spammers=()):
    """Votes of a crowd with known rates; spammers say yes with a chance of their own."""
    truth = rng.random(images) < prevalence
    sensitivity, specificity = rng.uniform(0.75, 0.98, workers), rng.uniform(0.8, 0.99, workers)
    for worker, chance in enumerate(spammers):
        sensitivity[worker], specificity[worker] = chance, 1 - chance
    image = np.repeat(np.arange(images), each)
    worker = np.concatenate([rng.choice(workers, each, replace=False) for _ in range(images)])
    chance = np.where(truth[image], sensitivity[worker], 1 - specificity[worker])
    return image, worker, rng.random(image.size) < chance, truth, sensitivity, specificity


@pytest.mark.parametrize("seed", range(3))
def test_without_smoothing_it_is_crowd_kits(seed):
    image, worker, yes, *_ = _crowd(np.random.default_rng(seed), spammers=(0.5, 0.9))
    found = dawid_skene(image, worker, yes, smoothing=1e-9)
    oracle = Oracle(n_iter=1000, tol=1e-14)
    oracle.fit(pd.DataFrame({"task": image, "worker": worker, "label": yes.astype(int)}))
    assert found.converged
    assert found.probability == pytest.approx(oracle.probas_[1].sort_index().to_numpy(), abs=1e-4)
    errors = oracle.errors_.reindex(
        pd.MultiIndex.from_product([range(30), (0, 1)], names=["worker", "label"])
    )
    said_yes = errors.xs(1, level="label").fillna(0)
    assert found.sensitivity == pytest.approx(said_yes[1].to_numpy(), abs=1e-4)
    assert 1 - found.specificity == pytest.approx(said_yes[0].to_numpy(), abs=1e-4)
    assert found.prevalence == pytest.approx(oracle.priors_[1], abs=1e-4)
    labels = (found.probability > 0.5).astype(int)
    assert (labels == oracle.labels_.sort_index().to_numpy()).all()


def test_planted_rates_are_recovered_within_their_errors():
    image, worker, yes, truth, sensitivity, specificity = _crowd(
        np.random.default_rng(7), images=4000, workers=60, spammers=(0.5, 1.0, 0.0)
    )
    found = dawid_skene(image, worker, yes)
    assert found.converged
    assert ((found.probability > 0.5) == truth).mean() > 0.99
    # Each worker has some 600 votes, 240 of them on true noes.
    for rates, planted in ((found.sensitivity, sensitivity), (found.specificity, specificity)):
        assert np.abs(rates - planted).mean() < 0.02
        assert np.abs(rates - planted).max() < 0.1
    # Within two standard errors for about 95 % of the workers.
    errors = found.informedness - (sensitivity + specificity - 1)
    within = np.abs(errors) < 2 * found.informedness_se
    assert within.mean() >= 0.9
    # Those who answer without looking are told apart from all others.
    assert found.informedness[:3].max() < 0.1 < 0.4 < found.informedness[3:].min()
    assert found.n_positive + found.n_negative == pytest.approx(np.bincount(worker))
    assert found.prevalence == pytest.approx(truth.mean(), abs=0.01)


def _slow(image, worker, yes, smoothing, rounds):
    """The same algorithm as two loops over the votes; returns rates and the objective's path."""
    images, workers = max(image) + 1, max(worker) + 1
    p = [
        np.mean([y for i, y in zip(image, yes, strict=True) if i == item]) for item in range(images)
    ]
    path = []
    for step in range(rounds + 1):
        counts = np.full((workers, 2, 2), smoothing)
        for i, w, y in zip(image, worker, yes, strict=True):
            counts[w, 1, int(y)] += p[i]
            counts[w, 0, int(y)] += 1 - p[i]
        rates = counts / counts.sum(axis=2, keepdims=True)
        pi = (sum(p) + smoothing) / (images + 2 * smoothing)
        logs = np.tile(np.log([1 - pi, pi]), (images, 1))
        for i, w, y in zip(image, worker, yes, strict=True):
            logs[i] += np.log(rates[w, :, int(y)])
        prior = np.log(rates).sum() + np.log(pi * (1 - pi))
        path.append(special.logsumexp(logs, axis=1).sum() + smoothing * prior)
        if step < rounds:
            p = special.softmax(logs, axis=1)[:, 1]
    return rates, pi, np.array(p), path


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 1.0, 3.0]))
def test_it_equals_a_loop_and_never_goes_downhill(seed, smoothing):
    rng = np.random.default_rng(seed)
    image = np.concatenate([np.arange(6), rng.integers(0, 6, 30)])
    worker = np.concatenate([np.arange(6) % 5, rng.integers(0, 5, 30)])
    yes = rng.random(36) < 0.6
    rounds = 8
    found = dawid_skene(
        image, worker, yes, smoothing=smoothing, max_iterations=rounds, tolerance=1e-300
    )
    rates, pi, p, path = _slow(image.tolist(), worker.tolist(), yes.tolist(), smoothing, rounds)
    assert found.sensitivity == pytest.approx(rates[:, 1, 1], abs=1e-9)
    assert found.specificity == pytest.approx(rates[:, 0, 0], abs=1e-9)
    assert (found.prevalence, found.iterations) == (pytest.approx(pi), rounds)
    assert found.probability == pytest.approx(p, abs=1e-9)
    assert found.log_posterior == pytest.approx(path[-1], rel=1e-9)
    assert (np.diff(path) >= -1e-9).all()
    assert not found.converged


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans()), min_size=1))
def test_no_rate_is_ever_0_1_or_nan(rows):
    image, worker, yes = zip(*rows, strict=True)
    found = dawid_skene(image, worker, yes, max_iterations=50)
    for values in (found.sensitivity, found.specificity, np.array(found.prevalence)):
        assert ((values > 0) & (values < 1)).all()
    assert np.isfinite(found.probability).all() and np.isfinite(found.informedness_se).all()


def test_who_saw_nothing_of_a_kind_is_not_condemned():
    # Worker 3 saw only true yeses: nothing is known of the specificity.
    image = [0, 1, 2, 3] * 3 + [0, 1]
    worker = [0] * 4 + [1] * 4 + [2] * 4 + [3] * 2
    found = dawid_skene(image, worker, [1, 1, 0, 0] * 3 + [1, 1])
    assert found.specificity[3] == pytest.approx(0.5, abs=0.05)
    assert found.informedness_se[3] > 0.3


def test_a_crowd_that_says_the_opposite_is_taken_at_its_word():
    image, worker, yes, truth, *_ = _crowd(np.random.default_rng(3))
    found = dawid_skene(image, worker, ~yes)
    assert ((found.probability > 0.5) == ~truth).mean() > 0.97
    assert found.informedness.mean() > 0.5


def test_it_says_when_it_did_not_converge_and_refuses_nonsense():
    image, worker, yes, *_ = _crowd(np.random.default_rng(1))
    assert not dawid_skene(image, worker, yes, max_iterations=2).converged
    for wrong in (
        ([], [], []),
        ([0, 1], [0], [1]),
        ([-1], [0], [1]),
        ([0.5], [0], [1]),
    ):
        with pytest.raises(UsageError):
            dawid_skene(*wrong)
    for setting in ({"smoothing": 0.0}, {"tolerance": 0.0}, {"max_iterations": 0}):
        with pytest.raises(UsageError):
            dawid_skene([0], [0], [1], **setting)
