"""Bonuses, and what a requester owes: this server keeps accounts and moves no money."""

from typing import Any

from sqlalchemy import Row, insert, select

from replicate.crowdserver.assignments import assignment_row
from replicate.crowdserver.context import Context, one_page
from replicate.crowdserver.errors import ApiError, bad_value
from replicate.crowdserver.hits import hit_row
from replicate.crowdserver.messages import send
from replicate.crowdserver.money import cents, dollars
from replicate.crowdserver.requester_tables import Bonus
from replicate.crowdserver.tables import Assignment, Hit, HitType
from replicate.crowdserver.tokens import use_token

BALANCE = "10000.00"  # what MTurk's sandbox always had


def get_account_balance(context: Context, _params: dict[str, Any]) -> dict[str, Any]:
    """A balance that never ends, for no money is here; on hold is what awaits a decision."""
    query = (
        select(HitType.reward)
        .join(Hit, Hit.hit_type_id == HitType.hit_type_id)
        .join(Assignment, Assignment.hit_id == Hit.hit_id)
        .where(Hit.requester == context.requester, Assignment.state == "Submitted")
    )
    held = sum(cents(reward) for reward in context.connection.execute(query).scalars())
    return {"AvailableBalance": BALANCE, "OnHoldBalance": dollars(held)}


def send_bonus(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Promise a worker more than the reward, for one of their own assignments."""
    row = assignment_row(context, params["AssignmentId"])
    worker, amount = params["WorkerId"], cents(params["BonusAmount"])
    if row.worker_id != worker:
        raise ApiError(
            f"Assignment {row.assignment_id} is not the work of {worker}.",
            "AWS.MechanicalTurk.WorkerDoesNotMatchAssignment",
        )
    if amount == 0:
        raise bad_value("BonusAmount is nothing.")
    use_token(context, "SendBonus", params)
    context.connection.execute(
        insert(Bonus).values(
            requester=context.requester,
            assignment_id=row.assignment_id,
            worker_id=worker,
            amount=dollars(amount),
            reason=params["Reason"],
            granted=context.now,
        )
    )
    send(context, [worker], f"A bonus of ${dollars(amount)}", params["Reason"])
    return {}


def list_bonus_payments(context: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The bonuses of a HIT or of an assignment, in the order of giving."""
    hit, assignment = params.get("HITId"), params.get("AssignmentId")
    if (hit is None) == (assignment is None):
        raise ApiError("Give HITId or AssignmentId, one of them.", "AWS.MissingParameters")
    query = select(*Bonus.__table__.columns)
    if hit is not None:
        own = select(Assignment.assignment_id).where(
            Assignment.hit_id == hit_row(context, hit).hit_id
        )
        query = query.where(Bonus.assignment_id.in_(own))
    else:
        query = query.where(
            Bonus.assignment_id == assignment_row(context, assignment or "").assignment_id
        )
    scope = ["ListBonusPayments", hit, assignment]
    rows, answer = one_page(context, params, scope, query, Bonus.serial)
    return {**answer, "BonusPayments": [_document(row) for row in rows]}


def _document(row: Row[Any]) -> dict[str, Any]:
    return {
        "WorkerId": row.worker_id,
        "BonusAmount": row.amount,
        "AssignmentId": row.assignment_id,
        "Reason": row.reason,
        "GrantTime": row.granted,
    }
