"""Batches: what was published together, what was agreed to, and where it went."""

import getpass
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from replicate.base.digests import digest_value
from replicate.crowd.cost import Cost
from replicate.store.tables import Assignment, Batch, Hit


@dataclass(frozen=True)
class Place:
    """Where HITs go, as the provider says it.

    Attributes:
        mode: In words; shown in every line.
        provider: The provider's name.
        endpoint: Its address, if it has one.
        simulated: Whether the workers are simulated.
    """

    mode: str
    provider: str
    endpoint: str | None
    simulated: bool


def unfinished(session: Session) -> Batch | None:
    """The batch that a run that was cut off did not send wholly, if its HITs are all that wait."""
    waiting = session.execute(select(Hit.batch_id).where(Hit.hit_id.is_(None)).distinct()).all()
    if len(waiting) != 1 or waiting[0].batch_id is None:
        return None
    return session.get_one(Batch, waiting[0].batch_id)


def begin(
    session: Session, place: Place, cost: Cost, composition: dict[str, Any], now: datetime
) -> Batch:
    """Write down that the waiting HITs are agreed to; one that was begun is carried on."""
    batch = unfinished(session)
    if batch is not None and batch.mode == place.mode:
        return batch
    batch = Batch(
        mode=place.mode,
        provider=place.provider,
        endpoint=place.endpoint,
        simulated=place.simulated,
        hits=cost.hits,
        assignments=cost.assignments,
        reward=str(cost.reward),
        fees=str(cost.fees),
        composition=composition,
        composition_digest=digest_value(composition),
        confirmed_by=user_name(),
        confirmed_at=now,
    )
    session.add(batch)
    session.flush()
    session.execute(update(Hit).where(Hit.hit_id.is_(None)).values(batch_id=batch.batch_id))
    return batch


def agreed(batch: Batch) -> Decimal:
    """The total that was confirmed for a batch."""
    return Decimal(batch.reward) + Decimal(batch.fees)


@dataclass(frozen=True)
class BatchState:
    """How far a batch is."""

    batch_id: int
    mode: str
    simulated: bool
    published: int
    complete: int
    expired: int
    assignments: int
    collected: int
    total: str
    confirmed_by: str
    confirmed_at: datetime

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **asdict(self),
            "batch_id": str(self.batch_id),
            "confirmed_at": self.confirmed_at.isoformat(timespec="seconds"),
        }


def batch_states(session: Session) -> list[BatchState]:
    """How far every batch is, in the order in which they were published."""
    collected: dict[int, int] = {
        row.batch_id: row.n
        for row in session.execute(
            select(Hit.batch_id, func.count().label("n"))
            .join(Assignment, Assignment.hit_key == Hit.hit_key)
            .where(Hit.batch_id.is_not(None), Assignment.status != "Withdrawn")
            .group_by(Hit.batch_id)
        )
    }
    found = []
    for batch in session.scalars(select(Batch).order_by(Batch.batch_id)).all():
        rows = session.execute(
            select(Hit.status, func.count().label("n"), func.sum(Hit.assignments).label("wanted"))
            .where(Hit.batch_id == batch.batch_id, Hit.hit_id.is_not(None))
            .group_by(Hit.status)
        ).all()
        counts = {row.status: int(row.n) for row in rows}
        found.append(
            BatchState(
                batch_id=batch.batch_id,
                mode=batch.mode,
                simulated=batch.simulated,
                published=sum(counts.values()),
                complete=counts.get("complete", 0),
                expired=counts.get("expired", 0),
                assignments=sum(int(row.wanted) for row in rows),
                collected=collected.get(batch.batch_id, 0),
                total=str(agreed(batch)),
                confirmed_by=batch.confirmed_by,
                confirmed_at=batch.confirmed_at,
            )
        )
    return found


def user_name() -> str:
    """The user's name, for the record of who did something."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
