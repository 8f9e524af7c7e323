"""Operations on qualification types."""

from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update

from replicate.crowdserver import names
from replicate.crowdserver.answer_key import read_answer_key
from replicate.crowdserver.context import Context, one_page
from replicate.crowdserver.errors import ApiError, bad_value, no_such
from replicate.crowdserver.question_form import read_form
from replicate.crowdserver.requester_tables import QualificationRequest, QualificationType

_TABLE = QualificationType
_COLUMNS = select(*_TABLE.__table__.columns).where(_TABLE.deleted == 0)
_COLUMN_OF = {
    "Description": "description",
    "QualificationTypeStatus": "status",
    "Test": "test",
    "AnswerKey": "answer_key",
    "TestDurationInSeconds": "test_duration",
    "RetryDelayInSeconds": "retry_delay",
    "AutoGranted": "auto_granted",
    "AutoGrantedValue": "auto_value",
}


def create_qualification_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Make a qualification type; its name is unique among the requester's own."""
    name = params["Name"].strip()
    same = _COLUMNS.where(_TABLE.requester == context.requester, _TABLE.name == name)
    found = context.connection.execute(same).first()
    if found is not None:
        raise ApiError(
            f"You have a qualification type named {name!r}: {found.qualification_type_id}.",
            "AWS.MechanicalTurk.QualificationTypeAlreadyExists",
        )
    _check_test(params, bool(params.get("AutoGranted")))
    made = select(func.count()).where(_TABLE.requester == context.requester)
    number = context.connection.execute(made).scalar_one() + 1
    key = names.qualification_type_id(context.key, context.requester, number)
    context.connection.execute(
        insert(_TABLE).values(
            qualification_type_id=key,
            requester=context.requester,
            name=name,
            keywords=params.get("Keywords") or "",
            created=context.now,
            deleted=0,
            **{"auto_granted": 0, "auto_value": 1, **_given(params)},
        )
    )
    return {"QualificationType": _document(context, type_row(context, key))}


def get_qualification_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One qualification type; anybody's, for HITs may require anybody's."""
    row = type_row(context, params["QualificationTypeId"])
    return {"QualificationType": _document(context, row)}


def list_qualification_types(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Qualification types, the oldest first, found by words of name, keywords or description."""
    words = (params.get("Query") or "").lower().split()
    requestable, owned = params["MustBeRequestable"], bool(params.get("MustBeOwnedByCaller"))
    query = _COLUMNS
    for word in words:
        searched = (_TABLE.name, _TABLE.keywords, _TABLE.description)
        query = query.where(
            or_(*(func.lower(column).contains(word, autoescape=True) for column in searched))
        )
    if requestable:
        query = query.where(_TABLE.requester != "", _TABLE.status == "Active")
    if owned:
        query = query.where(_TABLE.requester == context.requester)
    scope = ["ListQualificationTypes", words, requestable, owned]
    rows, answer = one_page(context, params, scope, query, _TABLE.serial)
    return {**answer, "QualificationTypes": [_document(context, row) for row in rows]}


def update_qualification_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Change a qualification type; a test cannot be taken away, nor retries once allowed."""
    row = own_type(context, params["QualificationTypeId"])
    values = _given(params)
    automatic = bool(values.get("auto_granted", row.auto_granted))
    _check_test(params, automatic)
    if row.test is not None and automatic:
        raise bad_value("A qualification type with a test cannot be AutoGranted.")
    if "test" in values:
        values.setdefault("answer_key", None)  # the documented rule: a test without its key
    if values:
        change = update(_TABLE).where(_TABLE.serial == row.serial).values(**values)
        context.connection.execute(change)
    return {"QualificationType": _document(context, type_row(context, row.qualification_type_id))}


def delete_qualification_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Delete a qualification type: no new HIT can require it, pending requests are rejected."""
    row = own_type(context, params["QualificationTypeId"])
    context.connection.execute(update(_TABLE).where(_TABLE.serial == row.serial).values(deleted=1))
    context.connection.execute(
        update(QualificationRequest)
        .where(
            QualificationRequest.qualification_type_id == row.qualification_type_id,
            QualificationRequest.state == "Pending",
        )
        .values(state="Rejected", decided=context.now, reason="The qualification was withdrawn.")
    )
    return {}


def type_row(context: Context, type_id: str) -> Row[Any]:
    """A qualification type that is not deleted, whoever's it is.

    Raises:
        ApiError: There is none.
    """
    query = _COLUMNS.where(_TABLE.qualification_type_id == type_id)
    row = context.connection.execute(query).first()
    if row is None:
        raise no_such("Qualification type", type_id)
    return row


def own_type(context: Context, type_id: str) -> Row[Any]:
    """A qualification type of this requester.

    Raises:
        ApiError: There is none, or it is another's.
    """
    row = type_row(context, type_id)
    if row.requester != context.requester:
        raise ApiError(
            f"Qualification type {type_id} is not yours.",
            "AWS.MechanicalTurk.NotOwnerOfQualificationType",
        )
    return row


def _given(params: dict[str, Any]) -> dict[str, Any]:
    found = {
        column: params[name] for name, column in _COLUMN_OF.items() if params.get(name) is not None
    }
    if "auto_granted" in found:
        found["auto_granted"] = int(found["auto_granted"])
    return found


def _check_test(params: dict[str, Any], automatic: bool) -> None:
    given = {
        name
        for name in ("Test", "AnswerKey", "TestDurationInSeconds")
        if params.get(name) is not None
    }
    if "Test" not in given and given:
        raise bad_value(f"{' and '.join(sorted(given))} need a Test.")
    if "Test" in given:
        if "TestDurationInSeconds" not in given:
            raise bad_value("A Test needs TestDurationInSeconds.")
        if automatic:
            raise bad_value("A qualification type with a Test cannot be AutoGranted.")
        read_form(params["Test"], "Test")
    if "AnswerKey" in given:
        read_answer_key(params["AnswerKey"])


def _document(context: Context, row: Row[Any]) -> dict[str, Any]:
    found = {
        "QualificationTypeId": row.qualification_type_id,
        "CreationTime": row.created,
        "Name": row.name,
        "Description": row.description,
        "Keywords": row.keywords,
        "QualificationTypeStatus": row.status,
        "Test": row.test,
        "TestDurationInSeconds": row.test_duration,
        "RetryDelayInSeconds": row.retry_delay,
        "IsRequestable": row.requester != "",
        "AutoGranted": bool(row.auto_granted),
        "AutoGrantedValue": row.auto_value if row.auto_granted else None,
        # Nobody but its owner sees the right answers.
        "AnswerKey": row.answer_key if row.requester == context.requester else None,
    }
    return {name: value for name, value in found.items() if value is not None}
