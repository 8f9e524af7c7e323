"""What an operation of the API works with, and how its lists are cut into pages."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

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


def one_page(
    context: Context,
    params: dict[str, Any],
    scope: list[Any],
    query: Select[Any],
    *places: InstrumentedAttribute[Any],
    newest: bool = False,
) -> tuple[Sequence[Row[Any]], dict[str, Any]]:
    """One page of a list.

    Args:
        context: The request.
        params: Its parameters, with ``MaxResults`` and ``NextToken``.
        scope: The operation and its filters: a token holds for these only.
        query: The whole list, not ordered.
        *places: Columns of the query that order it; together they are unique.
        newest: Whether the largest come first.

    Returns:
        The rows, and the beginning of the answer: ``NumResults``, and ``NextToken`` if more
        follow.

    Raises:
        ApiError: The token is not one of ours, or belongs to another request.
    """
    size = int(params.get("MaxResults") or DEFAULT_PAGE)
    start = _page_start(context, scope, params)
    if start is not None:
        query = query.where(_beyond(places, start, newest))
    order = [place.desc() if newest else place.asc() for place in places]
    rows = context.connection.execute(query.order_by(*order).limit(size + 1)).all()
    answer: dict[str, Any] = {"NumResults": len(rows[:size])}
    if len(rows) > size:
        after = [getattr(rows[size - 1], place.key) for place in places]
        answer["NextToken"] = _page_token(context, scope, after)
    return rows[:size], answer


def _beyond(
    places: Sequence[InstrumentedAttribute[Any]], start: list[Any], newest: bool
) -> ColumnElement[bool]:
    place, value = tuple_(*places), tuple_(*start)
    return place < value if newest else place > value


def _page_token(context: Context, scope: list[Any], after: list[Any]) -> str:
    text = json.dumps(after, separators=(",", ":"))
    value = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return signed(context.key, _purpose(context, scope), value)


def _page_start(context: Context, scope: list[Any], params: dict[str, Any]) -> list[Any] | None:
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
