"""What time does to HITs and assignments; worked out when somebody looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update

from replicate.crowdserver.tables import Assignment, Hit

OPEN = "Accepted"
DONE = ("Submitted", "Approved", "Rejected")

_ABANDON = (
    update(Assignment)
    .where(Assignment.state == OPEN, Assignment.deadline <= bindparam("now"))
    .values(state="Abandoned")
)
_APPROVE = (
    update(Assignment)
    .where(Assignment.state == "Submitted", Assignment.auto_approval <= bindparam("now"))
    .values(state="Approved", decided=Assignment.auto_approval)
)


_NEXT = (
    select(func.min(Assignment.deadline)).where(Assignment.state == OPEN).scalar_subquery(),
    select(func.min(Assignment.auto_approval))
    .where(Assignment.state == "Submitted")
    .scalar_subquery(),
)
_LOOK = 1.0  # seconds after which the database is asked again, for others may have written to it


class Agenda:
    """Knows when something is due next, so that most requests need not ask the database."""

    def __init__(self) -> None:
        self._due = 0.0

    def expect(self, moment: float) -> None:
        """Something is due at a moment."""
        self._due = min(self._due, moment)

    def is_due(self, now: float) -> bool:
        """Whether something may be due."""
        return now >= self._due

    def settle(self, connection: Connection, now: float) -> None:
        """Let due things happen: assignments whose time ran out, approvals that nobody made."""
        connection.execute(_ABANDON, {"now": now})
        connection.execute(_APPROVE, {"now": now})
        moments = connection.execute(select(*_NEXT)).one()
        self._due = min([now + _LOOK, *(moment for moment in moments if moment is not None)])


@dataclass(frozen=True)
class Counts:
    """How many assignments of a HIT are in which state.

    Attributes:
        pending: Accepted, and their time is not over.
        submitted: Submitted, not decided.
        decided: Approved or rejected.
    """

    pending: int = 0
    submitted: int = 0
    decided: int = 0

    @property
    def taken(self) -> int:
        """Assignments that nobody else can have."""
        return self.pending + self.submitted + self.decided


def _count(*states: str) -> Any:
    return func.sum(case((Assignment.state.in_(states), 1), else_=0))


_COUNTS = (
    select(Assignment.hit_id, _count(OPEN), _count("Submitted"), _count("Approved", "Rejected"))
    .where(Assignment.hit_id.in_(bindparam("hits", expanding=True)))
    .group_by(Assignment.hit_id)
)


def counts_of(connection: Connection, hits: Sequence[str]) -> dict[str, Counts]:
    """The counts of some HITs."""
    found = dict.fromkeys(hits, Counts())
    if hits:
        for hit, pending, submitted, decided in connection.execute(_COUNTS, {"hits": list(hits)}):
            found[hit] = Counts(int(pending), int(submitted), int(decided))
    return found


def hit_status(expires: float, wanted: int, disposed: bool, counts: Counts, now: float) -> str:
    """A HIT's status, by the protocol's rules.

    >>> hit_status(10.0, 2, False, Counts(pending=1), now=5.0)
    'Assignable'
    >>> hit_status(10.0, 2, False, Counts(pending=1, submitted=1), now=5.0)
    'Unassignable'
    >>> hit_status(10.0, 2, False, Counts(submitted=1), now=10.0)
    'Reviewable'
    """
    if disposed:
        return "Disposed"
    if now < expires and counts.taken < wanted:
        return "Assignable"
    return "Unassignable" if counts.pending else "Reviewable"


def _taken(state_count: Sequence[str]) -> Any:
    return (
        select(func.count())
        .where(Assignment.hit_id == Hit.hit_id, Assignment.state.in_(state_count))
        .correlate(Hit)
        .scalar_subquery()
    )


TAKEN = _taken((OPEN, *DONE))  # of the HIT of the enclosing query
PENDING = _taken((OPEN,))
