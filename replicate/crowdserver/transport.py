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
    """uvicorn's HTTP protocol on such a transport, with limits on heads and on slow clients.

    uvicorn waits for ever for the rest of a request, and takes heads of any size.
    """

    patience = 30.0  # seconds that a connection may wait for a request's end
    largest_head = 1 << 16  # bytes of address and headers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to talk to a client."""
        gathering = GatheringTransport(transport, self.loop, lambda: bool(self.pipeline))
        super().connection_made(cast(asyncio.Transport, gathering))
        self._head = 0  # bytes of a head that came in without its end
        self._in_head = self._in_request = self._too_large = False
        self._timer: asyncio.TimerHandle | None = None
        self._wait(True)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._wait(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is too large ends the connection."""
        super().data_received(data)
        if self._in_head:
            # The parser tells of a header when it is complete: one without an end is counted
            # by what came in.
            self._head += len(data)
            if self._head > self.largest_head and not self.transport.is_closing():
                self._too_large = True
                self.send_400_response("The head of the request is too large.")
        self._wait(self._in_request)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}
        self._head, self._in_head, self._in_request = 0, True, True

    def on_headers_complete(self) -> None:
        """A request's head is there.

        Raises:
            ValueError: It is too large; the parser ends with that, and the connection with it.
        """
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self.largest_head:
            self._too_large = True
            raise ValueError("the head of the request is too large")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is there, whole."""
        self._in_request = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no request that we read; 431 when only its head is too large."""
        if not self._too_large:
            super().send_400_response(msg)
            return
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
            b"content-length: 0\r\n\r\n"
        )
        self.transport.close()

    def _wait(self, wanted: bool) -> None:
        """Have the clock run, or not, until the connection is closed for being slow."""
        if wanted and self._timer is None:
            self._timer = self.loop.call_later(self.patience, self._too_slow)
        elif not wanted and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self.transport.close()
