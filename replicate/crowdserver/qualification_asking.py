"""What workers do about qualifications: see which there are, ask for one, say where they live."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select

from replicate.crowdserver import names
from replicate.crowdserver.context import Context
from replicate.crowdserver.qualifications import grant
from replicate.crowdserver.requester_tables import (
    Message,
    Qualification,
    QualificationRequest,
    QualificationType,
    WorkerBlock,
)
from replicate.crowdserver.requirements import ADULT, LOCALE
from replicate.crowdserver.workers import WorkerError

MOST = 200  # types and messages on one page
_PLACE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{2})?\Z")


@dataclass(frozen=True)
class Wish:
    """A qualification type as a worker sees it.

    Attributes:
        type_id: The type.
        name: Its name.
        description: What it means.
        state: ``held``, ``revoked``, ``pending``, ``testing``, ``rejected`` or ``none``.
        value: The value, if it is held.
        reason: Why it was revoked or rejected.
        refusal: Why it cannot be asked for now; empty: it can.
        tested: Whether there is a test.
    """

    type_id: str
    name: str
    description: str
    state: str
    value: int | None
    reason: str
    refusal: str
    tested: bool


def wishes(context: Context, worker: str) -> list[Wish]:
    """The qualification types that a worker can ask for or holds, the oldest first."""
    query = open_types(worker).order_by(QualificationType.serial).limit(MOST)
    return [_wish(context, worker, row) for row in context.connection.execute(query)]


def ask(context: Context, worker: str, type_id: str) -> None:
    """Ask for a qualification; one that is granted automatically is held at once.

    If there is a test, it begins now.

    Raises:
        WorkerError: It cannot be asked for, or not yet.
    """
    query = open_types(worker).where(QualificationType.qualification_type_id == type_id)
    row = context.connection.execute(query).first()
    if row is None:
        raise WorkerError(404, "There is no such qualification", "It may have been withdrawn.")
    wish = _wish(context, worker, row)
    if wish.refusal:
        raise WorkerError(409, "You cannot ask for this now", wish.refusal)
    own = {"qualification_type_id": type_id, "worker_id": worker}
    before = select(func.count()).select_from(QualificationRequest).filter_by(**own)
    number = context.connection.execute(before).scalar_one() + 1
    automatic = bool(row.auto_granted)
    context.connection.execute(
        insert(QualificationRequest).values(
            **own,
            request_id=names.qualification_request_id(context.key, type_id, worker, number),
            submitted=context.now,
            state="Testing" if row.test is not None else "Granted" if automatic else "Pending",
            decided=context.now if automatic else None,
        )
    )
    if automatic:
        grant(context, type_id, worker, row.auto_value)


def state_place(context: Context, worker: str, place: str, adult: bool) -> None:
    """Keep what a worker says of themselves: nobody checks it.

    Args:
        context: The request.
        worker: The worker.
        place: ``US`` or ``US-CA``; empty: they do not say.
        adult: Whether they say that they are an adult.

    Raises:
        WorkerError: The place is not one.
    """
    if place and not _PLACE.match(place):
        raise WorkerError(
            400, "This is not a country's code", "Give two letters, such as US; or US-CA."
        )
    for type_id, given in ((LOCALE, bool(place)), (ADULT, adult)):
        if given and type_id == LOCALE:
            grant(context, type_id, worker, None, place)
        elif given:
            grant(context, type_id, worker, 1)
        else:
            own = {"qualification_type_id": type_id, "worker_id": worker}
            context.connection.execute(delete(Qualification).filter_by(**own))


def stated(context: Context, worker: str) -> tuple[str, bool]:
    """What a worker has said: their place, empty if none; and that they are an adult."""
    query = select(Qualification.qualification_type_id, Qualification.locale).where(
        Qualification.worker_id == worker,
        Qualification.qualification_type_id.in_((LOCALE, ADULT)),
    )
    found = {row.qualification_type_id: row.locale for row in context.connection.execute(query)}
    return found.get(LOCALE) or "", ADULT in found


def messages_of(context: Context, worker: str) -> list[Any]:
    """The messages of a worker, the newest first."""
    query = select(Message.subject, Message.text, Message.sent).where(Message.worker_id == worker)
    return list(context.connection.execute(query.order_by(Message.serial.desc()).limit(MOST)))


def open_types(worker: str) -> Any:
    """The statement of the types that a worker can see: active, of nobody who blocks them."""
    blocked = select(WorkerBlock.requester).where(WorkerBlock.worker_id == worker)
    return select(*QualificationType.__table__.columns).where(
        QualificationType.deleted == 0,
        QualificationType.status == "Active",
        QualificationType.requester != "",
        QualificationType.requester.not_in(blocked),
    )


def _wish(context: Context, worker: str, row: Any) -> Wish:
    own = {"qualification_type_id": row.qualification_type_id, "worker_id": worker}
    held = context.connection.execute(
        select(Qualification.value, Qualification.status, Qualification.reason).filter_by(**own)
    ).first()
    last = context.connection.execute(
        select(
            QualificationRequest.state,
            QualificationRequest.submitted,
            QualificationRequest.reason,
        )
        .filter_by(**own)
        .order_by(QualificationRequest.serial.desc())
        .limit(1)
    ).first()
    state, reason = "none", ""
    if last is not None and last.state == "Testing" and is_over(context, row, last):
        state, reason = "rejected", "The time for the test was over."
    elif last is not None and last.state != "Granted":
        state, reason = last.state.lower(), last.reason or ""
    if held is not None and state not in ("pending", "testing"):
        state, reason = ("held", "") if held.status == "Granted" else ("revoked", held.reason or "")
    return Wish(
        row.qualification_type_id,
        row.name,
        row.description,
        state,
        None if held is None or held.status != "Granted" else held.value,
        reason,
        _refusal(context, row, last, state),
        row.test is not None,
    )


def is_over(context: Context, kind: Any, request: Any) -> bool:
    """Whether the time for a test that was begun is over."""
    return bool(context.now >= request.submitted + kind.test_duration)


def _refusal(context: Context, row: Any, last: Any, state: str) -> str:
    if state == "pending":
        return "You have asked for it; the requester has not decided yet."
    if state == "testing":
        return "You have begun its test."
    if last is None:
        return "You have it already." if state == "held" else ""
    if row.retry_delay is None:
        return "It can be asked for once only."
    left = last.submitted + row.retry_delay - context.now
    return f"You can ask again in {max(1, round(left / 60))} min." if left > 0 else ""
