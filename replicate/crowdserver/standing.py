"""How far some workers are, read from the server's database on its own machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from replicate.crowdserver import names as ids
from replicate.crowdserver.database import Database
from replicate.crowdserver.states import DONE, OPEN, TAKEN
from replicate.crowdserver.tables import Assignment, Hit, Worker


@dataclass(frozen=True)
class Standing:
    """How far one worker is.

    Attributes:
        done: Pages that the worker has sent in.
        left: Pages that the worker has open or could take up.
    """

    done: int
    left: int


def standings(db: Path | str, workers: Sequence[str], now: float) -> dict[str, Standing]:
    """How far some workers are.

    Args:
        db: The server's database.
        workers: Names that they were invited by.
        now: The present moment, in seconds since 1970.

    Returns:
        A standing for each name.
    """
    database = Database(db)
    try:
        with database.begin() as connection:
            found = {}
            for name in workers:
                worker = ids.worker_id(database.key, name)
                own = (Assignment.worker_id == worker, Assignment.hit_id == Hit.hit_id)
                states = select(Assignment.state).where(*own).correlate(Hit).scalar_subquery()
                done = connection.execute(
                    select(func.count()).where(
                        Assignment.worker_id == worker, Assignment.state.in_(DONE)
                    )
                ).scalar_one()
                left = connection.execute(
                    select(func.count())
                    .select_from(Hit)
                    .where(
                        Hit.disposed == 0,
                        (func.coalesce(states, "") == OPEN)
                        | (
                            func.coalesce(states, "").not_in((OPEN, *DONE))
                            & (Hit.expires > now)
                            & (Hit.max_assignments > TAKEN)
                        ),
                    )
                ).scalar_one()
                found[name] = Standing(int(done), int(left))
            return found
    finally:
        database.close()


def known_workers(db: Path | str, names: Sequence[str]) -> tuple[int, list[str]]:
    """How many workers a server has invited, and which of some names are not among them."""
    database = Database(db)
    try:
        with database.begin() as connection:
            known = set(connection.execute(select(Worker.worker_id)).scalars())
        return len(known), [n for n in names if ids.worker_id(database.key, n) not in known]
    finally:
        database.close()
