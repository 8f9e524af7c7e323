"""How far off the true frequencies of matched sets are, by strategy and number of votes.

Run with `pytest -n0 -s tests/bench/test_matching.py -o addopts=--import-mode=importlib
--benchmark-only`; the table that it prints is the one of docs/adjust.md.
"""

import numpy as np
import pytest

from replicate.sampling.frequencies import frequencies
from replicate.sampling.request import Request
from replicate.sampling.strategies import draw
from replicate.sampling.tables import draw_from_tables

pytestmark = pytest.mark.timeout(3600)
SEEDS = 30
VOTES = (3, 5, 10, 20, 40)
CLASSES = [str(number) for number in range(10)]
TRUE = {
    "beta": lambda rng, k: rng.beta(2.2, 0.9, k),
    "two humps": lambda rng, k: np.where(
        rng.random(k) < 0.25, rng.beta(2, 6, k), rng.beta(9, 1.5, k)
    ),
    "near 1": lambda rng, k: rng.beta(8, 0.6, k),
}


def planted(rng, true: str, n: int, pool: bool, size: int):
    s = TRUE[true](rng, size * 12)
    s = s[rng.random(s.size) < ((1.25 - s) / 1.25 if pool else 0.25 + 0.75 * s)][:size]
    votes = rng.binomial(n, s)
    kind = "p" if pool else "o"
    table = frequencies((f"{kind}{i}", str(i % 10), int(votes[i]), n) for i in range(size))
    return table, {f"{kind}{i}": value for i, value in enumerate(s.tolist())}


def matched_sets() -> None:
    print("\n| votes | matched-frequency | matched-estimated |")
    for n in VOTES:
        means = {"matched-frequency": [], "matched-estimated": []}
        for true in TRUE:
            errors = {name: [] for name in means}
            for seed in range(SEEDS):
                rng = np.random.default_rng([seed, n])
                original, old = planted(rng, true, n, False, 2000)
                pool, new = planted(rng, true, n, True, 3000)
                for name, found in errors.items():
                    request = Request("set", name, 50, seed=seed, min_votes=n, fill=True)
                    chosen = draw(request, pool, original, CLASSES).chosen
                    mean = np.mean([new[item.image_id] for item in chosen])
                    found.append(np.mean(list(old.values())) - mean)
            for name, found in errors.items():
                means[name].append(float(np.mean(found)))
        cells = [f"{min(found):+.3f} to {max(found):+.3f}" for found in means.values()]
        print(f"| {n} | " + " | ".join(cells) + " |", flush=True)
        assert max(map(abs, means["matched-estimated"])) <= 0.01
        assert min(means["matched-frequency"]) > max(map(abs, means["matched-estimated"]))


def test_matched_sets_on_planted_truth(benchmark):
    benchmark.pedantic(matched_sets)


def on_heldout_votes() -> None:
    """A set's bound is 0.01 and two standard errors, which chance passes: 95 % are to keep it."""
    print("\n| votes | held out | strategy | truth | mean difference | sets within 0.01 + 2 se |")
    for n, held in ((13, 3), (23, 3)):
        for strategy in ("matched-frequency", "matched-estimated"):
            for true in TRUE:
                checks = []
                for seed in range(SEEDS):
                    rng = np.random.default_rng([seed, n, 5])
                    original, _ = planted(rng, true, n, False, 2000)
                    pool, _ = planted(rng, true, n, True, 3000)
                    request = Request("set", strategy, 50, seed=seed, min_votes=n - held, fill=True)
                    checks.append(draw_from_tables(request, pool, original, CLASSES, held).heldout)
                mean = np.mean([check.difference for check in checks])
                good = np.mean([abs(c.difference) <= 0.01 + 2 * c.se for c in checks])
                print(
                    f"| {n} | {held} | {strategy} | {true} | {mean:+.4f} | {good:.3f} |", flush=True
                )
                if strategy == "matched-estimated":
                    assert abs(mean) <= 0.01 and good >= 0.95


def test_matched_sets_on_held_out_votes(benchmark):
    benchmark.pedantic(on_heldout_votes)
