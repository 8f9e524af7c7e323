"""Operations on assignments."""

from typing import Any

from sqlalchemy import Row, select, tuple_, update

from replicate.crowdserver.context import Context, page_size, page_start, page_token
from replicate.crowdserver.errors import no_such, wrong_state
from replicate.crowdserver.hits import hit_document, hit_row
from replicate.crowdserver.states import DONE
from replicate.crowdserver.tables import Assignment, Hit

MONTH = 30 * 86_400.0
_COLUMNS = select(*Assignment.__table__.columns)


def list_assignments(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A HIT's submitted assignments, in the order in which they were submitted."""
    hit = hit_row(context, params["HITId"])
    states = sorted(set(params.get("AssignmentStatuses") or DONE))
    scope = ["ListAssignmentsForHIT", hit.hit_id, *states]
    size, start = page_size(params), page_start(context, scope, params)
    query = _COLUMNS.where(Assignment.hit_id == hit.hit_id, Assignment.state.in_(states))
    place = tuple_(Assignment.submitted, Assignment.assignment_id)
    if start is not None:
        query = query.where(place > tuple_(*start))
    query = query.order_by(Assignment.submitted, Assignment.assignment_id).limit(size + 1)
    rows = context.connection.execute(query).all()
    shown = rows[:size]
    answer: dict[str, Any] = {
        "NumResults": len(shown),
        "Assignments": [_document(row) for row in shown],
    }
    if len(rows) > size:
        last = shown[-1]
        answer["NextToken"] = page_token(context, scope, [last.submitted, last.assignment_id])
    return answer


def get_assignment(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One submitted assignment, with its HIT."""
    row = _row(context, params["AssignmentId"])
    hit = hit_document(context, hit_row(context, row.hit_id))
    return {"Assignment": _document(row), "HIT": hit}


def approve_assignment(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Approve an assignment; with OverrideRejection also one rejected in the last 30 days."""
    row = _row(context, params["AssignmentId"])
    allowed = row.state == "Submitted"
    if row.state == "Rejected" and params.get("OverrideRejection"):
        allowed = row.submitted + MONTH > context.now
        if hit_row(context, row.hit_id).disposed:
            raise wrong_state(f"HIT {row.hit_id} is deleted.", "HIT")
    if not allowed:
        raise wrong_state(f"Assignment {row.assignment_id} is {row.state}.", "Assignment")
    _decide(context, row, "Approved", params.get("RequesterFeedback"))
    return {}


def reject_assignment(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Reject an assignment that is not decided yet."""
    row = _row(context, params["AssignmentId"])
    if row.state != "Submitted":
        raise wrong_state(f"Assignment {row.assignment_id} is {row.state}.", "Assignment")
    _decide(context, row, "Rejected", params["RequesterFeedback"])
    return {}


def _decide(context: Context, row: Row[Any], state: str, feedback: str | None) -> None:
    context.connection.execute(
        update(Assignment)
        .where(Assignment.assignment_id == row.assignment_id)
        .values(state=state, decided=context.now, feedback=feedback)
    )


def _row(context: Context, assignment_id: str) -> Row[Any]:
    row = context.connection.execute(
        _COLUMNS.join(Hit, Hit.hit_id == Assignment.hit_id).where(
            Assignment.assignment_id == assignment_id,
            Assignment.state.in_(DONE),
            Hit.requester == context.requester,
        )
    ).first()
    if row is None:
        raise no_such("Assignment", assignment_id)
    return row


def _document(row: Row[Any]) -> dict[str, Any]:
    document = {
        "AssignmentId": row.assignment_id,
        "WorkerId": row.worker_id,
        "HITId": row.hit_id,
        "AssignmentStatus": row.state,
        "AutoApprovalTime": row.auto_approval,
        "AcceptTime": row.accepted,
        "SubmitTime": row.submitted,
        "Deadline": row.deadline,
        "Answer": row.answer,
    }
    if row.state == "Approved":
        document["ApprovalTime"] = row.decided
    elif row.state == "Rejected":
        document["RejectionTime"] = row.decided
    if row.feedback is not None:
        document["RequesterFeedback"] = row.feedback
    return document
