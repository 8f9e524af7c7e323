"""UniqueRequestToken of operations that make no HIT: each is carried out once."""

from typing import Any

from sqlalchemy import insert, select

from replicate.crowdserver.context import Context
from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.requester_tables import RequestToken


def use_token(context: Context, operation: str, params: dict[str, Any]) -> None:
    """Note that a request's token is used; one without a token can be repeated at will.

    MTurk forgets tokens after 24 hours. We never do: calling again stays safe.

    Raises:
        ApiError: It was used before; the message holds the id of the request that was carried out.
    """
    token = params.get("UniqueRequestToken")
    if token is None:
        return
    own = {"requester": context.requester, "operation": operation, "token": token}
    before = context.connection.execute(select(RequestToken.request_id).filter_by(**own)).scalar()
    if before is not None:
        raise ApiError(
            f"The request with ID {before} was carried out already: its UniqueRequestToken was "
            "used before.",
            "AWS.MechanicalTurk.DuplicateRequest",
        )
    row = {**own, "request_id": context.request_id, "made": context.now}
    context.connection.execute(insert(RequestToken).values(row))
