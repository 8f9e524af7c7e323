"""Coverage where items hang together: writers, matched items, families, classes; and power.

Run with --benchmark-only. Each world plants what its intervals should cover, thousands of times.
"""

import numpy as np
import pytest
from scipy import stats

from replicate.analysis.families import family_line
from replicate.analysis.intervals import newcombe_gap
from replicate.analysis.measures import macro_auc, macro_f1, measured
from replicate.analysis.power import smallest_gap
from replicate.analysis.ranks import inversions
from replicate.analysis.replication import analyse, draw
from replicate.analysis.replication_data import Options
from replicate.analysis.replication_pair import percentile
from replicate.analysis.scores import from_items, mean_per_class
from replicate.analysis.similarity import similarity

pytestmark = pytest.mark.timeout(7200)
RUNS, RESAMPLES = 2000, 400
NAMES = tuple(f"m{i:02d}" for i in range(10))
X = np.linspace(0.65, 0.9, len(NAMES))
Y = X - 0.08


def _answers(rng, accuracy, item):
    """Right answers of models on items with the given latent difficulty, shape (n,)."""
    own = rng.normal(size=(len(item), len(accuracy)))
    return np.sqrt(0.5) * item[:, None] + np.sqrt(0.5) * own < stats.norm.ppf(accuracy)


def _writers(rng, writers, each):
    """Items whose difficulty half belongs to their writer, and whose they are."""
    group = np.repeat(np.arange(writers), each)
    return np.sqrt(0.5) * rng.normal(size=writers)[group] + np.sqrt(0.5) * rng.normal(
        size=len(group)
    ), group


def _groups():
    """Clusters of writers: the interval of one accuracy, of the mean drop and of the slope."""
    rng, hits = np.random.default_rng(1), dict.fromkeys(("accuracy", "drop", "slope", "naive"), 0)
    truth = np.polyfit(X, Y, 1)[0]
    for run in range(RUNS):
        sets, plain = [], []
        for name, share, writers in (("old", X, 120), ("new", Y, 80)):
            item, group = _writers(rng, writers, 8)
            right = _answers(rng, share, item)
            sets.append(from_items(name, NAMES, right, groups=group))
            plain.append(from_items(name, NAMES, right))
        options = Options(seed=run, resamples=RESAMPLES)
        found = analyse(sets[0], sets[1:], options).pairs[0]
        on_new = analyse(sets[0], sets[1:], options).models["m05"]["new"]
        hits["accuracy"] += on_new.interval.contains(float(Y[5]))
        hits["drop"] += found.mean_drop_ci["images"].contains(float((X - Y).mean()))
        hits["slope"] += found.lines["linear"].slope["images"].contains(truth)
        loose = analyse(plain[0], plain[1:], options).pairs[0]
        hits["naive"] += loose.mean_drop_ci["images"].contains(float((X - Y).mean()))
    return {name: count / RUNS for name, count in hits.items()}


def _pairs():
    """Matched items: the mean gap over them, and one model's."""
    rng, hits = np.random.default_rng(2), dict.fromkeys(("drop", "model"), 0)
    n = 800
    at = np.arange(n)
    for run in range(RUNS):
        item = rng.normal(size=n)  # the same item on both sides, only harder on the new one
        sets = [
            from_items(name, NAMES, _answers(rng, share, item))
            for name, share in (("old", X), ("new", Y))
        ]
        options = Options(seed=run, resamples=RESAMPLES, pairs={"new": (at, at)})
        pair = analyse(sets[0], sets[1:], options).pairs[0]
        hits["drop"] += pair.paired_drop[1].contains(float((X - Y).mean()))
        hits["model"] += pair.paired["m05"].interval.contains(float(X[5] - Y[5]))
    return {name: count / RUNS for name, count in hits.items()}


def _classes():
    """Mean per class where classes are unequal and differ in difficulty."""
    rng, hits = np.random.default_rng(3), {"score": 0, "drop": 0}
    size = np.array([400, 200, 100, 60, 40])
    label = np.repeat(np.arange(5), size)
    offset = np.array([0.4, 0.2, 0.0, -0.3, -0.6])
    truth = {}
    for name, share in (("old", X), ("new", Y)):
        by_class = stats.norm.cdf(stats.norm.ppf(share)[None, :] + offset[:, None])
        truth[name] = by_class.mean(axis=0)
    for run in range(3 * RUNS):
        sets = []
        for name, share in (("old", X), ("new", Y)):
            item = rng.normal(size=len(label))
            own = rng.normal(size=(len(label), len(share)))
            latent = np.sqrt(0.5) * item[:, None] + np.sqrt(0.5) * own
            right = latent < stats.norm.ppf(share)[None, :] + offset[label][:, None]
            sets.append(mean_per_class(from_items(name, NAMES, right, label)))
        found = analyse(sets[0], sets[1:], Options(seed=run, resamples=RESAMPLES))
        hits["score"] += found.models["m05"]["new"].interval.contains(float(truth["new"][5]))
        gap = float((truth["old"] - truth["new"]).mean())
        hits["drop"] += found.pairs[0].mean_drop_ci["images"].contains(gap)
    return {name: count / (3 * RUNS) for name, count in hits.items()}


def _scored(rng, n):
    """Four classes, the rarest a tenth of the items, and probabilities of each."""
    labels = rng.choice(4, n, p=[0.1, 0.2, 0.3, 0.4])
    scores = rng.normal(size=(n, 4))
    scores[np.arange(n), labels] += 1.2
    return labels, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def _measures():
    """Macro-F1 and the area under the curve, which are no means over items."""
    rng, hits = np.random.default_rng(7), {"macro-F1": 0, "area": 0}

    def both(n):
        labels, probs = _scored(rng, n)
        made = {
            "macro-F1": macro_f1(probs.argmax(axis=1), labels),
            "area": macro_auc(probs, labels),
        }
        return labels, made

    truth = {name: measure.value for name, measure in both(1_000_000)[1].items()}
    for run in range(RUNS):
        labels, made = both(400)
        for name, measure in made.items():
            scores = measured(name, {"m": measure}, labels, {})
            drawn = draw(scores, Options(seed=run, resamples=RESAMPLES)).accuracy[:, 0]
            hits[name] += percentile(drawn, 0.95).contains(truth[name])
    return {name: count / RUNS for name, count in hits.items()}


def _families():
    """Families that share their distance from the line."""
    rng, hits = np.random.default_rng(4), 0
    family = np.repeat(np.arange(20), 5)
    for run in range(RUNS):
        u = rng.normal(size=20)[family] + 0.3 * rng.normal(size=100)
        v = 0.8 * u + 0.3 * rng.normal(size=20)[family] + 0.1 * rng.normal(size=100)
        names = [f"f{i}" for i in family]
        hits += family_line(u, v, names, run, resamples=RESAMPLES).interval.contains(0.8)
    return {"slope": hits / RUNS}


@pytest.mark.parametrize("world", [_groups, _pairs, _classes, _measures, _families])
def test_intervals_cover_what_was_planted(benchmark, world):
    shares = benchmark.pedantic(world, rounds=1)
    benchmark.extra_info.update(shares)
    print(world.__name__, shares)
    naive = shares.pop("naive", None)
    for name, share in shares.items():
        assert 0.93 <= share <= 0.97, (name, shares)
    if naive is not None:
        assert naive < 0.9  # what clusters are for


def _power():
    """How often a gap of the computed size is found; and resolved inversions where none is."""
    rng, found, false = np.random.default_rng(5), 0, 0
    gap = smallest_gap(0.8, 2000, 5000).gap_unequal
    for _ in range(RUNS):
        k_old, k_new = rng.binomial(5000, 0.8), rng.binomial(2000, 0.8 - gap)
        found += newcombe_gap(int(k_old), 5000, int(k_new), 2000).low > 0
        items = [_answers(rng, np.full(6, 0.8), rng.normal(size=500)) for _ in range(2)]
        false += inversions(NAMES[:6], *items).n_resolved > 0
    return {"power": found / RUNS, "false inversions": false / RUNS}


def test_power_is_what_was_computed_and_chance_resolves_nothing(benchmark):
    shares = benchmark.pedantic(_power, rounds=1)
    benchmark.extra_info.update(shares)
    print(shares)
    assert 0.77 <= shares["power"] <= 0.83
    assert shares["false inversions"] <= 0.05


def _alike():
    rng, observed = np.random.default_rng(6), []
    for _ in range(200):
        right = _answers(rng, np.array([0.8, 0.8]), rng.normal(size=2000))
        observed.append(similarity(right).observed[0, 1])
    return float(np.mean(observed))


def test_similarity_is_what_was_planted(benchmark):
    mean = benchmark.pedantic(_alike, rounds=1)
    z = stats.norm.ppf(0.8)
    both = stats.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]]).cdf([z, z])
    assert mean == pytest.approx(1 - 2 * 0.8 + 2 * both, abs=0.002)
