"""Dedup follows reviewers: same goes, different stays, and what is taken back counts no more."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from stages.pools import Pool, make_pool

from replicate.stages.dedup import dedup
from replicate.store.reviews import Given, Pair, add_verdict
from replicate.store.tables import DedupDecision, DuplicatePair

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    made = make_pool(tmp_path_factory.mktemp("reviewed"), 300, train=False)
    dedup(made.context())
    return made


def decisions(pool: Pool) -> dict[str, tuple[bool, str | None]]:
    with pool.study.session() as session:
        rows = session.scalars(select(DedupDecision))
        return {row.image_id: (row.keep, row.because_of) for row in rows}


def say(pool: Pool, pair: Pair, verdict: str) -> None:
    with pool.study.session() as session:
        add_verdict(session, pair, Given("ada", verdict, NOW))


def test_verdicts_go_before_pixels(pool: Pool) -> None:
    before = decisions(pool)
    dropped = {image: row[1] for image, row in before.items() if not row[0] and row[1]}
    with pool.study.session() as session:
        pairs = {(r.reference_id, r.candidate_id) for r in session.scalars(select(DuplicatePair))}
    image, cause = next((i, c) for i, c in sorted(dropped.items()) if (c, i) in pairs)
    others = [p for p in pairs if image in p and p != (cause, image)]
    assert dedup(pool.context()).tally.done == 0

    for pair in [(cause, image), *others]:
        say(pool, pair, "different")
    result = dedup(pool.context()).tally
    assert result.done >= len(dropped) and "Reviewers contradict" in result.notes[-1]
    kept = decisions(pool)
    assert kept[image] == (True, None)
    assert {i: row for i, row in kept.items() if i != image} == {
        i: row for i, row in before.items() if i != image
    }
    assert dedup(pool.context()).tally.done == 0

    say(pool, (cause, image), "same")
    dedup(pool.context())
    assert decisions(pool)[image] == (False, cause)
    assert dedup(pool.context()).tally.done == 0


def test_what_only_reviewers_call_the_same_goes_until_they_take_it_back(pool: Pool) -> None:
    before = decisions(pool)
    first, second = sorted(image for image, row in before.items() if row[0])[:2]
    with pool.study.session() as session:
        row = {"reference_id": first, "candidate_id": second, "distance": 12}
        session.add(
            DuplicatePair(**row, reference_set="candidates", pixel_distance=0.1, verdict="unsure")
        )
    assert dedup(pool.context()).tally.done == 0  # unsure pairs stay
    say(pool, (first, second), "same")
    dedup(pool.context())
    now = decisions(pool)
    gone = {image for image in (first, second) if not now[image][0]}
    assert len(gone) == 1
    assert now[next(iter(gone))][1] in {first, second} - gone
    assert dedup(pool.context()).tally.done == 0
    say(pool, (first, second), "withdrawn")
    say(pool, (first, second), "unsure")
    dedup(pool.context())
    assert decisions(pool) == before
