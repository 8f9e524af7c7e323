"""Workers as requesters name them."""

from collections.abc import Sequence

from sqlalchemy import select

from replicate.crowdserver.context import Context
from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.tables import Assignment, Hit, Worker


def require_worker(context: Context, worker: str) -> str:
    """A worker's id, if this server knows it.

    Raises:
        ApiError: It does not.
    """
    query = select(Worker.worker_id).where(Worker.worker_id == worker)
    if context.connection.execute(query).first() is None:
        raise ApiError(
            f"WorkerId is invalid. There is no worker {worker}.",
            "AWS.MechanicalTurk.WorkerDoesNotExist",
        )
    return worker


def judged_workers(context: Context, workers: Sequence[str]) -> set[str]:
    """Those of some workers from whom this requester has approved or rejected work."""
    query = (
        select(Assignment.worker_id)
        .join(Hit, Hit.hit_id == Assignment.hit_id)
        .where(
            Assignment.worker_id.in_(list(workers)),
            Assignment.state.in_(("Approved", "Rejected")),
            Hit.requester == context.requester,
        )
    )
    return set(context.connection.execute(query.distinct()).scalars())
