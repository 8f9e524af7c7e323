"""A digits study with a frozen set of 30 images, their votes, owners and licences; no servers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, select
from stages.scoring import draw, make_study
from support.clocks import ManualClock

from replicate.stages.freezing import drawn_from, freeze
from replicate.store.tables import (
    Assignment,
    Batch,
    Candidate,
    DedupDecision,
    Hit,
    PreparedImage,
    Query,
    Run,
    TestSet,
    TestSetImage,
    Vote,
)
from replicate.study import Study

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOSTILE = '=cmd|" /C calc"!A0'
VOTERS = 6


def make_published(root: Path, simulated: bool = True) -> Study:
    """The study; its set is ``top-1``, and ``uniform-1`` is drawn but not frozen."""
    study = make_study(root, frozen=False)
    draw(study, "uniform", "test-rest", slice(3, 5), frozen=False)
    with study.session() as session:
        rows = session.scalars(
            select(TestSetImage).order_by(TestSetImage.name, TestSetImage.position)
        ).all()
        session.execute(
            insert(Run).values(
                run_id=1, stage="gather", versions={}, seed=7, pipeline_digest="", status="done",
                started_at=NOW, ended_at=NOW + timedelta(days=2), done=1, skipped=0,
                failed={}, details={},
            )
        )  # fmt: skip
        session.execute(
            insert(Query).values(
                query_id="q", source="flickr", class_id="0", term="zero", page=1, fetched=0,
                new=0, run_id=1,
            )
        )  # fmt: skip
        session.execute(
            insert(Candidate),
            [_candidate(number, row) for number, row in enumerate(rows)],
        )
        session.execute(
            insert(DedupDecision),
            [{"image_id": r.image_id, "class_id": r.class_id, "keep": True} for r in rows],
        )
        for prepared_id in session.scalars(select(PreparedImage.prepared_id)):
            study.displays.adopt(study.prepared, str(prepared_id))
        _vote(session, rows, simulated)
        for row in session.scalars(select(TestSet)):
            row.drawn_from = drawn_from(session, study, NOW)
    freeze(study, "top", ManualClock(NOW))
    return study


def _candidate(number: int, row: TestSetImage) -> dict[str, object]:
    return {
        "source": "flickr",
        "source_id": f"p{number}",
        "class_id": row.class_id,
        "position": number,
        "query_id": "q",
        "url": f"https://live.example.org/{number}.jpg",
        "page_url": f"https://www.example.org/photos/{number}",
        "owner": f"owner {number % 4}",
        "title": HOSTILE if number == 0 else f"[a] digit, *{number}*",
        "licence": str(number % 3),
        "status": "ok",
        "attempts": 1,
        "image_id": row.image_id,
    }


def _vote(session, rows, simulated: bool) -> None:  # type: ignore[no-untyped-def]
    session.execute(
        insert(Batch).values(
            batch_id=1, mode="crowd at http://10.0.0.7:8700: some people", provider="crowd",
            endpoint="http://10.0.0.7:8700", simulated=simulated, hits=1, assignments=VOTERS,
            reward="0.60", fees="0.00", composition={}, composition_digest="", confirmed_by="ada",
            confirmed_at=NOW,
        )
    )  # fmt: skip
    session.execute(
        insert(Hit).values(
            hit_key="h", class_id="0", number=0, assignments=VOTERS, reward="0.10", hit_id="H",
            status="complete", batch_id=1,
        )
    )  # fmt: skip
    session.execute(
        insert(Assignment),
        [
            {
                "assignment_id": f"secret-assignment-{j}",
                "hit_key": "h",
                "worker_id": f"hash{j}",
                "status": "Approved",
                "submitted_at": NOW,
                "answer": "{}",
                "simulated": simulated,
            }
            for j in range(VOTERS)
        ],
    )
    session.execute(
        insert(Vote),
        [
            {
                "assignment_id": f"secret-assignment-{j}",
                "slot": f"i{slot}",
                "image_id": row.image_id,
                "class_id": row.class_id,
                "worker_id": f"hash{j}",
                "role": "candidate",
                "value": "yes" if (slot + j) % 4 else "no",
            }
            for slot, row in enumerate(rows)
            for j in range(VOTERS)
        ],
    )
