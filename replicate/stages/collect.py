"""collect: take over what workers sent, one row a vote, and pay for it.

Each HIT's new assignments and votes are stored in one transaction before anybody is paid; a HIT
is complete only when all its assignments are stored and decided. So a run that is cut off is
carried on by the next, with no vote lost or doubled and no assignment paid twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from replicate.base.errors import ItemError, MissingError
from replicate.crowd.answers import answer_votes, parse_answer
from replicate.crowd.composition import Slot
from replicate.crowd.providers import Provider, RawAssignment
from replicate.stages.common import Context, Tally, stage
from replicate.stages.labelling import mode_of, open_provider, worker_hash, worker_key
from replicate.store.rules import outcome
from replicate.store.tables import Assignment, Hit, HitImage, Vote
from replicate.store.workers import refresh_estimates
from replicate.study import Study


@dataclass(frozen=True)
class _Found:
    """What one HIT's visit brought."""

    new: int
    known: int
    pending: int


@stage("collect")
def collect(context: Context) -> Tally:
    """Store every submitted assignment of the open HITs, and approve it.

    In a sandbox the simulated workers do their work first.

    Raises:
        MissingError: No HIT is published.
    """
    study = context.study
    with study.session() as session:
        hits = session.scalars(
            select(Hit).where(Hit.hit_id.is_not(None)).order_by(Hit.class_id, Hit.number)
        ).all()
        collected = session.scalar(select(func.count()).select_from(Assignment)) or 0
    if not hits:
        raise MissingError("No HIT is published.", "Run first: replicate publish --plan")
    tally = Tally(skipped=collected, details={"mode": mode_of(study)})
    _retry(context, tally)
    waiting = [hit for hit in hits if hit.status != "complete"]
    pending = 0
    if waiting:
        provider = open_provider(context)
        context.world.simulate_work()
        key = worker_key(study)
        for position, hit in enumerate(waiting):
            context.progress("collecting HITs", position, len(waiting))
            found = _visit(context, provider, hit, key, tally)
            tally.done += found.new
            pending += found.pending
        context.progress("collecting HITs", len(waiting), len(waiting))
        _say_left_out(provider, tally)
    tally.details["pending"] = pending
    _say(study, tally, pending)
    return tally


def _visit(context: Context, provider: Provider, hit: Hit, key: bytes, tally: Tally) -> _Found:
    """Store a HIT's new assignments, approve what is submitted, and see what is to come."""
    study = context.study
    listed = list(provider.assignments(hit.hit_id or ""))
    with study.session() as session:
        known = {
            row.assignment_id: row
            for row in session.scalars(select(Assignment).where(Assignment.hit_key == hit.hit_key))
        }
        slots = _slots(session, hit.hit_key)
        new = [item for item in listed if item.assignment_id not in known]
        for item in listed:
            if item.assignment_id in known:
                known[item.assignment_id].status = item.status
        _store(session, hit, slots, new, key, provider.simulated, tally)
    submitted = [item.assignment_id for item in listed if item.status == "Submitted"]
    for assignment_id in submitted:
        provider.approve(assignment_id)
    pending = _still_to_come(provider, hit, len(listed))
    with study.session() as session:
        for assignment_id in submitted:
            session.get_one(Assignment, assignment_id).status = "Approved"
        if pending == 0:
            session.get_one(Hit, hit.hit_key).status = "complete"
    return _Found(len(new), len(known), pending)


def _say_left_out(provider: Provider, tally: Tally) -> None:
    """What came back and belongs to no page: counted by reason, the first of each named."""
    for item in provider.left_out():
        if item.reason not in tally.failed:
            tally.notes.append(f"{item.reason}: {item.where}")
        tally.failed[item.reason] += 1


def _still_to_come(provider: Provider, hit: Hit, listed: int) -> int:
    """How many assignments of a HIT may still be sent."""
    if listed >= hit.assignments:
        return 0
    progress = provider.progress(hit.hit_id or "")
    if progress.status in ("Reviewable", "Reviewing", "Disposed"):
        return 0  # it ended before all were done: nobody can send any more
    return max(1, progress.wanted - listed)


def _store(
    session: Session,
    hit: Hit,
    slots: Sequence[Slot],
    new: Sequence[RawAssignment],
    key: bytes,
    simulated: bool,
    tally: Tally,
) -> None:
    votes: list[dict[str, object]] = []
    for item in new:
        worker = worker_hash(key, item.worker_id)
        row = Assignment(
            assignment_id=item.assignment_id,
            hit_key=hit.hit_key,
            worker_id=worker,
            status=item.status,
            accepted_at=item.accepted,
            submitted_at=item.submitted,
            seconds=_seconds(item),
            answer=item.answer,
            simulated=simulated,
        )
        session.add(row)
        votes += _votes(row, hit.class_id, slots, tally)
    session.flush()
    if votes:
        session.execute(insert(Vote), votes)


def _votes(
    row: Assignment, class_id: str, slots: Sequence[Slot], tally: Tally
) -> list[dict[str, object]]:
    """The rows of an assignment's votes; a malformed answer gives none, and a reason."""
    try:
        answer = parse_answer(row.answer)
        votes = answer_votes(answer, slots)
    except ItemError as error:
        row.reason = error.reason
        tally.failed[error.reason] += 1
        return []
    row.reason = None
    return [
        {
            "assignment_id": row.assignment_id,
            "slot": slot.slot_id,
            "image_id": slot.image_id,
            "class_id": class_id,
            "worker_id": row.worker_id,
            "role": slot.role,
            "value": votes[slot.slot_id],
            "milliseconds": _whole(answer.times.get(slot.slot_id)),
        }
        for slot in slots
    ]


def _retry(context: Context, tally: Tally) -> None:
    """Read answers again that could not be read; a newer version may understand them."""
    if not context.options.retry_failed:
        return
    with context.study.session() as session:
        for row in session.scalars(select(Assignment).where(Assignment.reason.is_not(None))).all():
            if context.retries(row.reason):
                hit = session.get_one(Hit, row.hit_key)
                votes = _votes(row, hit.class_id, _slots(session, row.hit_key), tally)
                if votes:
                    session.execute(insert(Vote), votes)
                    tally.done += 1


def _slots(session: Session, hit_key: str) -> list[Slot]:
    rows = session.scalars(
        select(HitImage).where(HitImage.hit_key == hit_key).order_by(HitImage.slot)
    )
    return [Slot(row.slot, row.image_id, row.role) for row in rows]  # type: ignore[arg-type]


def _say(study: Study, tally: Tally, pending: int) -> None:
    with study.session() as session:
        refresh_estimates(session)
        found = outcome(session)
    tally.details["workers"], tally.details["flagged_workers"] = found.workers, found.flagged
    tally.details["flagged_by_rule"] = {item.rule: item.flagged for item in found.rules}
    tally.notes += [note for note in (found.sentence(), *found.idle()) if note]
    if pending:
        tally.notes.append(
            f"{pending} assignments are still to come. Collect again later: replicate collect"
        )


def _whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else min(round(milliseconds), 2**31 - 1)


def _seconds(item: RawAssignment) -> float | None:
    """How long a worker had the page; None if the crowd does not say."""
    if item.accepted is None or item.submitted is None:
        return None
    return max((item.submitted - item.accepted).total_seconds(), 0.0)
