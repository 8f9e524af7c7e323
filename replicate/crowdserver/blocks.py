"""Workers whom a requester wants no work from."""

from typing import Any

from sqlalchemy import delete, func, insert, select, update

from replicate.crowdserver.context import Context, one_page
from replicate.crowdserver.errors import bad_value
from replicate.crowdserver.known_workers import require_worker
from replicate.crowdserver.requester_tables import WorkerBlock

MOST = 100_000


def create_worker_block(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Block a worker: they see and take up no HIT of this requester; what they began they finish.

    Blocking a worker who is blocked changes the reason.
    """
    worker = require_worker(context, params["WorkerId"])
    own = {"requester": context.requester, "worker_id": worker}
    changed = context.connection.execute(
        update(WorkerBlock).filter_by(**own).values(reason=params["Reason"])
    )
    if changed.rowcount == 0:
        count = select(func.count()).where(WorkerBlock.requester == context.requester)
        if context.connection.execute(count).scalar_one() >= MOST:
            raise bad_value(f"At most {MOST} workers can be blocked.")
        row = {**own, "reason": params["Reason"], "made": context.now}
        context.connection.execute(insert(WorkerBlock).values(row))
    return {}


def delete_worker_block(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Let a worker work again; one who is not blocked stays so."""
    own = {"requester": context.requester, "worker_id": require_worker(context, params["WorkerId"])}
    context.connection.execute(delete(WorkerBlock).filter_by(**own))
    return {}


def list_worker_blocks(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The workers who are blocked, in the order of blocking."""
    query = select(*WorkerBlock.__table__.columns).filter_by(requester=context.requester)
    places = (WorkerBlock.made, WorkerBlock.worker_id)
    rows, answer = one_page(context, params, ["ListWorkerBlocks"], query, *places)
    blocks = [{"WorkerId": row.worker_id, "Reason": row.reason} for row in rows]
    return {**answer, "WorkerBlocks": blocks}
