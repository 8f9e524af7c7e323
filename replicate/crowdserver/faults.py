"""Faults that a sandbox makes on demand, so that clients can be tried out against them."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from replicate.crowdserver.errors import service_fault
from replicate.crowdserver.throttle import throttled
from replicate.crowdserver.transport import ABORT

KINDS = ("throttle", "fail", "drop")
_MOST = 10_000


@dataclass
class Faults:
    """What goes wrong with the next calls of the API.

    ``throttle`` answers ThrottlingException, ``fail`` answers ServiceFault: both do nothing.
    ``drop`` does the work and closes the connection before the answer.
    """

    _planned: deque[tuple[str, str | None]] = field(default_factory=deque)

    def plan(self, document: Any) -> int:
        """Plan faults, after those planned before.

        Args:
            document: ``{"kind", "calls", "operation"}``: one of `KINDS`; how many calls, 1 if it
                is left out, 0 takes back all that is planned; only calls of this operation, all
                if it is left out.

        Returns:
            How many are planned now.

        Raises:
            ValueError: The document is not of that form.
        """
        if not isinstance(document, dict) or set(document) - {"kind", "calls", "operation"}:
            raise ValueError("not a plan of faults")
        kind, calls = document.get("kind"), document.get("calls", 1)
        operation = document.get("operation")
        whole = isinstance(calls, int) and not isinstance(calls, bool)
        if not whole or not 0 <= calls <= _MOST or not isinstance(operation, str | None):
            raise ValueError("calls or operation are wrong")
        if calls == 0:
            self._planned.clear()
        elif kind not in KINDS:
            raise ValueError("there is no such kind")
        else:
            self._planned.extend((kind, operation) for _ in range(calls))
        return len(self._planned)

    def before(self, operation: str) -> bool:
        """Let the next planned fault happen, if it concerns this operation.

        Returns:
            Whether the answer is to be lost once the work is done.

        Raises:
            ApiError: The fault, when it is an answer.
        """
        for planned in self._planned:
            kind, concerned = planned
            if concerned in (None, operation):
                self._planned.remove(planned)
                if kind == "throttle":
                    raise throttled()
                if kind == "fail":
                    raise service_fault("A fault of the sandbox; nothing was changed.")
                return True
        return False


class Lost(Response):
    """An answer that never arrives: the connection is cut off before its first byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut the connection off."""
        scope["extensions"][ABORT]["abort"]()
        while (await receive())["type"] != "http.disconnect":
            pass
