"""A million votes stored, frequencies recomputed, workers estimated (run with --benchmark-only).

Each is held against a plain loop in the same run, with equal results; the times are printed.
"""

from collections import defaultdict
from time import perf_counter

import numpy as np
import pytest
from scipy import special
from sqlalchemy import text
from support.votes import Page, store_pages

from replicate.analysis.dawid_skene import dawid_skene
from replicate.store import database, queries
from replicate.store.rules import take_over_rules
from replicate.store.workers import refresh_estimates

PAGES, EACH, WORKERS, IMAGES = 20_834, 48, 500, 100_000
RULES = {"min_control_accuracy": 0.3, "min_controls": 20.0}


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    rng = np.random.default_rng(1)
    roles = ["candidate"] * 42 + ["positive"] * 3 + ["negative"] * 3
    names = [f"{number:064x}" for number in range(IMAGES)]
    found = []
    for number in range(PAGES):
        chosen = rng.choice(IMAGES // 10, EACH, replace=False) * 10 + number % 10
        yes = rng.random(EACH) < 0.2 + 0.6 * (chosen % 7) / 7
        votes = tuple(
            (names[i], role, "yes" if said else "no")
            for i, role, said in zip(chosen, roles, yes, strict=True)
        )
        # Worker 0 does as much as the others and says yes to nothing.
        worker = int(rng.integers(WORKERS))
        if worker == 0:
            votes = tuple((image, role, "no") for image, role, _ in votes)
        found.append(Page(f"{number:030x}", f"{worker:032x}", f"c{number % 10}", votes))
    return found


@pytest.fixture(scope="module")
def engine(pages, tmp_path_factory):
    engine = database.connect(database.sqlite_url(tmp_path_factory.mktemp("million") / "study.db"))
    database.upgrade(engine)
    begin = perf_counter()
    for first in range(0, PAGES, 500):
        store_pages(engine, pages[first : first + 500])
    print(f"\n{PAGES * EACH:,} votes stored in {perf_counter() - begin:.1f} s")
    with database.session(engine) as session:
        take_over_rules(session, RULES)
    yield engine
    engine.dispose()


def _by_loops(pages: list[Page]) -> dict[tuple[str, str], tuple[int, int]]:
    """Who is flagged, and the frequencies without them: what the views say, in plain Python."""
    right, judged = defaultdict(int), defaultdict(int)
    wanted = {"positive": "yes", "negative": "no"}
    for page in pages:
        for _, role, value in page.votes:
            if role in wanted:
                judged[page.worker] += 1
                right[page.worker] += wanted[role] == value
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for page in pages:
        if judged[page.worker] >= 20 and right[page.worker] < 0.3 * judged[page.worker]:
            continue
        for image, _, value in page.votes:
            pair = counts[image, page.class_id]
            pair[0] += value == "yes"
            pair[1] += 1
    return {key: tuple(pair) for key, pair in counts.items()}


def test_frequencies_of_a_million_votes_are_recomputed_in_seconds(benchmark, engine, pages):
    begin = perf_counter()
    with database.session(engine) as session:
        rows = session.execute(
            text("SELECT assignment_id, image_id, class_id, worker_id, role, value FROM votes")
        ).all()
    read = perf_counter() - begin
    begin = perf_counter()
    expected = _by_loops(pages)
    by_loops = read + perf_counter() - begin
    assert len(rows) == PAGES * EACH

    def recompute():
        with database.session(engine) as session:
            return queries.frequencies(session)

    found = benchmark.pedantic(recompute, rounds=3, warmup_rounds=1)
    assert {(f.image_id, f.class_id): (f.selected, f.shown) for f in found} == expected
    best = benchmark.stats.stats.min
    print(f"\nfrequencies: {best:.2f} s in the database, {by_loops:.2f} s by reading and looping")
    assert best < by_loops


def test_dawid_and_skene_on_a_million_votes_beat_a_loop(benchmark):
    rng = np.random.default_rng(2)
    truth = rng.random(IMAGES) < 0.5
    image = np.repeat(np.arange(IMAGES), 10)
    worker = rng.integers(0, WORKERS, image.size)
    right = rng.uniform(0.75, 0.98, WORKERS)[worker]
    yes = truth[image] == (rng.random(image.size) < right)
    found = benchmark.pedantic(dawid_skene, args=(image, worker, yes), rounds=3, warmup_rounds=1)
    assert found.converged
    assert ((found.probability > 0.5) == truth).mean() > 0.99
    # One round of the loop, on a tenth of the votes, against a round of ours on all of them.
    some = slice(0, image.size // 10)
    votes = list(zip(image[some].tolist(), worker[some].tolist(), yes[some].tolist(), strict=True))
    begin = perf_counter()
    rates, _ = _one_round(votes)
    loop = (perf_counter() - begin) * 10
    ours = dawid_skene(image[some], worker[some], yes[some], max_iterations=1)
    assert ours.sensitivity == pytest.approx(rates[:, 1], abs=1e-9)
    assert ours.specificity == pytest.approx(rates[:, 0], abs=1e-9)
    per_round = benchmark.stats.stats.min / found.iterations
    print(f"\na round on a million votes: {per_round * 1e3:.0f} ms; by a loop {loop:.1f} s")
    assert per_round < loop / 10


def _one_round(votes):
    """Shares of yeses, rates, one E step and the rates again: by loops over the votes."""
    images, workers = max(v[0] for v in votes) + 1, max(v[1] for v in votes) + 1
    tally = [[0, 0] for _ in range(images)]
    for i, _, y in votes:
        tally[i][0] += y
        tally[i][1] += 1
    p = [yes / n if n else 0.5 for yes, n in tally]
    rates, pi = _rates(votes, p, workers)
    odds = [special.logit(pi)] * images
    logs = np.log([1 - rates[:, 1], rates[:, 1], rates[:, 0], 1 - rates[:, 0]]).tolist()
    for i, w, y in votes:
        odds[i] += logs[1][w] - logs[3][w] if y else logs[0][w] - logs[2][w]
    p = special.expit(odds).tolist()
    return _rates(votes, p, workers)[0], p


def _rates(votes, p, workers):
    right, total = np.ones((workers, 2)), np.full((workers, 2), 2.0)
    for i, w, y in votes:
        total[w, 1] += p[i]
        total[w, 0] += 1 - p[i]
        right[w, int(y)] += p[i] if y else 0
        right[w, 0] += 0 if y else 1 - p[i]
    return right / total, (sum(p) + 1) / (len(p) + 2)


def test_estimates_from_the_store_and_whether_they_are_fresh(benchmark, engine):
    with database.session(engine) as session:
        begin = perf_counter()
        first = refresh_estimates(session)
        making = perf_counter() - begin
        assert first is not None and first.n_votes == PAGES * EACH

    def look():
        with database.session(engine) as session:
            return refresh_estimates(session)

    again = benchmark.pedantic(look, rounds=3, warmup_rounds=1)
    assert again.votes_digest == first.votes_digest
    print(f"\nestimates made in {making:.1f} s, found fresh in {benchmark.stats.stats.min:.2f} s")
    assert benchmark.stats.stats.min < making / 2
