"""What an operation of the API works with, and how its lists are cut into pages."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from replicate.crowdserver.errors import bad_value
from replicate.crowdserver.states import Agenda
from replicate.web.signing import signed, unsigned

DEFAULT_PAGE = 10


@dataclass(frozen=True)
class Context:
    """One request of one requester.

    Attributes:
        connection: The request's transaction.
        key: The server's secret.
        requester: Whose request it is.
        now: The present moment, in seconds since 1970.
        agenda: When something is due next; everything due by now has happened already.
        request_id: The request's own id, as its answer carries it.
    """

    connection: Connection
    key: bytes
    requester: str
    now: float
    agenda: Agenda
    request_id: str = ""


def page_size(params: dict[str, Any]) -> int:
    """How many results a request wants."""
    return int(params.get("MaxResults") or DEFAULT_PAGE)


def page_token(context: Context, scope: list[Any], after: list[Any]) -> str:
    """A token that a later request goes on with.

    Args:
        context: The request.
        scope: The operation and its filters: the token holds for these only.
        after: Where the next page begins.
    """
    text = json.dumps(after, separators=(",", ":"))
    value = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return signed(context.key, _purpose(context, scope), value)


def page_start(context: Context, scope: list[Any], params: dict[str, Any]) -> list[Any] | None:
    """Where a page begins, from its token; None for the first.

    Raises:
        ApiError: The token is not one of ours, or belongs to another request.
    """
    given = params.get("NextToken")
    if given is None:
        return None
    value = unsigned(context.key, _purpose(context, scope), given)
    try:
        if value is not None:
            padded = value + "=" * (-len(value) % 4)
            return list(json.loads(base64.urlsafe_b64decode(padded)))
    except (ValueError, binascii.Error):
        pass
    raise bad_value("NextToken does not belong to this request.")


def _purpose(context: Context, scope: list[Any]) -> str:
    return json.dumps(["page", context.requester, *scope])
