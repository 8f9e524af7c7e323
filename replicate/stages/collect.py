"""collect: take over what workers sent, one row a vote, and pay for it.

Each HIT's new assignments, their votes and what is owed for them are stored in one transaction
before anybody is paid; a HIT is complete only when all its assignments are stored and decided.
So a run that is cut off is carried on by the next, with no vote lost or doubled and no assignment
paid twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from replicate.base.errors import ItemError, MissingError
from replicate.crowd.answers import answer_votes, parse_answer
from replicate.crowd.composition import Slot
from replicate.crowd.cost import FeeTable, fee_table
from replicate.crowd.providers import Provider, RawAssignment
from replicate.crowd.submissions import is_withdrawn
from replicate.stages import ledger
from replicate.stages.common import Context, Tally, stage
from replicate.stages.crowds import crowd_kind
from replicate.stages.labelling import mode_of, open_provider, worker_hash, worker_key
from replicate.stages.publish_rounds import disputes_to_publish
from replicate.store.progress import objections
from replicate.store.rules import outcome
from replicate.store.safety import WORKER, forget_reports, report_unsafe
from replicate.store.tables import Assignment, Hit, HitImage, Vote
from replicate.store.workers import update_estimates
from replicate.study import Study

_ENDED = ("Reviewable", "Reviewing", "Disposed")  # states in which nobody can send any more


@dataclass(frozen=True)
class _Found:
    """What one HIT's visit brought.

    Attributes:
        new: Assignments that were not stored before.
        pending: Assignments that may still be sent.
        undecided: Assignments that are stored, and that the provider will approve in time.
        missing: Assignments that nobody can send any more: the HIT has ended.
        withdrawn: Assignments that were stored, and that their workers have taken back, or
            that the provider no longer has.
    """

    new: int
    pending: int
    undecided: int
    missing: int
    withdrawn: int


@dataclass(frozen=True)
class _Desk:
    """What all visits share."""

    context: Context
    provider: Provider
    key: bytes
    fees: FeeTable


@stage("collect")
def collect(context: Context) -> Tally:
    """Store every submitted assignment of the open HITs, and approve it.

    In a sandbox the simulated workers do their work first.

    Raises:
        MissingError: No HIT is published.
        GuardError: Real and simulated workers would be mixed.
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
    here = [hit for hit in hits if hit.status != "imported"]
    waiting = [hit for hit in here if hit.status == "published" or context.options.recheck]
    found = []
    if waiting:
        desk = _Desk(
            context,
            open_provider(context),
            worker_key(study),
            fee_table(study.pipeline.label.provider),
        )
        context.world.simulate_work()
        for position, hit in enumerate(waiting):
            context.progress("collecting HITs", position, len(waiting))
            found.append(_visit(desk, hit, tally))
        context.progress("collecting HITs", len(waiting), len(waiting))
        _say_left_out(desk.provider, tally)
    tally.done += sum(each.new for each in found)
    _say(study, tally, found)
    return tally


def _visit(desk: _Desk, hit: Hit, tally: Tally) -> _Found:
    """Store a HIT's new assignments, approve what is submitted, and see what is to come."""
    study, now = desk.context.study, desk.context.clock.now()
    listed = list(desk.provider.assignments(hit.hit_id or ""))
    book = ledger.Ledger(hit, desk.fees, desk.provider.mode, study.pipeline.label.pay)
    with study.session() as session:
        known = {
            row.assignment_id: row
            for row in session.scalars(select(Assignment).where(Assignment.hit_key == hit.hit_key))
        }
        new = [item for item in listed if item.assignment_id not in known]
        states = {item.assignment_id: str(item.status) for item in listed}
        # Work that the provider no longer has was withdrawn: it is kept, and counts no more.
        states.update(dict.fromkeys(known.keys() - states.keys(), "Withdrawn"))
        # What its worker took back is deleted, and paid as it was to be.
        taken_back = {item.assignment_id for item in listed if is_withdrawn(item.answer)}
        shown = states | dict.fromkeys(taken_back, "Withdrawn")
        gone = {name for name, row in known.items() if shown[name] == "Withdrawn" != row.status}
        for name, row in known.items():
            row.status = shown[name]
        _delete(session, [known[name] for name in sorted(gone & taken_back)])
        _store(session, desk, hit, new, tally)
        due = book.write(session, sorted(states.items()), now)
    for assignment_id in due:
        desk.provider.approve(assignment_id)
    undecided = sum(item.status == "Submitted" for item in listed) - len(due)
    pending, missing = _still_to_come(desk.provider, hit, len(listed))
    ended = "expired" if missing else "complete"
    state = "published" if pending or undecided else ended
    with study.session() as session:
        session.execute(
            update(Assignment)
            .where(Assignment.assignment_id.in_(due), Assignment.status != "Withdrawn")
            .values(status="Approved")
        )
        book.confirm(session, due, desk.context.clock.now())
        session.execute(update(Hit).where(Hit.hit_key == hit.hit_key).values(status=state))
    return _Found(len(new), pending, undecided, missing, len(gone))


def _say_left_out(provider: Provider, tally: Tally) -> None:
    """What came back and belongs to no page: counted by reason, the first of each named."""
    for item in provider.left_out():
        if item.reason not in tally.failed:
            tally.notes.append(f"{item.reason}: {item.where}")
        tally.failed[item.reason] += 1


def _still_to_come(provider: Provider, hit: Hit, listed: int) -> tuple[int, int]:
    """How many assignments of a HIT may still be sent, and how many nobody can send any more."""
    if listed >= hit.assignments:
        return 0, 0
    progress = provider.progress(hit.hit_id or "")
    if progress.status in _ENDED:
        return 0, hit.assignments - listed
    return max(1, progress.wanted - listed), 0


def _store(
    session: Session, desk: _Desk, hit: Hit, new: Sequence[RawAssignment], tally: Tally
) -> None:
    if not new:
        return
    slots = _slots(session, hit.hit_key)
    votes: list[dict[str, object]] = []
    unsafe: list[tuple[Assignment, list[str]]] = []
    rows = []
    for item in new:
        row = Assignment(
            assignment_id=item.assignment_id,
            hit_key=hit.hit_key,
            worker_id=worker_hash(desk.key, item.worker_id),
            status=item.status,
            accepted_at=item.accepted,
            submitted_at=item.submitted,
            seconds=_seconds(item),
            answer=item.answer,
            simulated=desk.provider.simulated,
        )
        votes += _votes(row, hit.class_id, slots, tally)
        unsafe.append((row, _unsafe(row, slots)))
        rows.append(row)
    session.add_all(rows)
    session.flush()
    if votes:
        session.execute(insert(Vote), votes)
    for row, images in unsafe:
        _report(session, row, images, desk.context.clock.now())


def _delete(session: Session, rows: Sequence[Assignment]) -> None:
    """Delete the answers, votes and reports of work that its workers took back."""
    for row in rows:
        row.answer, row.reason = "", None
    names = [row.assignment_id for row in rows]
    forget_reports(session, names)
    session.execute(delete(Vote).where(Vote.assignment_id.in_(names)))


def _votes(
    row: Assignment, class_id: str, slots: Sequence[Slot], tally: Tally
) -> list[dict[str, object]]:
    """The rows of an assignment's votes; a malformed answer gives none, and a reason."""
    if is_withdrawn(row.answer):
        row.status, row.answer, row.reason = "Withdrawn", "", None
        return []
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


def _unsafe(row: Assignment, slots: Sequence[Slot]) -> list[str]:
    """The images that an answer reports as unsafe; none if it could not be read."""
    if row.reason is not None or "unsafe" not in row.answer:  # nearly always
        return []
    wanted = set(parse_answer(row.answer).unsafe)
    return [slot.image_id for slot in slots if slot.slot_id in wanted]


def _report(session: Session, row: Assignment, images: Sequence[str], now: datetime) -> None:
    report_unsafe(session, images, row.worker_id, WORKER, now, assignment_id=row.assignment_id)


def _retry(context: Context, tally: Tally) -> None:
    """Read answers again that could not be read; a newer version may understand them."""
    if not context.options.retry_failed:
        return
    with context.study.session() as session:
        for row in session.scalars(select(Assignment).where(Assignment.reason.is_not(None))).all():
            if context.retries(row.reason):
                hit = session.get_one(Hit, row.hit_key)
                slots = _slots(session, row.hit_key)
                votes = _votes(row, hit.class_id, slots, tally)
                if votes:
                    session.execute(insert(Vote), votes)
                    _report(session, row, _unsafe(row, slots), context.clock.now())
                    tally.done += 1


def _slots(session: Session, hit_key: str) -> list[Slot]:
    rows = session.scalars(
        select(HitImage).where(HitImage.hit_key == hit_key).order_by(HitImage.slot)
    )
    return [Slot(row.slot, row.image_id, row.role) for row in rows]  # type: ignore[arg-type]


def _say(study: Study, tally: Tally, visits: Sequence[_Found]) -> None:
    update_estimates(study.engine)
    with study.session() as session:
        found = outcome(session)
        paid = ledger.sums(session)
        disputes = disputes_to_publish(session, study)
        objected = objections(session)
    if objected["held"]:
        tally.notes.append(
            f"{objected['held']} images are reported as unsafe and held back until somebody looks "
            "at them: replicate takedown reported"
        )
    if disputes:
        tally.details["disputed"] = disputes
        tally.notes.append(
            f"The experts disagree on {disputes} images. They come back to them: "
            "replicate publish --plan"
        )
    pending, undecided = sum(v.pending for v in visits), sum(v.undecided for v in visits)
    missing, withdrawn = sum(v.missing for v in visits), sum(v.withdrawn for v in visits)
    tally.details |= {
        "pending": pending,
        "undecided": undecided,
        "missing": missing,
        "withdrawn": withdrawn,
        "workers": found.workers,
        "flagged_workers": found.flagged,
        "flagged_by_rule": {item.rule: item.flagged for item in found.rules},
        "paid_assignments": paid.assignments,
        "paid": str(paid.paid),
        "fees": str(paid.fees),
    }
    if visits and paid.assignments:
        tally.notes.append(
            f"{paid.assignments} assignments are approved: ${paid.paid} to workers and "
            f"${paid.fees} in fees ({tally.details['mode']})."
        )
    tally.notes += [note for note in (found.sentence(), *found.idle()) if note]
    if withdrawn:
        tally.notes.append(f"{withdrawn} assignments were withdrawn; they count no more.")
    if pending:
        tally.notes.append(
            f"{pending} assignments are still to come. "
            + (
                "Go on with them: replicate annotate"
                if crowd_kind(study) == "annotate"
                else "Collect again later: replicate collect"
            )
        )
    if undecided:
        tally.notes.append(
            f"{undecided} assignments wait for their automatic approval ([label] pay)."
        )
    if missing:
        ended = sum(v.missing > 0 for v in visits)
        tally.notes.append(
            f"{ended} HITs ended with {missing} assignments missing. To ask again about images "
            "with fewer than N votes: replicate publish --plan --top-up N. Or let workers go on "
            "where the HITs are, and then: replicate collect --recheck"
        )


def _whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else min(round(milliseconds), 2**31 - 1)


def _seconds(item: RawAssignment) -> float | None:
    """How long a worker had the page; None if the crowd does not say."""
    if item.accepted is None or item.submitted is None:
        return None
    return max((item.submitted - item.accepted).total_seconds(), 0.0)
