"""The statements behind the workers' pages, built once: building one costs more than running it."""

from typing import Any

from sqlalchemy import Select, Update, bindparam, exists, func, insert, or_, select, update

from replicate.crowdserver.eligibility import NOT_BLOCKED, NOT_FORBIDDEN
from replicate.crowdserver.shown import REPEATING
from replicate.crowdserver.states import DONE, OPEN, TAKEN
from replicate.crowdserver.tables import Assignment, Hit, HitType, Invitation, Worker
from replicate.crowdserver.worker_tables import HitImage

_ID = Assignment.assignment_id == bindparam("assignment")
_TERMS = (HitType.title, HitType.description, HitType.reward, HitType.duration)
_OFFERS: Select[Any] = select(
    Hit.serial,
    Hit.hit_id,
    Hit.hit_type_id,
    *_TERMS,
    Hit.max_assignments,
    (Hit.max_assignments - TAKEN).label("remaining"),
).join(HitType, HitType.hit_type_id == Hit.hit_type_id)
_OWN = select(Assignment.hit_id).where(
    Assignment.worker_id == bindparam("worker"), Assignment.state.in_((OPEN, *DONE))
)
# How many HITs of each type a worker has taken up, for the types that allow only so many.
_DONE_OF_TYPE = (
    select(Hit.hit_type_id, func.count().label("done"))
    .join(Assignment, Assignment.hit_id == Hit.hit_id)
    .where(Assignment.worker_id == bindparam("worker"), Assignment.state.in_((OPEN, *DONE)))
    .group_by(Hit.hit_type_id)
    .subquery()
)
_AVAILABLE = _OFFERS.outerjoin(_DONE_OF_TYPE, _DONE_OF_TYPE.c.hit_type_id == Hit.hit_type_id).where(
    Hit.expires > bindparam("now"),
    Hit.disposed == 0,
    Hit.max_assignments > Hit.done,
    Hit.hit_id.not_in(_OWN),
    or_(Hit.max_per_worker.is_(None), Hit.max_per_worker > func.coalesce(_DONE_OF_TYPE.c.done, 0)),
    Hit.max_assignments > TAKEN,
    NOT_BLOCKED,
    NOT_FORBIDDEN,
)

INVITED = select(Invitation.worker_id).where(Invitation.token_hash == bindparam("hash"))
KNOWN = select(Worker.worker_id).where(Worker.worker_id == bindparam("worker"))

# Of a worker: the HITs being worked on, those to take up.
RUNNING = (
    _OFFERS.add_columns(Assignment.assignment_id)
    .join(Assignment, Assignment.hit_id == Hit.hit_id)
    .where(Assignment.worker_id == bindparam("worker"), Assignment.state == OPEN)
    .order_by(Hit.serial)
)
AVAILABLE = (
    _AVAILABLE.where(Hit.serial > bindparam("after"), Hit.serial.not_in(REPEATING))
    .order_by(Hit.serial)
    .limit(bindparam("most"))
)
AVAILABLE_ONE = _AVAILABLE.where(
    Hit.hit_id == bindparam("hit"), ~exists(REPEATING.where(HitImage.serial == Hit.serial))
)

# Whether a worker has sent in another HIT of the same type.
_TYPE = select(Hit.hit_type_id).where(Hit.hit_id == bindparam("hit")).scalar_subquery()
SEEN = (
    select(Assignment.hit_id)
    .join(Hit, Hit.hit_id == Assignment.hit_id)
    .where(
        Assignment.worker_id == bindparam("worker"),
        Assignment.state.in_(DONE),
        Hit.hit_type_id == _TYPE,
    )
    .limit(1)
)

# Of a HIT: its question, and what decides whether it can be taken up.
QUESTION = select(Hit.question).where(Hit.hit_id == bindparam("hit"), Hit.disposed == 0)
TO_ACCEPT = (
    select(
        Hit.serial,
        Hit.expires,
        Hit.disposed,
        Hit.max_assignments,
        Hit.max_per_worker,
        TAKEN.label("taken"),
        HitType.duration,
        func.coalesce(_DONE_OF_TYPE.c.done, 0).label("done_of_type"),
        NOT_BLOCKED.label("welcome"),
    )
    .join(HitType, HitType.hit_type_id == Hit.hit_type_id)
    .outerjoin(_DONE_OF_TYPE, _DONE_OF_TYPE.c.hit_type_id == Hit.hit_type_id)
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


ACCEPT_AGAIN = _change("accepted", "deadline", "recruitment", state=OPEN, draft=None)
GIVE_BACK = _change(state="Returned", draft=None)
KEEP_DRAFT = _change("draft")
COUNT_DONE = update(Hit).where(Hit.hit_id == bindparam("hit")).values(done=Hit.done + 1)
SUBMIT = _change("submitted", "auto_approval", "answer", state="Submitted", draft=None)
