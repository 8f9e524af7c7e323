"""Operations on what workers hold, and on what they ask for."""

from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from replicate.crowdserver.context import Context, one_page
from replicate.crowdserver.errors import ApiError, no_such
from replicate.crowdserver.known_workers import require_worker
from replicate.crowdserver.messages import send
from replicate.crowdserver.qualification_types import own_type
from replicate.crowdserver.requester_tables import (
    Qualification,
    QualificationRequest,
    QualificationType,
)
from replicate.crowdserver.requirements import locale_document

DEFAULT_VALUE = 1


def associate_qualification(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Grant a worker a qualification, or change its value."""
    row = own_type(context, params["QualificationTypeId"])
    worker = require_worker(context, params["WorkerId"])
    grant(context, row.qualification_type_id, worker, params.get("IntegerValue"))
    if params.get("SendNotification") is not False:
        send(context, [worker], f"You have the qualification {row.name}", row.description)
    return {}


def disassociate_qualification(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Take a qualification away from a worker."""
    row = own_type(context, params["QualificationTypeId"])
    worker, reason = params["WorkerId"], params.get("Reason")
    _held(context, row.qualification_type_id, worker, "Granted")
    context.connection.execute(
        update(Qualification)
        .filter_by(qualification_type_id=row.qualification_type_id, worker_id=worker)
        .values(status="Revoked", reason=reason)
    )
    send(context, [worker], f"You no longer have the qualification {row.name}", reason or "")
    return {}


def get_qualification_score(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """What a worker holds of a qualification type of this requester."""
    row = own_type(context, params["QualificationTypeId"])
    found = _held(context, row.qualification_type_id, params["WorkerId"])
    return {"Qualification": _document(found)}


def list_workers_with_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The workers who hold a qualification, or held it, in the order of granting."""
    key = own_type(context, params["QualificationTypeId"]).qualification_type_id
    status = params.get("Status") or "Granted"
    query = select(*Qualification.__table__.columns).filter_by(
        qualification_type_id=key, status=status
    )
    places = (Qualification.granted, Qualification.worker_id)
    scope = ["ListWorkersWithQualificationType", key, status]
    rows, answer = one_page(context, params, scope, query, *places)
    return {**answer, "Qualifications": [_document(row) for row in rows]}


def list_qualification_requests(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The requests that wait for this requester, the oldest first."""
    wanted = params.get("QualificationTypeId")
    query = _REQUESTS.where(
        QualificationType.requester == context.requester, QualificationRequest.state == "Pending"
    )
    if wanted is not None:
        key = own_type(context, wanted).qualification_type_id
        query = query.where(QualificationRequest.qualification_type_id == key)
    scope = ["ListQualificationRequests", wanted]
    rows, answer = one_page(context, params, scope, query, QualificationRequest.serial)
    return {**answer, "QualificationRequests": [_request_document(row) for row in rows]}


def accept_qualification_request(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Grant what a worker asked for."""
    row = _pending(context, params["QualificationRequestId"])
    grant(context, row.qualification_type_id, row.worker_id, params.get("IntegerValue"))
    _decide(context, row, "Granted", None)
    send(context, [row.worker_id], f"You have the qualification {row.name}", row.description)
    return {}


def reject_qualification_request(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a worker asked for."""
    row, reason = _pending(context, params["QualificationRequestId"]), params.get("Reason")
    _decide(context, row, "Rejected", reason)
    send(context, [row.worker_id], f"You do not get the qualification {row.name}", reason or "")
    return {}


def grant(
    context: Context, type_id: str, worker: str, value: int | None, locale: str | None = None
) -> None:
    """Let a worker hold a qualification.

    Args:
        context: The request.
        type_id: The qualification type.
        worker: The worker.
        value: Its value; None: 1, or no value if it is a place.
        locale: A place, for the qualification that is one.
    """
    if value is None and locale is None:
        value = DEFAULT_VALUE
    own = {"qualification_type_id": type_id, "worker_id": worker}
    values = {
        "value": value,
        "locale": locale,
        "status": "Granted",
        "granted": context.now,
        "reason": None,
    }
    changed = context.connection.execute(update(Qualification).filter_by(**own).values(values))
    if changed.rowcount == 0:
        context.connection.execute(insert(Qualification).values({**own, **values}))


_REQUESTS: Select[Any] = select(
    *QualificationRequest.__table__.columns,
    QualificationType.name,
    QualificationType.description,
    QualificationType.test,
).join(
    QualificationType,
    QualificationType.qualification_type_id == QualificationRequest.qualification_type_id,
)


def _pending(context: Context, request_id: str) -> Row[Any]:
    query = _REQUESTS.where(
        QualificationRequest.request_id == request_id,
        QualificationType.requester == context.requester,
    )
    row = context.connection.execute(query).first()
    if row is None:
        raise no_such("Qualification request", request_id)
    if row.state != "Pending":
        raise ApiError(
            f"Qualification request {request_id} is {row.state} already.",
            "AWS.MechanicalTurk.InvalidQualificationRequestState",
        )
    return row


def _decide(context: Context, row: Row[Any], state: str, reason: str | None) -> None:
    context.connection.execute(
        update(QualificationRequest)
        .where(QualificationRequest.serial == row.serial)
        .values(state=state, decided=context.now, reason=reason)
    )


def _held(context: Context, type_id: str, worker: str, status: str | None = None) -> Row[Any]:
    query = select(*Qualification.__table__.columns).filter_by(
        qualification_type_id=type_id, worker_id=worker
    )
    row = context.connection.execute(query).first()
    if row is None or status not in (None, row.status):
        raise ApiError(
            f"Worker {worker} does not hold the qualification {type_id}.",
            "AWS.MechanicalTurk.QualificationDoesNotExist",
        )
    return row


def _document(row: Row[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "QualificationTypeId": row.qualification_type_id,
        "WorkerId": row.worker_id,
        "GrantTime": row.granted,
        "Status": row.status,
    }
    if row.value is not None:
        found["IntegerValue"] = row.value
    if row.locale is not None:
        found["LocaleValue"] = locale_document(row.locale)
    return found


def _request_document(row: Row[Any]) -> dict[str, Any]:
    found = {
        "QualificationRequestId": row.request_id,
        "QualificationTypeId": row.qualification_type_id,
        "WorkerId": row.worker_id,
        "SubmitTime": row.submitted,
        "Test": row.test,
        "Answer": row.answer,
    }
    return {name: value for name, value in found.items() if value is not None}
