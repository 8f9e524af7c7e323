"""The ledger: what workers are owed and were paid, each assignment exactly once.

A payment is written down before it is made and confirmed afterwards. What a run that was cut off
left in between is settled by what the provider says: work that it has approved is paid, work
that it has not is approved again, which changes nothing if it was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from replicate.crowd.cost import FeeTable, assignment_fee
from replicate.crowd.providers import AssignmentStatus
from replicate.store.tables import Assignment, Hit, Payment

Pay = Literal["approve", "auto"]
_VOID = ("Rejected", "Withdrawn")


@dataclass(frozen=True)
class Sums:
    """What the ledger says in all, in US dollars.

    Attributes:
        assignments: How many assignments are paid.
        paid: What their workers got.
        fees: What the provider got.
        due: How many assignments are written down, and not known to be paid.
    """

    assignments: int
    paid: Decimal
    fees: Decimal
    due: int


class Ledger:
    """The payments of one HIT's assignments.

    Args:
        hit: The HIT.
        table: The provider's fees.
        mode: Where it is paid and to whom.
        pay: Whether collecting approves (``approve``) or the provider does in time (``auto``).
    """

    def __init__(self, hit: Hit, table: FeeTable, mode: str, pay: Pay) -> None:
        self._reward = Decimal(hit.reward)
        self._fee = assignment_fee(self._reward, hit.assignments, table)
        self._key = hit.hit_key
        self._mode = mode
        self._pay = pay

    def write(
        self, session: Session, states: Iterable[tuple[str, str | AssignmentStatus]], now: datetime
    ) -> list[str]:
        """Write down what is owed and what is known to be paid.

        Args:
            session: An open session; the assignments are stored.
            states: Each assignment's id and status, as the provider says it now.
            now: The time.

        Returns:
            The assignments that are to be approved now.
        """
        known = {
            row.assignment_id: row
            for row in session.scalars(
                select(Payment)
                .join(Assignment, Assignment.assignment_id == Payment.assignment_id)
                .where(Assignment.hit_key == self._key, Payment.kind == "approve")
            )
        }
        to_approve = []
        for assignment_id, status in states:
            row = known.get(assignment_id)
            if status == "Approved":
                row = row or self._add(session, assignment_id, now)
                if row.status != "paid":
                    row.status, row.paid_at = "paid", now
            elif status == "Submitted" and self._pay == "approve":
                row = row or self._add(session, assignment_id, now)
                to_approve.append(assignment_id)
            elif status in _VOID and row is not None and row.status == "due":
                row.status = "void"
        return to_approve

    def confirm(self, session: Session, assignment_ids: Sequence[str], now: datetime) -> None:
        """Write down that payments were made."""
        session.execute(
            update(Payment)
            .where(Payment.assignment_id.in_(assignment_ids), Payment.kind == "approve")
            .values(status="paid", paid_at=now)
        )

    def _add(self, session: Session, assignment_id: str, now: datetime) -> Payment:
        row = Payment(
            assignment_id=assignment_id,
            kind="approve",
            amount=str(self._reward),
            fee=str(self._fee),
            mode=self._mode,
            status="due",
            due_at=now,
        )
        session.add(row)
        return row


def sums(session: Session) -> Sums:
    """What was paid so far, and how much work is written down but not known to be paid."""
    rows = session.execute(
        select(Payment.status, Payment.amount, Payment.fee, func.count().label("n")).group_by(
            Payment.status, Payment.amount, Payment.fee
        )
    ).all()
    paid = [row for row in rows if row.status == "paid"]
    return Sums(
        assignments=sum(row.n for row in paid),
        paid=sum((Decimal(row.amount) * row.n for row in paid), Decimal("0.00")),
        fees=sum((Decimal(row.fee) * row.n for row in paid), Decimal("0.00")),
        due=sum(row.n for row in rows if row.status == "due"),
    )
