"""The operations of the API by their names."""

from collections.abc import Callable, Mapping
from typing import Any

from replicate.crowdserver import assignments, hits
from replicate.crowdserver.context import Context
from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.protocol import Call

Operation = Callable[[Context, dict[str, Any]], dict[str, Any]]


def get_account_balance(_context: Context, _params: dict[str, Any]) -> dict[str, Any]:
    """The balance that MTurk's sandbox always gave: this server moves no money."""
    return {"AvailableBalance": "10000.00", "OnHoldBalance": "0.00"}


OPERATIONS: Mapping[str, Operation] = {
    "GetAccountBalance": get_account_balance,
    "CreateHITType": hits.create_hit_type,
    "CreateHIT": hits.create_hit,
    "CreateHITWithHITType": hits.create_hit_with_hit_type,
    "GetHIT": hits.get_hit,
    "ListHITs": hits.list_hits,
    "ListReviewableHITs": hits.list_reviewable_hits,
    "UpdateExpirationForHIT": hits.update_expiration,
    "DeleteHIT": hits.delete_hit,
    "ListAssignmentsForHIT": assignments.list_assignments,
    "GetAssignment": assignments.get_assignment,
    "ApproveAssignment": assignments.approve_assignment,
    "RejectAssignment": assignments.reject_assignment,
}


def perform(context: Context, call: Call) -> dict[str, Any]:
    """Do what a request asks for.

    Raises:
        ApiError: It is refused, or the operation is not offered by this server.
    """
    operation = OPERATIONS.get(call.operation)
    if operation is None:
        raise ApiError(
            f"This server does not offer {call.operation}.",
            "AWS.MechanicalTurk.OperationNotSupported",
        )
    return operation(context, call.params)
