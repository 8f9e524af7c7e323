"""Operations on HITs and HIT types."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update

from replicate.crowdserver import names
from replicate.crowdserver.context import Context, page_size, page_start, page_token
from replicate.crowdserver.errors import ApiError, bad_value, no_such, wrong_state
from replicate.crowdserver.questions import check_question
from replicate.crowdserver.shown import note_page
from replicate.crowdserver.states import PENDING, TAKEN, Counts, counts_of, hit_status
from replicate.crowdserver.tables import Hit, HitType

YEAR = 31_536_000
DAY = 86_400
_TYPE_NAMES = ("Title", "Description", "Keywords", "Reward")
_LENGTHS = {"Title": 128, "Description": 2000, "Keywords": 1000, "RequesterAnnotation": 255}
_RANGES = {
    "AssignmentDurationInSeconds": (30, YEAR),
    "AutoApprovalDelayInSeconds": (0, 30 * DAY),
    "LifetimeInSeconds": (30, YEAR),
    "MaxAssignments": (1, 1_000_000_000),
}
_NOT_OFFERED = (
    "QualificationRequirements",
    "AssignmentReviewPolicy",
    "HITReviewPolicy",
    "HITLayoutId",
    "HITLayoutParameters",
)
_TERMS = [
    column
    for column in HitType.__table__.columns
    if column.name not in ("hit_type_id", "requester")
]
_HIT = select(*Hit.__table__.columns, *_TERMS).join(HitType, Hit.hit_type_id == HitType.hit_type_id)


def create_hit_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Make a HIT type; the same terms give the same id."""
    _check_terms(params)
    return {"HITTypeId": _ensure_type(context, params)}


def create_hit(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Make a HIT together with its type."""
    _check_terms(params)
    _refuse_repeat(context, params)
    _check_hit(params)
    return _insert_hit(context, _ensure_type(context, params), params)


def create_hit_with_hit_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Make a HIT of a type that exists."""
    _check_terms(params)
    _refuse_repeat(context, params)
    _check_hit(params)
    known = select(HitType.hit_type_id).where(
        HitType.hit_type_id == params["HITTypeId"], HitType.requester == context.requester
    )
    if context.connection.execute(known).first() is None:
        raise no_such("HIT type", params["HITTypeId"])
    return _insert_hit(context, params["HITTypeId"], params)


def get_hit(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One HIT."""
    return {"HIT": hit_document(context, hit_row(context, params["HITId"]))}


def list_hits(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """All HITs that are not deleted, the newest first."""
    return _page(context, params, ["ListHITs"], _HIT)


def list_reviewable_hits(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """HITs that no worker can or does work on any more, the newest first."""
    wanted = params.get("Status") or "Reviewable"
    hit_type = params.get("HITTypeId")
    query = _HIT.where(PENDING == 0)
    query = query.where((Hit.expires <= context.now) | (Hit.max_assignments <= TAKEN))
    if wanted != "Reviewable":  # Reviewing is set by UpdateHITReviewStatus, which is not offered
        query = query.where(Hit.serial < 0)
    if hit_type is not None:
        query = query.where(Hit.hit_type_id == hit_type)
    return _page(context, params, ["ListReviewableHITs", wanted, hit_type], query)


def update_expiration(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Move a HIT's end; a time in the past ends it at once."""
    row = hit_row(context, params["HITId"])
    if row.disposed:
        raise wrong_state(f"HIT {row.hit_id} is deleted.", "HIT")
    # A moment that cannot be told from the past ends it now, never before it began.
    moment = max(float(params["ExpireAt"]), context.now)
    context.connection.execute(update(Hit).where(Hit.hit_id == row.hit_id).values(expires=moment))
    return {}


def delete_hit(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Delete a HIT: only one that is Reviewable and whose assignments are all decided."""
    row = hit_row(context, params["HITId"])
    counts = counts_of(context.connection, [row.hit_id])[row.hit_id]
    status = _status(row, counts, context.now)
    if status != "Reviewable":
        raise wrong_state(f"HIT {row.hit_id} is {status}, not Reviewable.", "HIT")
    if counts.submitted:
        raise wrong_state(
            f"HIT {row.hit_id} has {counts.submitted} assignments to approve or reject.", "HIT"
        )
    context.connection.execute(update(Hit).where(Hit.hit_id == row.hit_id).values(disposed=1))
    return {}


def hit_row(context: Context, hit_id: str) -> Row[Any]:
    """A HIT of this requester, with its type's columns.

    Raises:
        ApiError: There is none with that id.
    """
    row = context.connection.execute(
        _HIT.where(Hit.hit_id == hit_id, Hit.requester == context.requester)
    ).first()
    if row is None:
        raise no_such("HIT", hit_id)
    return row


def hit_document(context: Context, row: Row[Any]) -> dict[str, Any]:
    """A HIT as the protocol describes it."""
    counts = counts_of(context.connection, [row.hit_id])[row.hit_id]
    return _document(context, row, counts)


def _document(context: Context, row: Row[Any], counts: Counts) -> dict[str, Any]:
    document = {
        "HITId": row.hit_id,
        "HITTypeId": row.hit_type_id,
        "HITGroupId": names.hit_group_id(context.key, row.hit_type_id),
        "CreationTime": row.created,
        "Title": row.title,
        "Description": row.description,
        "Question": row.question,
        "Keywords": row.keywords,
        "HITStatus": _status(row, counts, context.now),
        "MaxAssignments": row.max_assignments,
        "Reward": row.reward,
        "AutoApprovalDelayInSeconds": row.auto_approval_delay,
        "Expiration": row.expires,
        "AssignmentDurationInSeconds": row.duration,
        "QualificationRequirements": [],
        "HITReviewStatus": "NotReviewed",
        "NumberOfAssignmentsPending": counts.pending,
        "NumberOfAssignmentsAvailable": max(0, row.max_assignments - counts.taken),
        "NumberOfAssignmentsCompleted": counts.decided,
    }
    if row.annotation is not None:
        document["RequesterAnnotation"] = row.annotation
    return document


def _status(row: Row[Any], counts: Counts, now: float) -> str:
    return hit_status(row.expires, row.max_assignments, bool(row.disposed), counts, now)


def _page(
    context: Context, params: dict[str, Any], scope: list[Any], query: Select[Any]
) -> dict[str, Any]:
    size, start = page_size(params), page_start(context, scope, params)
    query = query.where(Hit.requester == context.requester, Hit.disposed == 0)
    if start is not None:
        query = query.where(Hit.serial < start[0])
    rows = context.connection.execute(query.order_by(Hit.serial.desc()).limit(size + 1)).all()
    shown: Sequence[Row[Any]] = rows[:size]
    counts = counts_of(context.connection, [row.hit_id for row in shown])
    answer: dict[str, Any] = {
        "NumResults": len(shown),
        "HITs": [_document(context, row, counts[row.hit_id]) for row in shown],
    }
    if len(rows) > size:
        answer["NextToken"] = page_token(context, scope, [shown[-1].serial])
    return answer


def _check_terms(params: dict[str, Any]) -> None:
    for name in _NOT_OFFERED:
        if params.get(name):
            raise bad_value(f"{name} is not offered by this server.")
    for name, most in _LENGTHS.items():
        size = len(params.get(name) or "")
        if size > most:
            raise bad_value(f"{name} has {size} characters; at most {most} are allowed.")
    for name, (low, high) in _RANGES.items():
        value = params.get(name)
        if value is not None and not low <= value <= high:
            raise bad_value(f"{name} is {value}, not {low} to {high}.")
    for name in ("Title", "Description"):
        if name in params and not params[name].strip():
            raise bad_value(f"{name} is empty.")


def _check_hit(params: dict[str, Any]) -> None:
    if not params.get("Question"):
        raise ApiError("Question is missing.", "AWS.MissingParameters")
    check_question(params["Question"])


def _ensure_type(context: Context, params: dict[str, Any]) -> str:
    title, description, keywords, reward = (params.get(name) or "" for name in _TYPE_NAMES)
    duration = params["AssignmentDurationInSeconds"]
    delay = params.get("AutoApprovalDelayInSeconds")
    delay = 30 * DAY if delay is None else delay
    cents = _cents(reward)
    terms = (title, description, keywords, str(cents), str(duration), str(delay))
    found = names.hit_type_id(context.key, context.requester, *terms)
    known = select(HitType.hit_type_id).where(HitType.hit_type_id == found)
    if context.connection.execute(known).first() is None:
        context.connection.execute(
            insert(HitType).values(
                hit_type_id=found,
                requester=context.requester,
                title=title,
                description=description,
                keywords=keywords,
                reward=f"{cents // 100}.{cents % 100:02d}",
                duration=duration,
                auto_approval_delay=delay,
            )
        )
    return found


def _cents(reward: str) -> int:
    """A reward in cents; its pattern has been checked: 1, 1., 1.5 and 1.50 are all allowed."""
    whole, _, rest = reward.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0"))


def _refuse_repeat(context: Context, params: dict[str, Any]) -> None:
    token = params.get("UniqueRequestToken")
    if token is None:
        return
    known = select(Hit.hit_id).where(Hit.requester == context.requester, Hit.request_token == token)
    found = context.connection.execute(known).scalar()
    if found is not None:
        # MTurk forgets tokens after 24 hours. We never do: publishing again stays safe.
        raise ApiError(
            f"The HIT with ID {found} already exists: its UniqueRequestToken was used before.",
            "AWS.MechanicalTurk.HITAlreadyExists",
        )


def _insert_hit(context: Context, hit_type: str, params: dict[str, Any]) -> dict[str, Any]:
    last = context.connection.execute(select(func.max(Hit.serial))).scalar() or 0
    token = params.get("UniqueRequestToken")
    found = names.hit_id(context.key, context.requester, token, last + 1)
    context.connection.execute(
        insert(Hit).values(
            serial=last + 1,
            hit_id=found,
            hit_type_id=hit_type,
            requester=context.requester,
            request_token=token,
            question=params["Question"],
            annotation=params.get("RequesterAnnotation"),
            max_assignments=params.get("MaxAssignments") or 1,
            created=context.now,
            expires=context.now + params["LifetimeInSeconds"],
            disposed=0,
        )
    )
    note_page(context, last + 1, params["Question"])
    return get_hit(context, {"HITId": found})
