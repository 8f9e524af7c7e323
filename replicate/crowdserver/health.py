"""Whether the server works: for whoever watches it, in one word or in numbers without names."""

import logging
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from replicate import __version__
from replicate.base.databases import schema_version
from replicate.crowdserver.site import Site
from replicate.crowdserver.tables import Assignment, Hit
from replicate.web.headers import COMMON_HEADERS

log = logging.getLogger(__name__)
_KEEP = 1.0  # seconds that an answer is good for: asking often costs nothing


class Health:
    """The handler of ``/health``.

    Args:
        site: The server's state.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, Any] = {}
        self._until = 0.0

    async def answer(self, request: Request) -> Response:
        """``ok``, or 503 when the database does not answer; as JSON with numbers if asked for."""
        now = self._site.now()
        if not 0 <= self._until - now <= _KEEP:
            self._known = await run_in_threadpool(self._look)
            self._until = now + _KEEP
        status = 200 if self._known["status"] == "ok" else 503
        headers = dict(COMMON_HEADERS)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(self._known, status_code=status, headers=headers)
        text = "ok" if status == 200 else self._known["status"]
        return PlainTextResponse(f"{text}\n", status_code=status, headers=headers)

    def _look(self) -> dict[str, Any]:
        database = self._site.database
        found: dict[str, Any] = {"status": "ok", "version": __version__}
        found["sandbox"] = self._site.is_sandbox  # so that its votes are never taken for real
        try:
            with database.read() as connection:
                found["database"] = connection.dialect.name
                found["hits"] = _count(connection, select(func.count()).select_from(Hit))
                rows = connection.execute(
                    select(Assignment.state, func.count()).group_by(Assignment.state)
                )
                found["assignments"] = {state.lower(): count for state, count in rows}
            found["schema"] = schema_version(database.reader)
        except SQLAlchemyError as error:
            log.error("The database does not answer: %s", getattr(error, "orig", None) or error)
            return {"status": "the database does not answer", "version": __version__}
        return found


def _count(connection: Any, query: Any) -> int:
    return int(connection.execute(query).scalar_one())
