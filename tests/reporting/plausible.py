"""A plausible report of a digits study that never took place: made up from one seed."""

from datetime import UTC, datetime, timedelta

import numpy as np
from sklearn.datasets import load_digits

from replicate.analysis.adjust import Judged, adjusted_gaps, gaps_by_votes
from replicate.analysis.intervals import wilson
from replicate.analysis.votes import heldout_difference
from replicate.base.images import encode_png
from replicate.reporting.balance import Balance, CovariateMean
from replicate.reporting.by_votes import AdjustedSet
from replicate.reporting.compare import compare
from replicate.reporting.data import (
    FunnelStep,
    ModelInfo,
    ReportData,
    SampleImage,
    Samples,
    ScoredSet,
    SetFrequencies,
    SetInfo,
    Strip,
)
from replicate.reporting.labelling import Labelling, RuleRow, WorkerRow
from replicate.reporting.provenance import Provenance, RunRow

FAMILIES = ("cnn", "linear", "mlp", "random-features", "vit")
CLASSES = tuple(str(i) for i in range(10))
SETS = (
    ("matched", "matched-frequency", 0.10, 3.0),
    ("threshold-0.7", "threshold", 0.055, 6.0),
    ("top", "top", 0.012, 30.0),
    ("uniform", "uniform", 0.15, 2.0),
)
CONTROLS = (
    ("original-reencoded", "The original, re-encoded by our own path: a gap of about zero.", 0.0),
    ("test-rest", "The other part of the test set, by the same writers: about zero.", 0.0),
    ("training-writers", "Held-out digits of the training writers: 1 to 2 points easier.", -0.015),
)


def _scored(rng, info, ability, drop, slope=1.4):
    accuracy = np.clip(0.99 - drop + slope * (ability - 0.97), 0.05, 0.999)
    hardness = rng.beta(0.35, 1.2, info.n)  # some images are hard for every model
    chance = 1 - np.minimum(1, hardness[:, None] / hardness.mean() * (1 - accuracy))
    right = rng.random((info.n, ability.size)) < chance
    classes = tuple(CLASSES[i % 10] for i in range(info.n))
    return ScoredSet(info, tuple(f"{f}-{i:02d}" for i, f in _zoo(ability.size)), right, classes)


def _zoo(n):
    return [(i, FAMILIES[i * len(FAMILIES) // n]) for i in range(n)]


def _info(name, role, n, **more):
    per_class = dict.fromkeys(CLASSES, n // 10)
    return SetInfo(name, role, n, digest=f"{abs(n * 7919):064x}", per_class=per_class, **more)


def _votes(rng, n, strength, shown=10):
    truth = rng.beta(strength, 0.5, n)
    return tuple(int(k) for k in rng.binomial(shown, truth)), (shown,) * n


def _samples(rng, name):
    digits = load_digits()
    strips = []
    for low in range(5):
        images = []
        for i in rng.integers(0, len(digits.images), 8 if low else 5):
            pixels = np.rint(digits.images[i] * 255 / 16).astype(np.uint8)
            data = encode_png(np.kron(pixels, np.ones((12, 12), np.uint8)))
            images.append(SampleImage(data, str(digits.target[i]), 2 * low + 1, 10))
        strips.append(Strip(f"{low / 5:.1f}–{low / 5 + 0.2:.1f}", 37 * low + 12, tuple(images)))
    return Samples(name, tuple(reversed(strips)))


def report_data(
    seed=1, *, n_models=20, simulated=True, exploratory=False, resamples=1000, bare=False
):
    """Fake but plausible data of a whole report; ``bare`` leaves out all that may be missing."""
    rng = np.random.default_rng(seed)
    ability = np.linspace(0.86, 0.992, n_models) + rng.normal(0, 0.006, n_models)
    ability = np.clip(ability, 0.5, 0.995)
    original = _scored(rng, _info("original", "original", 1000), ability, 0.02, 1.0)
    others = []
    for name, strategy, drop, _ in SETS:
        info = _info(
            name,
            "new",
            500,
            strategy=strategy,
            revision=1,
            filled=13 if name == "matched" else 0,
            parameters={"per_class": "50", "min_votes": "5", "holdout_votes": "3"},
            frozen=not exploratory,
            exploratory=exploratory,
        )
        others.append(_scored(rng, info, ability, drop))
    for name, expect, drop in CONTROLS:
        info = _info(name, "control", 800, expect=expect)
        others.append(_scored(rng, info, ability, drop + 0.02, 1.0))
    models = {
        name: ModelInfo(name, family, 10_000)
        for name, (_, family) in zip(original.models, _zoo(n_models), strict=True)
    }
    comparisons = compare(original, others, models, seed, resamples=resamples)
    return ReportData(
        title="Do digit classifiers generalise to new digits?",
        study="digits",
        level=0.95,
        resamples=resamples,
        simulated=simulated,
        simulated_source=simulated,
        original=original.info,
        comparisons=comparisons,
        frequencies=() if bare else _frequencies(rng, seed),
        samples=() if bare else tuple(_samples(rng, s) for s in ("original", "candidates")),
        funnel=() if bare else FUNNEL,
        labelling=None if bare else _labelling(rng),
        classes=tuple((c, f"the digit {c}") for c in CLASSES),
        exclusions=(),
        provenance=_provenance(seed),
        adjusted=() if bare else _adjusted(rng, seed),
    )


def _adjusted(rng, seed):
    """Two sets on three held-out votes, one that is too small, and one that has none."""
    found = []
    for name, size in (("matched", 400), ("top", 400), ("uniform", 5)):
        sides = []
        for strength in (4.5, 2.0):
            s = rng.beta(strength, 0.5, size)
            right = rng.binomial(20, 0.3 + 0.6 * s) / 20
            sides.append(Judged(rng.binomial(3, s), np.full(size, 3), right))
        gaps = adjusted_gaps(*sides, seed, name, resamples=100)
        at = gaps_by_votes(*sides, seed, name, resamples=50)
        found.append(AdjustedSet(name, True, size, size, gaps, at))
    return (*found, AdjustedSet("threshold-0.7", reason="no votes were kept out"))


def _labelling(rng):
    records = tuple(
        WorkerRow(
            worker=f"{number:032x}",
            votes=1300,
            controls=120,
            right=60 + 2 * number,
            accuracy=wilson(60 + 2 * number, 120),
            repeats=0,
            consistent=0,
            pages=27,
            all_or_none=0,
            seconds_per_page=float(rng.uniform(40, 90)),
            seconds_per_image=float("nan"),
            agreement=0.85,
            sensitivity=0.5 + 0.02 * number,
            specificity=0.5 + 0.02 * number,
            informedness_se=0.03,
            flags=("min_control_accuracy",) if number < 2 else (),
        )
        for number in range(24)
    )
    rules = (RuleRow("min_control_accuracy", 0.6, 24, 2), RuleRow("min_consistency", 0.7, 0, 0))
    return Labelling(
        92, 920, 3, 24, 2, 31_482, 0.934, 0.38, "$110.40",
        records=records, rules=rules, left_out=2600,
    )  # fmt: skip


BALANCE = Balance(
    (
        CovariateMean("year", 2010.0, 2012.0, 2010.2, 4.0, 0.5, 0.05),
        CovariateMean("size", 480.0, 520.0, 481.0, 100.0, 0.4, 0.01),
    ),
    -0.0104,
    0.001,
)


def _frequencies(rng, seed):
    k0, n0 = _votes(rng, 1000, 4.5)
    found = [SetFrequencies("original", "original", k0, n0, n_without=12)]
    found.append(SetFrequencies("candidates", "pool", *_votes(rng, 2600, 1.1)))
    for name, _, _, strength in SETS:
        k, n = _votes(rng, 500, strength)
        held = heldout_difference(
            rng.binomial(3, 0.9, 1000), [3] * 1000, rng.binomial(3, 0.86, 500), [3] * 500, seed
        )
        balance = BALANCE if name == "matched" else None
        found.append(SetFrequencies(name, "new", k, n, heldout=held, balance=balance))
    return tuple(found)


FUNNEL = (
    FunnelStep("found by search", 3000),
    FunnelStep("downloaded", 2871, {"not_found": 62, "truncated": 31, "not_an_image": 36}),
    FunnelStep("prepared", 2866, {"no_ink": 5}),
    FunnelStep(
        "not a near-duplicate",
        2713,
        {"duplicate_of_reference": 121, "duplicate_of_candidate": 32},
    ),
    FunnelStep("labelled", 2701, {"too_few_votes": 12}),
    FunnelStep("in a new set", 1322, {"not_drawn": 1379}),
)

PIPELINE = """# The digits study: a V2 of the UCI optdigits test set, offline, in minutes.

[study]
name = "digits"
seed = 2019

[[sample]]
name = "matched"
strategy = "matched-frequency"
per_class = 50
"""


def _provenance(seed):
    start = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    stages = ("gather", "prepare", "dedup", "publish", "collect", "sample", "score")
    runs = tuple(
        RunRow(
            i + 1,
            stage,
            start + timedelta(seconds=14 * i),
            start + timedelta(seconds=14 * i + 11.4),
            "done",
            1200 - 100 * i,
            0,
            {"not_found": 62} if stage == "gather" else {},
        )
        for i, stage in enumerate(stages)
    )
    return Provenance(
        pipeline=PIPELINE,
        pipeline_digest="3f" * 32,
        seed=seed,
        steps="digits-8x8@1",
        scored="The prepared image of every set, decoded from its own file.",
        votes_digest="ab" * 32,
        predictions_digest="cd" * 32,
        versions={"replicate": "0.1.0", "python": "3.11.9", "numpy": "2.1.0", "torch": "2.13.0"},
        runs=runs,
    )
