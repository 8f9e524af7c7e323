"""Whom HITs are for: workers who meet what is required, and whom their requester has not blocked.

The workers' statements take the clause `NOT_BLOCKED` and a list of HIT types; requirements are
few, one list a HIT type, so they are compared here and not in the database.
"""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, func, select

from replicate.crowdserver.context import Context
from replicate.crowdserver.requester_tables import Qualification, QualificationType, WorkerBlock
from replicate.crowdserver.requirements import (
    APPROVED,
    GUARDS,
    PERCENT_APPROVED,
    Held,
    Requirement,
    loaded,
    meets,
)
from replicate.crowdserver.states import DONE
from replicate.crowdserver.tables import Assignment, Hit, HitType

NEW_BELOW = 100  # assignments sent in below which a worker's percentage is taken to be 100

# Of the enclosing query's HIT type, for the parameter ``worker``.
NOT_BLOCKED: ColumnElement[bool] = HitType.requester.not_in(
    select(WorkerBlock.requester).where(WorkerBlock.worker_id == bindparam("worker"))
)
# Of the enclosing query's HIT type: the parameter ``forbidden`` is a list of them.
NOT_FORBIDDEN = HitType.hit_type_id.not_in(bindparam("forbidden", expanding=True))

_GUARDED = select(HitType.hit_type_id, HitType.requirements).where(HitType.requirements != "[]")
_GUARDED_HIT = _GUARDED.join(Hit, Hit.hit_type_id == HitType.hit_type_id).where(
    Hit.hit_id == bindparam("hit")
)
_HELD = select(
    Qualification.qualification_type_id, Qualification.value, Qualification.locale
).where(Qualification.worker_id == bindparam("worker"), Qualification.status == "Granted")
_RECORD: Any = select(
    func.count(),
    func.coalesce(func.sum(case((Assignment.state == "Approved", 1), else_=0)), 0),
    func.coalesce(func.sum(case((Assignment.state == "Rejected", 1), else_=0)), 0),
).where(Assignment.worker_id == bindparam("worker"), Assignment.state.in_(DONE))


def forbidden(context: Context, worker: str, action: str) -> list[str]:
    """The HIT types whose HITs a worker may not discover, preview or accept.

    Args:
        context: The request.
        worker: The worker.
        action: ``discover``, ``preview`` or ``accept``.
    """
    rows = context.connection.execute(_GUARDED).all()
    if not rows:
        return []
    held = holdings(context, worker)
    return [
        row.hit_type_id for row in rows if _missed(loaded(row.requirements), held, GUARDS[action])
    ]


def obstacles(context: Context, worker: str, hit_id: str, action: str) -> list[str]:
    """The names of the qualifications that a worker lacks for something; none: nothing stands.

    Args:
        context: The request.
        worker: The worker.
        hit_id: The HIT.
        action: ``discover``, ``preview`` or ``accept``.
    """
    row = context.connection.execute(_GUARDED_HIT, {"hit": hit_id}).first()
    if row is None:
        return []
    missed = _missed(loaded(row.requirements), holdings(context, worker), GUARDS[action])
    wanted = [one.type_id for one in missed]
    found = context.connection.execute(
        select(QualificationType.name)
        .where(QualificationType.qualification_type_id.in_(wanted))
        .order_by(QualificationType.serial)
    )
    return [str(name) for name in found.scalars()]


def holdings(context: Context, worker: str) -> dict[str, Held]:
    """What a worker holds, by qualification type; the server's own records are counted."""
    given = {"worker": worker}
    held = {
        row.qualification_type_id: Held(row.value, row.locale)
        for row in context.connection.execute(_HELD, given)
    }
    sent, approved, rejected = (int(n) for n in context.connection.execute(_RECORD, given).one())
    decided = approved + rejected
    percent = 100 if sent < NEW_BELOW or not decided else approved * 100 // decided
    return {**held, APPROVED: Held(approved), PERCENT_APPROVED: Held(percent)}


def _missed(
    requirements: tuple[Requirement, ...], held: dict[str, Held], guards: tuple[str, ...]
) -> list[Requirement]:
    return [
        one
        for one in requirements
        if one.guarded in guards and not meets(one, held.get(one.type_id))
    ]
