"""The statements behind the workers' pages, built once: building one costs more than running it."""

from typing import Any

from sqlalchemy import Select, Update, bindparam, func, insert, select, update

from replicate.crowdserver.states import DONE, OPEN, TAKEN
from replicate.crowdserver.tables import Assignment, Hit, HitType, Invitation, Worker

_ID = Assignment.assignment_id == bindparam("assignment")
_TERMS = (HitType.title, HitType.description, HitType.reward, HitType.duration)
_OFFERS: Select[Any] = select(
    Hit.serial,
    Hit.hit_id,
    *_TERMS,
    Hit.max_assignments,
    (Hit.max_assignments - TAKEN).label("remaining"),
).join(HitType, HitType.hit_type_id == Hit.hit_type_id)
_OWN = select(Assignment.hit_id).where(
    Assignment.worker_id == bindparam("worker"), Assignment.state.in_((OPEN, *DONE))
)
_AVAILABLE = _OFFERS.where(
    Hit.expires > bindparam("now"),
    Hit.disposed == 0,
    Hit.hit_id.not_in(_OWN),
    Hit.max_assignments > TAKEN,
)

INVITED = select(Invitation.worker_id).where(Invitation.token_hash == bindparam("hash"))
KNOWN = select(Worker.worker_id).where(Worker.worker_id == bindparam("worker"))

# Of a worker: the HITs being worked on, those to take up, how many were sent in.
RUNNING = (
    _OFFERS.add_columns(Assignment.assignment_id)
    .join(Assignment, Assignment.hit_id == Hit.hit_id)
    .where(Assignment.worker_id == bindparam("worker"), Assignment.state == OPEN)
    .order_by(Hit.serial)
)
AVAILABLE = (
    _AVAILABLE.where(Hit.serial > bindparam("after")).order_by(Hit.serial).limit(bindparam("most"))
)
AVAILABLE_ONE = _AVAILABLE.where(Hit.hit_id == bindparam("hit"))
FINISHED = select(func.count()).where(
    Assignment.worker_id == bindparam("worker"), Assignment.state.in_(DONE)
)

# Of a HIT: its question, and what decides whether it can be taken up.
QUESTION = select(Hit.question).where(Hit.hit_id == bindparam("hit"), Hit.disposed == 0)
TO_ACCEPT = (
    select(Hit.expires, Hit.disposed, Hit.max_assignments, TAKEN.label("taken"), HitType.duration)
    .join(HitType, HitType.hit_type_id == Hit.hit_type_id)
    .where(Hit.hit_id == bindparam("hit"))
)

# Of an assignment.
STATE = select(Assignment.state).where(_ID)
TASK: Select[Any] = (
    select(
        *Assignment.__table__.columns,
        *_TERMS,
        Hit.question,
        HitType.auto_approval_delay,
    )
    .join(Hit, Hit.hit_id == Assignment.hit_id)
    .join(HitType, HitType.hit_type_id == Hit.hit_type_id)
    .where(_ID)
)
ACCEPT = insert(Assignment)


def _change(*columns: str, **constants: Any) -> Update:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    return update(Assignment).where(_ID).values(**values, **constants)


ACCEPT_AGAIN = _change("accepted", "deadline", state=OPEN, draft=None)
GIVE_BACK = _change(state="Returned", draft=None)
KEEP_DRAFT = _change("draft")
SUBMIT = _change("submitted", "auto_approval", "answer", state="Submitted", draft=None)
