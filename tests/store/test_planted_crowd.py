"""A crowd whose abilities are known: rates and frequencies are recovered, spammers are flagged.

Six of forty workers are spammers of the four usual kinds; ten workers do each page.
"""

import numpy as np
import pytest
from support.votes import Page, store_pages

from replicate.store import database, queries
from replicate.store.rules import outcome, take_over_rules
from replicate.store.workers import worker_records

WORKERS = 40
KINDS = {0: "random", 1: "random", 2: "all yes", 3: "all yes", 4: "all none", 5: "hasty"}
LEAST = {
    "min_controls": 20.0,
    "min_repeats": 10.0,
    "min_pages": 3.0,
    "min_compared": 50.0,
    "min_each_kind": 10.0,
}


class Crowd:
    """Pages of 24 candidates, 3 positive and 3 negative controls, and 6 repeats."""

    def __init__(self, seed: int, pages: int = 100, each: int = 10) -> None:
        rng = np.random.default_rng(seed)
        self.sensitivity = rng.uniform(0.85, 0.98, WORKERS)
        self.specificity = rng.uniform(0.9, 0.99, WORKERS)
        for worker, kind in KINDS.items():
            chance = {"random": 0.5, "all yes": 1.0, "all none": 0.0, "hasty": 0.5}[kind]
            self.sensitivity[worker], self.specificity[worker] = chance, 1 - chance
        self.truth: dict[str, bool] = {}
        self.pages = [
            self._page(rng, number, int(worker))
            for number in range(pages)
            for worker in rng.choice(WORKERS, each, replace=False)
        ]

    def _page(self, rng: np.random.Generator, number: int, worker: int) -> Page:
        images = [(f"image {number}.{place}", "candidate") for place in range(24)]
        images += [(f"positive {number}.{place}", "positive") for place in range(3)]
        images += [(f"negative {number}.{place}", "negative") for place in range(3)]
        images += [(images[place][0], "repeat") for place in range(6)]
        fixed = np.random.default_rng([7, number])
        for image, role in images:
            if role != "repeat":
                chance = {"candidate": 0.6, "positive": 1.0, "negative": 0.0}[role]
                self.truth[image] = bool(fixed.random() < chance)
        votes = []
        for image, role in images:
            right = self.sensitivity[worker] if self.truth[image] else self.specificity[worker]
            yes = self.truth[image] == (rng.random() < right)
            votes.append((image, role, "yes" if yes else "no"))
        seconds = rng.uniform(3, 15) if KINDS.get(worker) == "hasty" else rng.uniform(40, 200)
        name = f"page {number} by {worker:02d}"
        return Page(name, f"w{worker:02d}", "c", tuple(votes), seconds=float(seconds))

    def frequency(self, image: str) -> float:
        """What the careful workers would select the image at, on average."""
        careful = [w for w in range(WORKERS) if w not in KINDS]
        if self.truth[image]:
            return float(self.sensitivity[careful].mean())
        return float(1 - self.specificity[careful].mean())


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd(11)


@pytest.fixture(scope="module")
def engine(crowd, tmp_path_factory):
    engine = database.connect(database.sqlite_url(tmp_path_factory.mktemp("planted") / "study.db"))
    database.upgrade(engine)
    store_pages(engine, crowd.pages)
    yield engine
    engine.dispose()


def _flagged(engine, **rules: float) -> set[int]:
    with database.session(engine) as session:
        take_over_rules(session, rules | LEAST)
        found = outcome(session)
        flagged = {int(r.worker[1:]) for r in worker_records(session) if r.flags}
    assert found.flagged == len(flagged)
    return flagged


def test_rates_are_recovered(engine, crowd):
    with database.session(engine) as session:
        records = worker_records(session)
    assert len(records) == WORKERS
    for record in records:
        worker = int(record.worker[1:])
        planted = crowd.sensitivity[worker] + crowd.specificity[worker] - 1
        # Some 750 votes each: four standard errors, and never more than an eighth.
        assert abs(record.informedness - planted) < min(4 * record.informedness_se, 0.125), worker
    errors = [r.sensitivity - crowd.sensitivity[int(r.worker[1:])] for r in records]
    assert np.abs(errors).mean() < 0.02


EVERY = set(KINDS)


@pytest.mark.parametrize(
    ("rules", "caught"),
    [
        ({"min_control_accuracy": 0.7}, EVERY),
        ({"min_informedness": 0.4}, EVERY),
        ({"min_agreement": 0.7}, EVERY),
        ({"min_consistency": 0.7}, {w for w, kind in KINDS.items() if kind in ("random", "hasty")}),
        ({"max_all_or_none": 0.5}, {w for w, kind in KINDS.items() if kind.startswith("all")}),
        ({"min_seconds_per_page": 20.0}, {5}),
        ({"min_seconds_per_image": 0.5}, {5}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_rule_catches_the_spammers_that_it_is_made_for_and_nobody_else(engine, rules, caught):
    assert _flagged(engine, **rules) == caught


def test_without_the_spammers_frequencies_are_those_of_careful_workers(engine, crowd):
    def worst() -> tuple[float, float]:
        with database.session(engine) as session:
            rows = queries.frequencies(session)
        errors = [row.selected / row.shown - crowd.frequency(row.image_id) for row in rows]
        true = [e for e, row in zip(errors, rows, strict=True) if crowd.truth[row.image_id]]
        false = [e for e, row in zip(errors, rows, strict=True) if not crowd.truth[row.image_id]]
        return float(np.mean(true)), float(np.mean(false))

    assert _flagged(engine) == set()
    naive = worst()
    assert _flagged(engine, min_control_accuracy=0.7) == EVERY
    ruled = worst()
    # Six spammers of forty pull true yeses down and true noes up by several points.
    assert naive[0] < -0.03 and naive[1] > 0.03
    assert abs(ruled[0]) < 0.015 and abs(ruled[1]) < 0.015


def test_few_false_flags_and_few_misses_over_many_crowds(tmp_path_factory):
    """Recall and false flags of the rule on controls and of the model, over ten crowds."""
    missed = wrong = 0
    for seed in range(10):
        folder = tmp_path_factory.mktemp("crowd")
        engine = database.connect(database.sqlite_url(folder / "study.db"))
        database.upgrade(engine)
        store_pages(engine, Crowd(seed, pages=16).pages)
        flagged = _flagged(engine, min_control_accuracy=0.7, min_informedness=0.3)
        missed += len(EVERY - flagged)
        wrong += len(flagged - EVERY)
        engine.dispose()
    # Four pages each are little; still at most 1 in 20 of the 60 spammers is missed, and at most
    # 1 in 100 of the 340 careful workers wronged.
    assert missed <= 3
    assert wrong <= 3
