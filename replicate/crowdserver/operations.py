"""The operations of the API by their names, and what this server says of each."""

from collections.abc import Callable, Mapping
from typing import Any

from replicate.crowdserver import (
    assignments,
    blocks,
    bonuses,
    hit_types,
    hits,
    messages,
    qualification_types,
    qualifications,
)
from replicate.crowdserver.context import Context
from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.limits import check_limits
from replicate.crowdserver.protocol import Call, required_members

Operation = Callable[[Context, dict[str, Any]], dict[str, Any]]

OPERATIONS: Mapping[str, Operation] = {
    "AcceptQualificationRequest": qualifications.accept_qualification_request,
    "ApproveAssignment": assignments.approve_assignment,
    "AssociateQualificationWithWorker": qualifications.associate_qualification,
    "CreateAdditionalAssignmentsForHIT": hits.create_additional_assignments,
    "CreateHIT": hits.create_hit,
    "CreateHITType": hit_types.create_hit_type,
    "CreateHITWithHITType": hits.create_hit_with_hit_type,
    "CreateQualificationType": qualification_types.create_qualification_type,
    "CreateWorkerBlock": blocks.create_worker_block,
    "DeleteHIT": hits.delete_hit,
    "DeleteQualificationType": qualification_types.delete_qualification_type,
    "DeleteWorkerBlock": blocks.delete_worker_block,
    "DisassociateQualificationFromWorker": qualifications.disassociate_qualification,
    "GetAccountBalance": bonuses.get_account_balance,
    "GetAssignment": assignments.get_assignment,
    "GetHIT": hits.get_hit,
    "GetQualificationScore": qualifications.get_qualification_score,
    "GetQualificationType": qualification_types.get_qualification_type,
    "ListAssignmentsForHIT": assignments.list_assignments,
    "ListBonusPayments": bonuses.list_bonus_payments,
    "ListHITs": hits.list_hits,
    "ListHITsForQualificationType": hits.list_hits_for_qualification,
    "ListQualificationRequests": qualifications.list_qualification_requests,
    "ListQualificationTypes": qualification_types.list_qualification_types,
    "ListReviewableHITs": hits.list_reviewable_hits,
    "ListWorkerBlocks": blocks.list_worker_blocks,
    "ListWorkersWithQualificationType": qualifications.list_workers_with_type,
    "NotifyWorkers": messages.notify_workers,
    "RejectAssignment": assignments.reject_assignment,
    "RejectQualificationRequest": qualifications.reject_qualification_request,
    "SendBonus": bonuses.send_bonus,
    "UpdateExpirationForHIT": hits.update_expiration,
    "UpdateHITReviewStatus": hits.update_review_status,
    "UpdateHITTypeOfHIT": hits.update_hit_type,
    "UpdateQualificationType": qualification_types.update_qualification_type,
}

# The rest of the protocol, and why it is not here.
NOT_OFFERED: Mapping[str, str] = {
    "GetFileUploadURL": "no page here takes files; MTurk itself gave it up in 2017",
    "ListReviewPolicyResultsForHIT": "there are no review policies here",
    "SendTestEventNotification": "nothing is sent to SQS, SNS or email from here",
    "UpdateNotificationSettings": "nothing is sent to SQS, SNS or email from here",
}


def perform(context: Context, call: Call) -> dict[str, Any]:
    """Do what a request asks for.

    Raises:
        ApiError: It is refused, or the operation is not offered by this server.
    """
    operation = OPERATIONS.get(call.operation)
    if operation is None:
        why = NOT_OFFERED.get(call.operation, "it is not known here")
        raise ApiError(
            f"This server does not offer {call.operation}: {why}.",
            "AWS.MechanicalTurk.OperationNotSupported",
        )
    check_limits(call.params, required_members(call.operation))
    return operation(context, call.params)
