"""Messages from requesters to workers; workers read them on a page of this server."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import insert

from replicate.crowdserver.context import Context
from replicate.crowdserver.known_workers import judged_workers
from replicate.crowdserver.requester_tables import Message


def send(context: Context, workers: Iterable[str], subject: str, text: str) -> None:
    """Put a message on the page of some workers."""
    rows = [
        {
            "worker_id": worker,
            "requester": context.requester,
            "subject": subject,
            "text": text,
            "sent": context.now,
        }
        for worker in workers
    ]
    if rows:
        context.connection.execute(insert(Message), rows)


def notify_workers(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Write to workers of whom this requester has approved or rejected work."""
    asked = list(dict.fromkeys(params["WorkerIds"]))
    known = judged_workers(context, asked)
    send(context, [w for w in asked if w in known], params["Subject"], params["MessageText"])
    failures = [
        {
            "NotifyWorkersFailureCode": "HardFailure",
            "NotifyWorkersFailureMessage": "You have approved or rejected no work of this worker.",
            "WorkerId": worker,
        }
        for worker in asked
        if worker not in known
    ]
    return {"NotifyWorkersFailureStatuses": failures}
