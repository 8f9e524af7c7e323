"""How far a study is: counts by stage, read from what the stages stored."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from replicate.store.safety import reported
from replicate.store.tables import (
    Assignment,
    Candidate,
    DedupDecision,
    Hit,
    Prediction,
    PreparedImage,
    Run,
    TestSet,
)
from replicate.store.takedowns import in_force, taken_down

_DONE: dict[str, Any] = {
    "gather": select(func.count()).select_from(Candidate).where(Candidate.status == "ok"),
    "prepare": select(func.count()).select_from(PreparedImage).where(PreparedImage.status == "ok"),
    "dedup": select(func.count()).select_from(DedupDecision),
    "publish": select(func.count()).select_from(Hit).where(Hit.hit_id.is_not(None)),
    "collect": select(func.count()).select_from(Assignment).where(Assignment.reason.is_(None)),
    "sample": select(func.count()).select_from(TestSet),
    "score": select(func.count()).select_from(Prediction).where(Prediction.status == "ok"),
    "report": select(func.count())
    .select_from(Run)
    .where(Run.stage == "report", Run.status == "done", Run.done > 0),
}
_FAILED: dict[str, Any] = {
    "gather": select(Candidate.reason, func.count())
    .where(Candidate.status == "failed")
    .group_by(Candidate.reason),
    "prepare": select(PreparedImage.reason, func.count())
    .where(PreparedImage.status == "failed")
    .group_by(PreparedImage.reason),
    "collect": select(Assignment.reason, func.count())
    .where(Assignment.reason.is_not(None))
    .group_by(Assignment.reason),
    "score": select(Prediction.reason, func.count())
    .where(Prediction.status == "failed")
    .group_by(Prediction.reason),
}


def stage_counts(session: Session, stages: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By stage: what is done, what failed by reason, and how its newest run ended.

    Args:
        session: An open session.
        stages: The stages, in order.

    Returns:
        ``{stage: {"done": int, "failed": {reason: int}, "last_run": status or None}}``.
    """
    last = {
        row.stage: row.status
        for row in session.execute(select(Run.stage, Run.status).order_by(Run.run_id)).all()
    }
    counts: dict[str, dict[str, Any]] = {}
    for name in stages:
        failed = session.execute(_FAILED[name]).all() if name in _FAILED else []
        counts[name] = {
            "done": session.scalar(_DONE[name]) or 0,
            "failed": {str(reason): n for reason, n in sorted(failed, key=str)},
            "last_run": last.get(name),
        }
    return counts


def objections(session: Session) -> dict[str, int]:
    """How many takedowns are in force and images they name; images reported, and held for it."""
    down = taken_down(session)
    rows = [row for row in reported(session) if row.image_id not in down]
    return {
        "takedowns": len(in_force(session)),
        "images": len(down),
        "reported": len(rows),
        "held": sum(row.held for row in rows),
    }
