"""Running a server on a port, until it is told to stop, in order."""

import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from replicate.base.errors import UsageError
from replicate.base.files import write_json


class OrderlyServer(uvicorn.Server):
    """A uvicorn server with a ready file and an orderly end.

    Args:
        config: The application and how it is served.
        ready_file: Written once the server answers, taken away when it stops.
        document: What the ready file says, besides ``pid``.
        stop: Also stop when this is set; for a server in a thread of a program.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ready_file: Path | None,
        document: Mapping[str, object],
        stop: threading.Event | None = None,
    ) -> None:
        super().__init__(config)
        self._ready_file = ready_file
        self._stop_event = stop
        self._document = {**document, "pid": os.getpid()}
        self.interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, then say so."""
        await super().startup(sockets)
        if self.started and self._ready_file is not None:
            write_json(self._ready_file, self._document)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that we stop, then finish what has begun."""
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; asked ten times a second."""
        asked = self._stop_event is not None and self._stop_event.is_set()
        return await super().on_tick(counter) or asked

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in order at a signal. Unlike uvicorn's own, this does not raise it again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {s: signal.signal(s, self._stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.interrupted = self.interrupted or number == signal.SIGINT
        self.force_exit = self.should_exit  # a second signal does not wait
        self.should_exit = True


def run(server: OrderlyServer, listening: socket.socket, exit_with_stdin: bool) -> None:
    """Serve until told to stop.

    Args:
        server: The server.
        listening: The socket that it listens on.
        exit_with_stdin: Also stop when the standard input ends, as it does when the process
            that started this one is gone, however it ended.

    Raises:
        KeyboardInterrupt: Stopped by SIGINT; everything has been put in order before.
    """
    if exit_with_stdin:
        threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
    server.run(sockets=[listening])
    if server.interrupted:
        raise KeyboardInterrupt


def _watch_stdin(server: OrderlyServer) -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    server.should_exit = True


@contextmanager
def bound(host: str, port: int, name: str) -> Iterator[socket.socket]:
    """A listening socket, closed when the block ends.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        name: What listens, for the message: "crowd server".

    Raises:
        UsageError: The port is in use, or the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it every answer
    # that is written in two pieces waits 40 ms for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(2048)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"The {name} cannot listen on {host} port {port}: {reason}.",
                "Stop what uses the port, or give another: --port 0 takes a free one.",
            ) from error
        yield listening
    finally:
        listening.close()


def raise_file_limit() -> None:
    """Let this process have as many open files and connections as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def address(host: str, listening: socket.socket) -> str:
    """The address that a server on this machine can be tried at."""
    if host in ("0.0.0.0", "::"):  # listens everywhere; loopback is where it can be tried
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
