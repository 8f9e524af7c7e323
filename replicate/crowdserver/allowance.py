"""How much one worker may do: on the whole server, at the same time, by a platform's link."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, case, func, select

from replicate.crowdserver.context import Context
from replicate.crowdserver.states import DONE, OPEN
from replicate.crowdserver.tables import Assignment
from replicate.crowdserver.worker_tables import Recruitment


@dataclass(frozen=True)
class Limits:
    """What one worker may do on this server; None: any number.

    Attributes:
        max_per_worker: HITs in all.
        max_at_once: HITs taken up and not sent in yet.
    """

    max_per_worker: int | None = None
    max_at_once: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Allowance:
    """How far a worker is, and how far they may go.

    Attributes:
        running: HITs being worked on.
        sent: HITs sent in, those withdrawn too.
        here_running: Of those being worked on, the ones taken up by the platform's link.
        here_sent: HITs sent in by the platform's link and not withdrawn.
        hits_per_worker: How many HITs the link allows; None: any number, or no link.
        hits_needed: How many HITs the link asks for; 0 without a link.
    """

    running: int
    sent: int
    here_running: int = 0
    here_sent: int = 0
    hits_per_worker: int | None = None
    hits_needed: int = 0

    @property
    def missing(self) -> int:
        """HITs to send in until the completion code is shown."""
        return max(0, self.hits_needed - self.here_sent)

    def refusal(self, limits: Limits) -> tuple[str, str] | None:
        """Why the worker can take up nothing now, as title and message; None: they can."""
        most = self.hits_per_worker
        if most is not None and self.here_sent + self.here_running >= most:
            if not self.here_running:
                return ("You have done all your HITs", "There are no more for you in this study.")
            return (
                "These are your last HITs",
                "Send in what you are working on; there are no more for you in this study.",
            )
        most = limits.max_per_worker
        if most is not None and self.sent + self.running >= most:
            return (
                "You have done your share",
                f"One person may do {most} HITs here, and you have. Thank you!",
            )
        most = limits.max_at_once
        if most is not None and self.running >= most:
            return (
                "Finish what you have begun",
                f"You can work on {most} HIT{'s' if most > 1 else ''} at a time: send one in, or "
                "return it.",
            )
        return None


def _count(*conditions: Any) -> Any:
    return func.coalesce(func.sum(case((and_(*conditions), 1), else_=0)), 0)


_HERE = Assignment.recruitment == bindparam("recruitment")
_COUNTS = select(
    _count(Assignment.state == OPEN),
    _count(Assignment.state != OPEN),
    _count(Assignment.state == OPEN, _HERE),
    _count(Assignment.state != OPEN, _HERE, Assignment.withdrawn.is_(None)),
).where(Assignment.worker_id == bindparam("worker"), Assignment.state.in_((OPEN, *DONE)))
_LINK = select(Recruitment.hits_per_worker, Recruitment.hits_needed).where(
    Recruitment.number == bindparam("recruitment")
)


def allowance_of(context: Context, worker: str, recruitment: int | None = None) -> Allowance:
    """How far a worker is.

    Args:
        context: The request.
        worker: The worker.
        recruitment: The number of the platform's link by which they came, if they did.
    """
    given = {"worker": worker, "recruitment": recruitment}
    running, sent, here_running, here_sent = context.connection.execute(_COUNTS, given).one()
    if recruitment is None:
        return Allowance(int(running), int(sent))
    most, needed = context.connection.execute(_LINK, given).one()
    return Allowance(int(running), int(sent), int(here_running), int(here_sent), most, needed)
