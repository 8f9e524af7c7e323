"""Planted truth for benchmarks: images of one population, a pool of the ambiguous, and votes.

True frequencies are drawn from a distribution with a given overdispersion (the intra-class
correlation of votes); accuracy is a function of the true frequency; workers may differ in how
strict they are, without moving the population's frequencies.
"""

import numpy as np
from scipy import special

from replicate.analysis.adjust import Judged
from replicate.analysis.adjust_workers import SingleVotes

SIZE = 2000
MODELS = 10
WORKERS, STRICTNESS, PAGE = 200, 0.4, 40  # standard deviation on the logit scale; images a page


def _beta(mean, rho):
    total = 1 / rho - 1
    return lambda rng, k: rng.beta(mean * total, (1 - mean) * total, k)


def _humps(share, low, high):
    return lambda rng, k: np.where(rng.random(k) < share, rng.beta(*low, k), rng.beta(*high, k))


# By name and overdispersion. The two humps have 0.20 and 0.40 as well: a test checks all six.
TRUE = {
    ("beta", 0.2): _beta(0.7, 0.2),
    ("beta", 0.4): _beta(0.7, 0.4),
    ("two humps", 0.2): _humps(0.30, (8.0, 5.0), (13.0, 1.1)),
    ("two humps", 0.4): _humps(0.30, (3.0, 8.0), (14.0, 2.0)),
    ("near 1", 0.2): _beta(0.93, 0.2),
    ("near 1", 0.4): _beta(0.93, 0.4),
}
ACCURACY = {
    "power": lambda s: 0.35 + 0.6 * s**1.5,
    "sigmoid": lambda s: 0.15 + 0.8 * special.expit(9 * (s - 0.55)),
}
# Worlds that had no part in choosing or mending anything: other shapes, other curves.
UNSEEN = {
    ("beta", 0.1): _beta(0.8, 0.1),
    ("triangle", 0.22): lambda rng, k: rng.triangular(0.0, 0.9, 1.0, k),
    ("half at 1", 0.56): lambda rng, k: np.where(rng.random(k) < 0.5, 1.0, rng.random(k)),
    ("two ends", 0.64): _humps(0.35, (1.0, 9.0), (18.0, 2.0)),
}
UNSEEN_ACCURACY = {
    "square": lambda s: 0.25 + 0.65 * s**2,
    "late": lambda s: 0.3 + 0.6 * special.expit(14 * (s - 0.75)),
    "concave": lambda s: 0.9 - 0.5 * (1 - s) ** 2,
}
ALL_TRUE, ALL_ACCURACY = TRUE | UNSEEN, ACCURACY | UNSEEN_ACCURACY


def _shifted():
    """The logit at which workers of all strictnesses select an image as often as s, by s."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    logits = np.linspace(-12, 12, 4001)
    mean = special.expit(logits[:, None] + STRICTNESS * nodes) @ (weights / weights.sum())
    return mean, logits


_MEAN, _LOGIT = _shifted()


def overdispersion(true):
    s = ALL_TRUE[true](np.random.default_rng(1), 400_000)
    return s.var() / (s.mean() * (1 - s.mean()))


def frequencies_of(rng, true, pool, size=SIZE):
    """An original's true frequencies, or those of a pool with more of the ambiguous images."""
    s = ALL_TRUE[true](rng, size * 12)
    return s[rng.random(s.size) < ((1.25 - s) / 1.25 if pool else 0.25 + 0.75 * s)][:size]


def side(rng, true, accuracy, n, pool, gap, workers):
    """One set; with single votes of workers, strict or lax ones if ``workers``."""
    s = frequencies_of(rng, true, pool)
    right = rng.binomial(MODELS, np.clip(ALL_ACCURACY[accuracy](s) - gap * pool, 0, 1)) / MODELS
    if workers is None:  # nobody knows who voted
        return Judged(rng.binomial(n, s), np.full(SIZE, n), right)
    pages = np.stack([rng.permutation(WORKERS)[:n] for _ in range(SIZE // PAGE)])
    worker = pages[np.arange(SIZE) // PAGE]
    strictness = rng.normal(0, STRICTNESS, WORKERS)
    logit = np.interp(s, _MEAN, _LOGIT)
    chance = special.expit(logit[:, None] + strictness[worker]) if workers else s[:, None]
    yes = rng.random((SIZE, n)) < chance
    votes = SingleVotes(np.repeat(np.arange(SIZE), n), worker.ravel() + pool * WORKERS, yes.ravel())
    return Judged(yes.sum(axis=1), np.full(SIZE, n), right, votes=votes)
