"""Operations on assignments."""

from typing import Any

from sqlalchemy import Row, select, update

from replicate.crowdserver.context import Context, one_page
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
    query = _COLUMNS.where(Assignment.hit_id == hit.hit_id, Assignment.state.in_(states))
    places = (Assignment.submitted, Assignment.assignment_id)
    rows, answer = one_page(context, params, scope, query, *places)
    return {**answer, "Assignments": [_document(row) for row in rows]}


def get_assignment(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One submitted assignment, with its HIT."""
    row = assignment_row(context, params["AssignmentId"])
    hit = hit_document(context, hit_row(context, row.hit_id))
    return {"Assignment": _document(row), "HIT": hit}


def approve_assignment(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Approve an assignment; with OverrideRejection also one rejected in the last 30 days."""
    row = assignment_row(context, params["AssignmentId"])
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
    row = assignment_row(context, params["AssignmentId"])
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


def assignment_row(context: Context, assignment_id: str) -> Row[Any]:
    """An assignment of this requester that was sent in.

    Raises:
        ApiError: There is none with that id.
    """
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
