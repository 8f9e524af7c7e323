"""An access log that says what was asked for and never by whom, nor with which secret."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replicate.base.errors import UsageError

log = logging.getLogger(__name__)
HIDDEN = "*"


class LogFile:
    """Where lines go: each is written whole, at once, at the end of the file.

    A line that cannot be written is dropped, said once: no request fails for it.

    Args:
        place: A file, made for its owner alone if it is not there; ``-`` for the standard error.

    Raises:
        UsageError: It cannot be written.
    """

    def __init__(self, place: Path | str) -> None:
        self._failed = False
        self._file: BinaryIO | None = None
        if str(place) == "-":
            self._descriptor = sys.stderr.fileno()
            return
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._file = open(place, "ab", 0, opener=lambda p, _: os.open(p, flags, 0o600))  # noqa: SIM115
        except OSError as error:
            raise UsageError(
                f"The access log {place} cannot be written: {error.strerror}.",
                "Give --access-log a file that can be written, or - for the standard error.",
            ) from error
        self._descriptor = self._file.fileno()

    def write(self, line: str) -> None:
        """Add a line."""
        try:
            os.write(self._descriptor, f"{line}\n".encode("ascii", "replace"))
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.error("The access log cannot be written (%s); lines are lost.", error.strerror)
            self._failed = True

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class AccessLog:
    """ASGI middleware that writes one line a request.

    A line is: time (UTC), method, path, status, bytes of the body sent, milliseconds. Of the
    path only words that name a page are written: a part that could be an id, a token or
    anything that a client made up is ``*``. Queries, cookies, headers, addresses and bodies are
    never written.

    Args:
        app: The application behind it.
        words: The parts of paths that name pages.
        write: Takes a line.
        now: The time in seconds since 1970.
    """

    def __init__(
        self,
        app: ASGIApp,
        words: Iterable[str],
        write: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._words = frozenset(words)
        self._write = write
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; write its line when it was answered, or failed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, clock = self._now(), time.perf_counter()
        status, size = 500, 0

        async def count(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, count)
        finally:
            moment = datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23]
            milliseconds = (time.perf_counter() - clock) * 1000
            method = scope["method"] if scope["method"].isalpha() else HIDDEN
            path = plain_path(scope["path"], self._words)
            self._write(f"{moment}Z {method} {path} {status} {size} {milliseconds:.1f}")


def plain_path(path: str, words: frozenset[str]) -> str:
    """A path without anything but the names of pages.

    >>> plain_path("/worker/hits/3ABC/accept", frozenset({"worker", "hits", "accept"}))
    '/worker/hits/*/accept'
    """
    parts = path.split("/")[1:9]
    return "/" + "/".join(part if part in words or not part else HIDDEN for part in parts)
