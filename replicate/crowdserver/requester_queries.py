"""What the requester's page asks of the database. A batch is HITs of one type and one study."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    case,
    func,
    literal_column,
    select,
)

from replicate.crowdserver.readings import Stamp
from replicate.crowdserver.requester_tables import Bonus
from replicate.crowdserver.states import DONE, OPEN
from replicate.crowdserver.tables import Assignment, Hit, HitType

HITS = 50  # on one page
ANSWERS = 10
BATCHES = 25
HOUR = 3600.0


@dataclass(frozen=True)
class Batch:
    """HITs of one type whose annotation begins alike, and how far they are.

    Attributes:
        hit_type_id: The type.
        study: The annotation up to its first colon; empty if it has none.
        title: The type's title.
        reward: US dollars for one approved assignment.
        hits: How many HITs.
        running: How many of them can still be taken up or are being worked on.
        wanted: Assignments that were asked for.
        available: Assignments that can still be taken up.
        out: Assignments that workers hold.
        submitted: Sent in, not decided.
        approved: Approved.
        rejected: Rejected.
        begun: When the first HIT was made, in seconds since 1970.
        last: The serial of the newest HIT.
    """

    hit_type_id: str
    study: str
    title: str
    reward: Decimal
    hits: int
    running: int
    wanted: int
    available: int
    out: int
    submitted: int
    approved: int
    rejected: int
    begun: float
    last: int

    @property
    def done(self) -> int:
        """Assignments that were sent in."""
        return self.submitted + self.approved + self.rejected

    @property
    def to_come(self) -> int:
        """Assignments that may still be sent in."""
        return self.available + self.out

    @property
    def lapsed(self) -> int:
        """Assignments that nobody can take up any more."""
        return max(0, self.wanted - self.done - self.to_come)

    def cost(self, assignments: int) -> Decimal:
        """The rewards of so many assignments, in US dollars."""
        return self.reward * assignments


def _in_state(*states: str) -> ColumnElement[int]:
    return func.sum(case((Assignment.state.in_(states), 1), else_=0))


_LINE: tuple[Any, ...] = (
    Hit.serial,
    Hit.hit_id,
    Hit.annotation,
    Hit.max_assignments,
    Hit.created,
    Hit.expires,
)
_OF_HIT = (
    select(
        Assignment.hit_id,
        _in_state(OPEN).label("out"),
        _in_state("Submitted").label("submitted"),
        _in_state("Approved").label("approved"),
        _in_state("Rejected").label("rejected"),
    )
    .group_by(Assignment.hit_id)
    .subquery()
)


# As text, not as parameters: PostgreSQL must see that what is grouped by is what is selected.
_STUDY = {
    "sqlite": "substr(coalesce(hits.annotation, ''), 1, "
    "max(instr(coalesce(hits.annotation, ''), ':') - 1, 0))",
    "postgresql": "CASE WHEN strpos(coalesce(hits.annotation, ''), ':') > 0 "
    "THEN split_part(hits.annotation, ':', 1) ELSE '' END",
}


def study_of(connection: Connection) -> ColumnElement[str]:
    """The study of a HIT: its annotation up to the first colon."""
    return literal_column(_STUDY[connection.dialect.name], String)


def batches(
    connection: Connection, account: str, now: float, before: int | None = None
) -> list[Batch]:
    """A requester's batches, the newest first; one more than a page if there are."""
    query = _batches(connection, account, now)
    if before is not None:
        query = query.having(func.max(Hit.serial) < before)
    rows = connection.execute(query.order_by(func.max(Hit.serial).desc()).limit(BATCHES + 1))
    return [_batch(row) for row in rows]


def batch(
    connection: Connection, account: str, now: float, hit_type: str, study: str
) -> Batch | None:
    """One batch, or None."""
    query = _batches(connection, account, now).where(
        Hit.hit_type_id == hit_type, study_of(connection) == study
    )
    row = connection.execute(query).first()
    return None if row is None else _batch(row)


def _batches(connection: Connection, account: str, now: float) -> Select[Any]:
    study = study_of(connection)
    states = _OF_HIT.c
    out, done = func.coalesce(states.out, 0), _done()
    left = case((Hit.expires > now, Hit.max_assignments - out - done), else_=0)
    left = case((left > 0, left), else_=0)
    return (
        select(
            Hit.hit_type_id,
            study.label("study"),
            HitType.title,
            HitType.reward,
            func.count().label("hits"),
            func.sum(case((left + out > 0, 1), else_=0)).label("running"),
            func.sum(Hit.max_assignments).label("wanted"),
            func.sum(left).label("available"),
            *(
                func.sum(func.coalesce(states[name], 0)).label(name)
                for name in ("out", "submitted", "approved", "rejected")
            ),
            func.min(Hit.created).label("begun"),
            func.max(Hit.serial).label("last"),
        )
        .join(HitType, HitType.hit_type_id == Hit.hit_type_id)
        .outerjoin(_OF_HIT, states.hit_id == Hit.hit_id)
        .where(Hit.requester == account, Hit.disposed == 0)
        .group_by(Hit.hit_type_id, study, HitType.title, HitType.reward)
    )


def _done() -> ColumnElement[int]:
    names = ("submitted", "approved", "rejected")
    parts = [func.coalesce(_OF_HIT.c[name], 0) for name in names]
    return parts[0] + parts[1] + parts[2]


def _batch(row: Row[Any]) -> Batch:
    values = {**row._mapping, "reward": Decimal(row.reward)}
    counts = [name for name, kind in Batch.__annotations__.items() if kind is int]
    return Batch(**{**values, **{name: int(values[name]) for name in counts}})


def in_batch(
    connection: Connection, account: str, hit_type: str, study: str
) -> tuple[ColumnElement[bool], ...]:
    """What is true of the HITs of a batch."""
    return (
        Hit.requester == account,
        Hit.disposed == 0,
        Hit.hit_type_id == hit_type,
        study_of(connection) == study,
    )


def hits(
    connection: Connection, where: Sequence[ColumnElement[bool]], after: int
) -> Sequence[Row[Any]]:
    """A page of a batch's HITs, the oldest first; one more than a page if there are."""
    query = select(*_LINE)
    query = query.where(*where, Hit.serial > after).order_by(Hit.serial).limit(HITS + 1)
    return connection.execute(query).all()


def stamps(connection: Connection, where: Sequence[ColumnElement[bool]]) -> list[Stamp]:
    """The HITs of a batch that have answers, with what changes when one comes or is withdrawn."""
    query = (
        select(Hit.hit_id, func.count(), func.max(Assignment.submitted))
        .join(Assignment, Assignment.hit_id == Hit.hit_id)
        .where(*where, Assignment.state.in_(DONE), Assignment.withdrawn.is_(None))
        .group_by(Hit.hit_id, Hit.serial)
        .order_by(Hit.serial)
    )
    return [(row[0], int(row[1]), row[2] or 0.0) for row in connection.execute(query)]


def bonuses(connection: Connection, where: Sequence[ColumnElement[bool]]) -> Decimal:
    """The bonuses that were given for work on a batch, in US dollars."""
    query = (
        select(Bonus.amount)
        .join(Assignment, Assignment.assignment_id == Bonus.assignment_id)
        .join(Hit, Hit.hit_id == Assignment.hit_id)
        .where(*where)
    )
    return sum((Decimal(row[0]) for row in connection.execute(query)), Decimal(0))


def pace(connection: Connection, where: Sequence[ColumnElement[bool]]) -> float | None:
    """Assignments an hour that were sent in lately; None before the second one.

    Lately is the last hour in which something came, so that a night's pause does not count.
    """
    sent = (
        select(func.max(Assignment.submitted), func.count())
        .join(Hit, Hit.hit_id == Assignment.hit_id)
        .where(*where, Assignment.state.in_(DONE))
    )
    last, count = connection.execute(sent).one()
    if last is None or count < 2:
        return None
    recent = sent.where(Assignment.submitted > last - HOUR).with_only_columns(
        func.min(Assignment.submitted), func.count()
    )
    first, lately = connection.execute(recent).one()
    # n arrivals have n - 1 gaps between them.
    gap = last - (first or last)
    return (lately - 1) / gap * HOUR if gap > 0 else None


def hit(connection: Connection, account: str, hit_id: str) -> Row[Any] | None:
    """One HIT with its terms, or None."""
    query: Select[Any] = (
        select(
            *Hit.__table__.columns,
            HitType.title,
            HitType.description,
            HitType.reward,
            HitType.duration,
            study_of(connection).label("study"),
        )
        .join(HitType, HitType.hit_type_id == Hit.hit_type_id)
        .where(Hit.hit_id == hit_id, Hit.requester == account, Hit.disposed == 0)
    )
    return connection.execute(query).first()


def answers(connection: Connection, hit_id: str, after: int) -> Sequence[Row[Any]]:
    """A page of a HIT's assignments that were taken up, in order; one more if there are."""
    query = (
        select(*Assignment.__table__.columns)
        .where(Assignment.hit_id == hit_id, Assignment.state.in_((OPEN, *DONE)))
        .order_by(Assignment.accepted, Assignment.assignment_id)
        .offset(after)
        .limit(ANSWERS + 1)
    )
    return connection.execute(query).all()


def question(connection: Connection, hit_id: str) -> str:
    """The question XML of a HIT."""
    return connection.execute(select(Hit.question).where(Hit.hit_id == hit_id)).scalar_one()


def counts(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[int, int, int, int]]:
    """For some HITs, the assignments that are out, submitted, approved and rejected."""
    states = _OF_HIT.c
    found = dict.fromkeys(ids, (0, 0, 0, 0))
    query = select(_OF_HIT).where(states.hit_id.in_(list(ids)))
    for name, *numbers in connection.execute(query) if ids else ():
        out, submitted, approved, rejected = (int(number) for number in numbers)
        found[name] = (out, submitted, approved, rejected)
    return found
