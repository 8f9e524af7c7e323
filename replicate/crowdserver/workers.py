"""What workers do: take up a HIT, give it back, send it in."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from replicate.crowdserver import names
from replicate.crowdserver.admin import token_hash
from replicate.crowdserver.context import Context
from replicate.crowdserver.questions import answers_xml
from replicate.crowdserver.states import DONE, OPEN, TAKEN
from replicate.crowdserver.tables import Assignment, Hit, HitType, Invitation, Worker

PAGE = 200  # HITs on one page of the list


class WorkerError(Exception):
    """Something that a worker is told.

    Args:
        status: The HTTP status.
        title: What it is, in a few words.
        message: What it means for the worker.
    """

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.message = message


@dataclass(frozen=True)
class Offer:
    """A HIT on a worker's list."""

    serial: int
    hit_id: str
    title: str
    description: str
    reward: str
    duration: int
    max_assignments: int
    remaining: int
    assignment_id: str | None = None


_TERMS = (HitType.title, HitType.description, HitType.reward, HitType.duration)
_TASK: Select[Any] = (
    select(
        *Assignment.__table__.columns,
        *_TERMS,
        Hit.question,
        Hit.disposed,
        HitType.auto_approval_delay,
    )
    .join(Hit, Hit.hit_id == Assignment.hit_id)
    .join(HitType, HitType.hit_type_id == Hit.hit_type_id)
)
_OFFERS: Select[Any] = select(
    Hit.serial,
    Hit.hit_id,
    *_TERMS,
    Hit.max_assignments,
    (Hit.max_assignments - TAKEN).label("left"),
).join(HitType, HitType.hit_type_id == Hit.hit_type_id)


def worker_of_invitation(context: Context, invitation: str) -> str:
    """The worker whom an invitation lets in.

    Raises:
        WorkerError: The invitation is not one of this server's.
    """
    query = select(Invitation.worker_id).where(Invitation.token_hash == token_hash(invitation))
    worker = context.connection.execute(query).scalar()
    if worker is None:
        raise WorkerError(
            404, "This invitation does not work", "Check the link, or ask for a new one."
        )
    return worker


def worker_exists(context: Context, worker: str) -> bool:
    """Whether a worker is known here."""
    query = select(Worker.worker_id).where(Worker.worker_id == worker)
    return context.connection.execute(query).first() is not None


def running(context: Context, worker: str) -> list[Offer]:
    """The HITs that a worker has taken up and not finished."""
    query = (
        _OFFERS.add_columns(Assignment.assignment_id)
        .join(Assignment, Assignment.hit_id == Hit.hit_id)
        .where(Assignment.worker_id == worker, Assignment.state == OPEN)
        .order_by(Hit.serial)
    )
    return [Offer(*row) for row in context.connection.execute(query)]


def available(context: Context, worker: str, after: int = 0) -> list[Offer]:
    """The HITs that a worker can take up, the oldest first; one more than a page if there are.

    Args:
        context: The request.
        worker: The worker.
        after: The serial that the page begins after.
    """
    query = _open_to(context, worker).where(Hit.serial > after).order_by(Hit.serial)
    rows = context.connection.execute(query.limit(PAGE + 1))
    return [Offer(*row) for row in rows]


def offer(context: Context, worker: str, hit_id: str) -> Offer:
    """One HIT that a worker can take up.

    Raises:
        WorkerError: It is not available to this worker.
    """
    query = _open_to(context, worker).where(Hit.hit_id == hit_id)
    row = context.connection.execute(query).first()
    if row is None:
        raise WorkerError(404, "This HIT is not available", "It may be finished, or yours.")
    return Offer(*row)


def question_of(context: Context, hit_id: str) -> str:
    """The question XML of a HIT that is not deleted.

    Raises:
        WorkerError: There is none.
    """
    query = select(Hit.question).where(Hit.hit_id == hit_id, Hit.disposed == 0)
    question = context.connection.execute(query).scalar()
    if question is None:
        raise WorkerError(404, "There is no such HIT", "It may have been withdrawn.")
    return question


def _open_to(context: Context, worker: str) -> Select[Any]:
    own = select(Assignment.hit_id).where(
        Assignment.worker_id == worker, Assignment.state.in_((OPEN, *DONE))
    )
    return _OFFERS.where(
        Hit.expires > context.now,
        Hit.disposed == 0,
        Hit.hit_id.not_in(own),
        Hit.max_assignments > TAKEN,
    )


def finished(context: Context, worker: str) -> int:
    """How many assignments a worker has sent in."""
    query = select(Assignment.assignment_id).where(
        Assignment.worker_id == worker, Assignment.state.in_(DONE)
    )
    return len(context.connection.execute(query).all())


def accept(context: Context, worker: str, hit_id: str) -> str:
    """Take up a HIT; taking up one that is being worked on goes on with it.

    Returns:
        The assignment's id.

    Raises:
        WorkerError: It is over, full, or was done by this worker before.
    """
    query = select(
        Hit.expires, Hit.disposed, Hit.max_assignments, TAKEN.label("taken"), HitType.duration
    ).join(HitType, HitType.hit_type_id == Hit.hit_type_id)
    hit = context.connection.execute(query.where(Hit.hit_id == hit_id)).first()
    if hit is None:
        raise WorkerError(404, "There is no such HIT", "It may have been withdrawn.")
    found = names.assignment_id(context.key, hit_id, worker)
    mine = select(Assignment.state).where(Assignment.assignment_id == found)
    state = context.connection.execute(mine).scalar()
    if state == OPEN:
        return found
    if state in DONE:
        raise WorkerError(409, "You have done this HIT", "Each HIT can be done once.")
    if hit.disposed or hit.expires <= context.now or hit.taken >= hit.max_assignments:
        raise WorkerError(
            409, "This HIT is no longer available", "It is finished, or others are working on it."
        )
    times = {"accepted": context.now, "deadline": context.now + hit.duration}
    context.agenda.expect(times["deadline"])
    if state is None:
        row = {"assignment_id": found, "hit_id": hit_id, "worker_id": worker, "state": OPEN}
        context.connection.execute(insert(Assignment).values(**row, **times))
    else:
        context.connection.execute(
            update(Assignment)
            .where(Assignment.assignment_id == found)
            .values(state=OPEN, draft=None, **times)
        )
    return found


def task(context: Context, assignment_id: str, worker: str | None = None) -> Row[Any]:
    """An assignment with what its page needs.

    Args:
        context: The request.
        assignment_id: The assignment. Its id is unguessable: whoever has it may send it in.
        worker: Whose it must be; None for anybody's.

    Raises:
        WorkerError: There is none.
    """
    query = _TASK.where(Assignment.assignment_id == assignment_id)
    row = context.connection.execute(query).first()
    if row is None or (worker is not None and row.worker_id != worker):
        raise WorkerError(404, "There is no such assignment", "It may belong to somebody else.")
    return row


def give_back(context: Context, assignment_id: str) -> None:
    """Return an assignment, so that somebody else can do it. Doing it twice does no harm."""
    row = task(context, assignment_id)
    if row.state == OPEN:
        _change(context, assignment_id, state="Returned", draft=None)


def keep_draft(context: Context, assignment_id: str, draft: str) -> None:
    """Keep what a page has so far, for a worker who closes it and comes back."""
    if task(context, assignment_id).state == OPEN:
        _change(context, assignment_id, draft=draft)


def submit(context: Context, assignment_id: str, fields: list[tuple[str, str]]) -> None:
    """Store a worker's answer. Sending the same answer again does no harm.

    Args:
        context: The request.
        assignment_id: The assignment.
        fields: The form's fields, without ``assignmentId``.

    Raises:
        WorkerError: It is late, was returned, was sent in before with another answer, or holds
            nothing.
    """
    row = task(context, assignment_id)
    if not fields:
        raise WorkerError(400, "Nothing was sent", "The page sent no answer. Please try again.")
    answer = answers_xml(fields)
    if row.state in DONE:
        if row.answer == answer:
            return
        raise WorkerError(409, "You have sent this HIT in", "Your first answer is kept.")
    if row.state != OPEN:
        over = row.state == "Abandoned"
        raise WorkerError(
            410,
            "The time for this HIT is over" if over else "You have returned this HIT",
            "Your answer was not stored. If the HIT is still on your list, you can take it up "
            "again.",
        )
    approval = context.now + row.auto_approval_delay
    context.agenda.expect(approval)
    _change(
        context,
        assignment_id,
        state="Submitted",
        submitted=context.now,
        auto_approval=approval,
        answer=answer,
        draft=None,
    )


def _change(context: Context, assignment_id: str, **values: Any) -> None:
    context.connection.execute(
        update(Assignment).where(Assignment.assignment_id == assignment_id).values(**values)
    )
