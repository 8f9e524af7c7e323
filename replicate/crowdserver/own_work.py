"""A worker's own work: seen, withdrawn, left behind.

Who withdraws a piece of work takes the answer back: it is gone from the database at once. The
assignment stays as it is in the requester's lists, with its state, and whatever was to be paid for
it is still to be paid; but its Answer is a document with the one field ``withdrawn``, and whoever
has stored the answer must forget it. Nobody else gets the place: the requester sees what is
missing, and asks for more.

Who leaves is forgotten: their link, platform id, messages and qualifications are deleted, and what
they sent in stays, unless they withdraw it, under an id drawn by lot. Only a requester's block
stays with the old id, so that leaving does not lift it.
"""

import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from replicate.crowdserver.context import Context
from replicate.crowdserver.form_answers import answers_xml
from replicate.crowdserver.requester_tables import (
    Bonus,
    Message,
    Qualification,
    QualificationRequest,
    WorkerBlock,
)
from replicate.crowdserver.states import DONE
from replicate.crowdserver.tables import Assignment, Hit, HitType, Invitation, Worker
from replicate.crowdserver.worker_tables import Participation, Seen
from replicate.crowdserver.workers import WorkerError

PAGE = 100  # pieces of work on one page
WITHDRAWN = answers_xml([("withdrawn", "true")])  # what a requester gets in place of the answer
_FORGOTTEN = (Seen, Invitation, Participation, Message, QualificationRequest, Qualification)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class Piece:
    """One assignment that a worker has sent in.

    Attributes:
        assignment_id: Its id.
        title: The HIT's title.
        reward: US dollars, with two decimals.
        state: ``Submitted``, ``Approved`` or ``Rejected``.
        submitted: When it was sent in, in seconds since 1970.
        feedback: What the requester said; None: nothing.
        withdrawn: When it was withdrawn; None: it was not.
    """

    assignment_id: str
    title: str
    reward: str
    state: str
    submitted: float
    feedback: str | None
    withdrawn: float | None


@dataclass(frozen=True)
class Earned:
    """What a worker's work is worth, in US dollars.

    Attributes:
        approved: For work that was approved.
        waiting: For work that nobody has decided on yet.
        bonuses: Given beyond the rewards.
        pieces: Assignments sent in.
    """

    approved: Decimal
    waiting: Decimal
    bonuses: Decimal
    pieces: int


_OWN = Assignment.worker_id == bindparam("worker")
_SENT: Any = (
    select(
        Assignment.assignment_id,
        HitType.title,
        HitType.reward,
        Assignment.state,
        Assignment.submitted,
        Assignment.feedback,
        Assignment.withdrawn,
    )
    .join(Hit, Hit.hit_id == Assignment.hit_id)
    .join(HitType, HitType.hit_type_id == Hit.hit_type_id)
    .where(_OWN, Assignment.state.in_(DONE))
)
_PIECES = (
    _SENT.where(Assignment.submitted < bindparam("before"))
    .order_by(Assignment.submitted.desc(), Assignment.assignment_id)
    .limit(PAGE + 1)
)
_PIECE = _SENT.where(Assignment.assignment_id == bindparam("assignment"))
_WORTH = (
    select(HitType.reward, Assignment.state, func.count())
    .join(Hit, Hit.hit_id == Assignment.hit_id)
    .join(HitType, HitType.hit_type_id == Hit.hit_type_id)
    .where(_OWN, Assignment.state.in_(DONE))
    .group_by(HitType.reward, Assignment.state)
)
_BONUSES = select(Bonus.amount).where(Bonus.worker_id == bindparam("worker"))
_WITHDRAW = (
    update(Assignment)
    .where(_OWN, Assignment.state.in_(DONE), Assignment.withdrawn.is_(None))
    .values(withdrawn=bindparam("now"), answer=WITHDRAWN)
)
_WITHDRAW_ONE = _WITHDRAW.where(Assignment.assignment_id == bindparam("assignment"))


def pieces(context: Context, worker: str, before: float | None = None) -> list[Piece]:
    """What a worker has sent in, the newest first; one more than a page if there are.

    Args:
        context: The request.
        worker: The worker.
        before: The moment that the page begins before; None: now.
    """
    given = {"worker": worker, "before": 1e18 if before is None else before}
    return [Piece(*row) for row in context.connection.execute(_PIECES, given)]


def piece(context: Context, worker: str, assignment_id: str) -> Piece:
    """One piece of work.

    Raises:
        WorkerError: The worker has not sent in any with that id.
    """
    given = {"worker": worker, "assignment": assignment_id}
    row = context.connection.execute(_PIECE, given).first()
    if row is None:
        raise WorkerError(404, "There is no such work of yours", "Have a look at your list.")
    return Piece(*row)


def earned(context: Context, worker: str) -> Earned:
    """What a worker's work is worth. Withdrawing an answer takes nothing away."""
    approved = waiting = Decimal("0.00")
    total = 0
    for reward, state, count in context.connection.execute(_WORTH, {"worker": worker}):
        total += count
        if state == "Approved":
            approved += Decimal(reward) * count
        elif state == "Submitted":
            waiting += Decimal(reward) * count
    amounts = context.connection.execute(_BONUSES, {"worker": worker}).scalars()
    bonuses = sum((Decimal(amount) for amount in amounts), Decimal("0.00"))
    return Earned(approved, waiting, bonuses, total)


def withdraw(context: Context, worker: str, assignment_id: str | None = None) -> int:
    """Take answers back. Doing it twice does no harm.

    Args:
        context: The request.
        worker: The worker.
        assignment_id: Which one; None: all that were sent in.

    Returns:
        How many were taken back now.
    """
    given = {"worker": worker, "now": context.now, "assignment": assignment_id}
    statement = _WITHDRAW if assignment_id is None else _WITHDRAW_ONE
    return context.connection.execute(statement, given).rowcount


def leave(context: Context, worker: str) -> None:
    """Forget who a worker is; what they sent in stays under an id drawn by lot."""
    connection = context.connection
    found = "A" + "".join(secrets.choice(_ALPHABET) for _ in range(19))
    connection.execute(insert(Worker).values(worker_id=found, created=context.now))
    connection.execute(
        delete(Assignment).where(Assignment.worker_id == worker, Assignment.state.not_in(DONE))
    )
    for table in _FORGOTTEN:
        connection.execute(delete(table).where(table.worker_id == worker))
    for moved in (Assignment, Bonus):
        connection.execute(update(moved).where(moved.worker_id == worker).values(worker_id=found))
    blocked = select(WorkerBlock.worker_id).where(WorkerBlock.worker_id == worker)
    if connection.execute(blocked).first() is None:
        connection.execute(delete(Worker).where(Worker.worker_id == worker))
