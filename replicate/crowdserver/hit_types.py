"""HIT types: the terms that HITs share."""

from typing import Any

from sqlalchemy import insert, select

from replicate.crowdserver import names
from replicate.crowdserver.context import Context
from replicate.crowdserver.errors import ApiError, bad_value, no_such
from replicate.crowdserver.limits import DAY
from replicate.crowdserver.money import cents, dollars
from replicate.crowdserver.requester_tables import QualificationType
from replicate.crowdserver.requirements import Requirement, loaded, read_requirements, stored
from replicate.crowdserver.tables import HitType

DEFAULT_DELAY = 30 * DAY  # seconds until approval, where the requester gives none
_TYPE_NAMES = ("Title", "Description", "Keywords", "Reward")


def create_hit_type(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Make a HIT type; the same terms give the same id."""
    return {"HITTypeId": ensure_type(context, params)}


def ensure_type(context: Context, params: dict[str, Any]) -> str:
    """The id of the HIT type with some terms; made if it is not there.

    Raises:
        ApiError: The terms require what there is not, or what cannot be compared so.
    """
    requirements = read_requirements(params)
    _check_required(context, requirements)
    title, description, keywords, reward = (params.get(name) or "" for name in _TYPE_NAMES)
    duration = params["AssignmentDurationInSeconds"]
    delay = params.get("AutoApprovalDelayInSeconds")
    delay = DEFAULT_DELAY if delay is None else delay
    amount = cents(reward)
    terms = [title, description, keywords, str(amount), str(duration), str(delay)]
    if requirements:
        terms.append(stored(requirements))
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
                reward=dollars(amount),
                duration=duration,
                auto_approval_delay=delay,
                requirements=stored(requirements),
            )
        )
    return found


def usable_type(context: Context, hit_type: str) -> str:
    """The id of a HIT type that HITs can be made with.

    Raises:
        ApiError: This requester has none with that id, or what it requires was deleted.
    """
    query = select(HitType.requirements).where(
        HitType.hit_type_id == hit_type, HitType.requester == context.requester
    )
    requirements = context.connection.execute(query).scalar()
    if requirements is None:
        raise no_such("HIT type", hit_type)
    _check_required(context, list(loaded(requirements)))
    return hit_type


def _check_required(context: Context, requirements: list[Requirement]) -> None:
    for type_id in dict.fromkeys(one.type_id for one in requirements):
        query = select(QualificationType.status).where(
            QualificationType.qualification_type_id == type_id, QualificationType.deleted == 0
        )
        status = context.connection.execute(query).scalar()
        if status is None:
            raise bad_value(
                f"QualificationRequirements: there is no qualification type {type_id!r} here."
            )
        if status != "Active":
            raise ApiError(
                f"The qualification type {type_id} is {status}.",
                "AWS.MechanicalTurk.InvalidQualificationTypeState",
            )
