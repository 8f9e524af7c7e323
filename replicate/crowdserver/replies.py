"""Answers kept for calls that are sent once more.

AWS clients repeat a call whose answer they did not get, under the same invocation id. The answer
that was lost is then given again, and nothing is done twice: not even by operations that the
protocol gives no request token.
"""

import hashlib
import re

from sqlalchemy import Connection, delete, insert, select

from replicate.crowdserver.keys import Account
from replicate.crowdserver.requester_tables import Reply

KEPT = 3600.0  # seconds; clients give up long before
_ID = re.compile(r"[A-Za-z0-9-]{8,64}\Z")


class Recall:
    """What is remembered of one call.

    Args:
        connection: The request's transaction.
        account: Whose key signed it.
        invocation_id: The header ``amz-sdk-invocation-id``; without one nothing is remembered.
        operation: The operation.
        body: The request's body.
    """

    def __init__(
        self,
        connection: Connection,
        account: Account,
        invocation_id: str,
        operation: str,
        body: bytes,
    ) -> None:
        self._connection = connection
        reading = operation.startswith(("Get", "List"))
        self._known = not reading and _ID.match(invocation_id) is not None
        self._place = {"access_key_id": account.access_key_id, "invocation_id": invocation_id}
        self._digest = hashlib.sha256(f"{operation}\n".encode() + body).hexdigest()

    def answer(self) -> str | None:
        """The answer that this very call got before, as JSON; None if it is new."""
        if not self._known:
            return None
        found = select(Reply.answer).filter_by(**self._place, digest=self._digest)
        return self._connection.execute(found).scalar()

    def keep(self, answer: str, now: float) -> None:
        """Remember an answer, and forget those older than an hour.

        Args:
            answer: The answer, as JSON.
            now: Seconds since 1970, by the machine's clock.
        """
        if not self._known:
            return
        self._connection.execute(delete(Reply).where(Reply.made < now - KEPT))
        same = select(Reply.digest).filter_by(**self._place)
        if self._connection.execute(same).first() is None:
            row = {**self._place, "digest": self._digest, "answer": answer, "made": now}
            self._connection.execute(insert(Reply).values(row))
