"""gather: the calls of an API as rows: limits hold over runs, no answer is asked for twice."""

import json
import zlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, update

from replicate.sources.call_ledger import HOUR
from replicate.store.gather_tables import ApiCall
from replicate.study import Study

_ORIGIN = "{origin}"


class StoredCalls:
    """A `replicate.sources.call_ledger.CallLedger` in the study's database.

    Args:
        study: The study.
        origin: Scheme, host and port of the API, with a slash at the end. Answers are kept without
            it, for a local Flickr has another port each time.
    """

    def __init__(self, study: Study, origin: str) -> None:
        self._study, self._origin = study, origin

    def begin(self, request: str, at: datetime) -> int:
        """See `CallLedger`; the row is there before the call is made."""
        with self._study.session() as session:
            # What counts no more goes, so that the table stays small.
            old = ApiCall.at <= at - HOUR
            session.execute(delete(ApiCall).where(old, ApiCall.answer.is_(None)))
            call = ApiCall(request=request, at=at)
            session.add(call)
            session.flush()
            return call.call_id

    def nth_latest(self, n: int) -> datetime | None:
        """See `CallLedger`."""
        with self._study.session() as session:
            at = session.scalar(
                select(ApiCall.at).order_by(ApiCall.call_id.desc()).offset(n - 1).limit(1)
            )
        return None if at is None else at.replace(tzinfo=at.tzinfo or UTC)  # SQLite keeps no zone

    def keep(self, call: int, answer: dict[str, Any]) -> None:
        """See `CallLedger`."""
        text = json.dumps(answer).replace(self._origin, _ORIGIN)
        with self._study.session() as session:
            session.execute(
                update(ApiCall)
                .where(ApiCall.call_id == call)
                .values(answer=zlib.compress(text.encode("ascii"), 1))
            )

    def recall(self, request: str) -> dict[str, Any] | None:
        """See `CallLedger`."""
        with self._study.session() as session:
            packed = session.scalar(
                select(ApiCall.answer)
                .where(ApiCall.request == request, ApiCall.answer.is_not(None))
                .order_by(ApiCall.call_id.desc())
                .limit(1)
            )
        if packed is None:
            return None
        found: dict[str, Any] = json.loads(
            zlib.decompress(packed).decode("ascii").replace(_ORIGIN, self._origin)
        )
        return found

    def forget(self) -> None:
        """Let go of all answers: what was searched for is stored."""
        with self._study.session() as session:
            session.execute(update(ApiCall).where(ApiCall.answer.is_not(None)).values(answer=None))
