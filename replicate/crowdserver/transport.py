"""Fewer, larger writes.

uvicorn writes each answer's head and body by themselves; a page's dozens of images, asked for at
once on one connection, would be a hundred small packets, each a system call here and another at
the reader. Here they are gathered while more requests of the connection wait for their answers.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ABORT = "replicate.abort"  # the extension of a request's scope that cuts its connection off
_ENOUGH = 1 << 16  # bytes after which there is nothing to gain by waiting
_TURNS = 64  # turns of the event loop after which an answer is not kept back any longer


class GatheringTransport:
    """A transport that keeps small writes until the event loop's next turn, or a little longer.

    Args:
        transport: Where they go.
        loop: The event loop.
        more: Whether more is about to be written.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        more: Callable[[], bool],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._more = more
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send some bytes, in order, soon."""
        if not self._waiting:
            self._loop.call_soon(self._turn, _TURNS)
        self._waiting.append(bytes(data))
        self._size += len(data)
        if self._size >= _ENOUGH:
            self.flush()

    def _turn(self, left: int) -> None:
        if self._waiting and left and self._more():
            self._loop.call_soon(self._turn, left - 1)
        else:
            self.flush()

    def flush(self) -> None:
        """Send what is waiting."""
        if self._waiting:
            data, self._waiting, self._size = b"".join(self._waiting), [], 0
            self._transport.write(data)

    def close(self) -> None:
        """Send what is waiting, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class GatheringProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol on such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to talk to a client."""
        gathering = GatheringTransport(transport, self.loop, lambda: bool(self.pipeline))
        super().connection_made(cast(asyncio.Transport, gathering))

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}
