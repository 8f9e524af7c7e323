"""Operations on HITs."""

from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update

from replicate.crowdserver import names
from replicate.crowdserver.context import Context, one_page
from replicate.crowdserver.errors import ApiError, bad_value, no_such, wrong_state
from replicate.crowdserver.hit_types import ensure_type, usable_type
from replicate.crowdserver.qualification_types import type_row
from replicate.crowdserver.questions import check_question
from replicate.crowdserver.requirements import loaded
from replicate.crowdserver.shown import note_page
from replicate.crowdserver.states import PENDING, TAKEN, Counts, counts_of, hit_status
from replicate.crowdserver.tables import Hit, HitType
from replicate.crowdserver.tokens import use_token

MANY = 10  # assignments from which on a HIT costs more; a smaller one can never reach it
_NOT_OFFERED = (
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


def create_hit(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Make a HIT together with its type."""
    _refuse_repeat(context, params)
    _check_hit(params)
    return _insert_hit(context, ensure_type(context, params), params)


def create_hit_with_hit_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Make a HIT of a type that exists."""
    _refuse_repeat(context, params)
    _check_hit(params)
    return _insert_hit(context, usable_type(context, params["HITTypeId"]), params)


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
    query = _HIT.where(PENDING == 0, Hit.reviewing == int(wanted == "Reviewing"))
    query = query.where((Hit.expires <= context.now) | (Hit.max_assignments <= TAKEN))
    if hit_type is not None:
        query = query.where(Hit.hit_type_id == hit_type)
    return _page(context, params, ["ListReviewableHITs", wanted, hit_type], query)


def list_hits_for_qualification(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """This requester's HITs that require a qualification, the newest first."""
    wanted = type_row(context, params["QualificationTypeId"]).qualification_type_id
    query = _HIT.where(HitType.requirements.contains(f'"type_id":"{wanted}"', autoescape=True))
    return _page(context, params, ["ListHITsForQualificationType", wanted], query)


def update_expiration(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Move a HIT's end; a time in the past ends it at once."""
    row = _living_row(context, params["HITId"])
    # A moment that cannot be told from the past ends it now, never before it began.
    _change(context, row, expires=max(float(params["ExpireAt"]), context.now))
    return {}


def update_hit_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Give a HIT other terms; work that was taken up keeps its deadline."""
    row = _living_row(context, params["HITId"])
    _change(context, row, hit_type_id=usable_type(context, params["HITTypeId"]))
    return {}


def update_review_status(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Mark a Reviewable HIT as Reviewing, or turn it back."""
    row = hit_row(context, params["HITId"])
    wanted, other = "Reviewable", "Reviewing"
    if params.get("Revert"):
        wanted, other = other, wanted
    status = _status(row, counts_of(context.connection, [row.hit_id])[row.hit_id], context.now)
    if status != wanted:
        raise wrong_state(f"HIT {row.hit_id} is {status}, so it cannot become {other}.", "HIT")
    _change(context, row, reviewing=int(other == "Reviewing"))
    return {}


def create_additional_assignments(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Let more workers do a HIT."""
    row = _living_row(context, params["HITId"])
    use_token(context, "CreateAdditionalAssignmentsForHIT", params)
    total = row.max_assignments + params["NumberOfAdditionalAssignments"]
    if row.max_assignments < MANY <= total:
        raise ApiError(
            f"HIT {row.hit_id} was made with fewer than {MANY} assignments and can never have "
            f"{MANY} or more; this would make it {total}.",
            "AWS.MechanicalTurk.InvalidMaximumAssignmentsIncrease",
        )
    if total > 1_000_000_000:
        raise bad_value(f"HIT {row.hit_id} would have {total} assignments.")
    _change(context, row, max_assignments=total)
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
    _change(context, row, disposed=1)
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


def _living_row(context: Context, hit_id: str) -> Row[Any]:
    row = hit_row(context, hit_id)
    if row.disposed:
        raise wrong_state(f"HIT {row.hit_id} is deleted.", "HIT")
    return row


def _change(context: Context, row: Row[Any], **values: Any) -> None:
    """Change a HIT; one that can be taken up again is no longer being reviewed."""
    context.connection.execute(update(Hit).where(Hit.hit_id == row.hit_id).values(**values))
    if row.reviewing and "reviewing" not in values:
        counts = counts_of(context.connection, [row.hit_id])[row.hit_id]
        changed = hit_row(context, row.hit_id)
        if _status(changed, counts, context.now) == "Assignable":
            _change(context, changed, reviewing=0)


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
        "QualificationRequirements": [one.document() for one in loaded(row.requirements)],
        "HITReviewStatus": "NotReviewed",
        "NumberOfAssignmentsPending": counts.pending,
        "NumberOfAssignmentsAvailable": max(0, row.max_assignments - counts.taken),
        "NumberOfAssignmentsCompleted": counts.decided,
    }
    if row.annotation is not None:
        document["RequesterAnnotation"] = row.annotation
    return document


def _status(row: Row[Any], counts: Counts, now: float) -> str:
    state = hit_status(row.expires, row.max_assignments, bool(row.disposed), counts, now)
    return "Reviewing" if state == "Reviewable" and row.reviewing else state


def _page(
    context: Context, params: dict[str, Any], scope: list[Any], query: Select[Any]
) -> dict[str, Any]:
    own = query.where(Hit.requester == context.requester, Hit.disposed == 0)
    rows, answer = one_page(context, params, scope, own, Hit.serial, newest=True)
    counts = counts_of(context.connection, [row.hit_id for row in rows])
    return {**answer, "HITs": [_document(context, row, counts[row.hit_id]) for row in rows]}


def _check_hit(params: dict[str, Any]) -> None:
    for name in _NOT_OFFERED:
        if params.get(name):
            raise bad_value(f"{name} is not offered by this server.")
    if not params.get("Question"):
        raise ApiError("Question is missing.", "AWS.MissingParameters")
    check_question(params["Question"])


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
