"""Run the crowd server on a port, until it is told to stop."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import uvicorn

from replicate.base.clock import Clock, SystemClock
from replicate.base.errors import MissingError, UsageError
from replicate.base.files import write_json
from replicate.crowdserver.app import build_app
from replicate.crowdserver.clocks import SandboxClock
from replicate.crowdserver.database import Database, set_setting
from replicate.crowdserver.images import Pictures
from replicate.crowdserver.protocol import service_model
from replicate.crowdserver.site import Site
from replicate.crowdserver.transport import GatheringProtocol


def serve(
    db: Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = 8800,
    ready_file: Path | None = None,
    images: Path | None = None,
    sandbox: bool = False,
    seed: int | None = None,
    public_url: str | None = None,
    exit_with_stdin: bool = False,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve the requesters' API and the workers' pages until SIGTERM, SIGINT or end of input.

    Args:
        db: The server's SQLite file, made if it is not there, or a database URL.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        ready_file: Written once the server answers: ``{"endpoint", "worker_url", "pid"}``;
            taken away when it stops.
        images: The folder of images, ``<first two hex digits>/<sha256>``.
        sandbox: Allows a seed, and lets the clock be moved by ``POST /sandbox/clock``.
        seed: Makes all ids a function of it; only with ``sandbox``.
        public_url: The address that browsers reach it by, when a proxy stands before it.
        exit_with_stdin: Also stop when the standard input ends, as it does when the process
            that started this one is gone, however it ended.
        clock: What the time is taken from; by default the machine's clock.
        stop: Also stop when this is set; for a server in a thread of a program.

    Raises:
        UsageError: The port is in use, the database cannot be opened, or options do not fit.
        MissingError: There is no folder of images at ``images``, or botocore lacks the protocol.
        KeyboardInterrupt: Stopped by SIGINT; everything has been put in order before.
    """
    if seed is not None and not sandbox:
        raise UsageError("A seed makes ids guessable.", "Give --seed together with --sandbox.")
    if images is not None and not images.is_dir():
        raise MissingError(f"There is no folder {images}.", "Give --images the display copies.")
    service_model()
    url = _checked_url(public_url)
    with _bound(host, port) as listening:
        database = Database(db, seed)
        try:
            own = f"http://{_url_host(host)}:{listening.getsockname()[1]}"
            with database.begin() as connection:
                set_setting(connection, "base_url", url or own)
            kept = clock or (SandboxClock(database) if sandbox else SystemClock())
            site = Site(database, kept, Pictures(images), url)
            server = _Server(_config(site, url), own, url or own, ready_file, stop)
            _run(server, listening, exit_with_stdin)
        finally:
            database.close()


class _Server(uvicorn.Server):
    """A uvicorn server with a ready file and an orderly end."""

    def __init__(
        self,
        config: uvicorn.Config,
        endpoint: str,
        public: str,
        ready_file: Path | None,
        stop: threading.Event | None,
    ) -> None:
        super().__init__(config)
        self._ready_file = ready_file
        self._stop_event = stop
        self._document = {
            "endpoint": endpoint,
            "worker_url": f"{public}/worker",
            "pid": os.getpid(),
        }
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


def _config(site: Site, public_url: str | None) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(site),
        http=GatheringProtocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        log_config=None,
        server_header=False,
        proxy_headers=public_url is not None,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
    )


def _run(server: _Server, listening: socket.socket, exit_with_stdin: bool) -> None:
    if exit_with_stdin:
        threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
    server.run(sockets=[listening])
    if server.interrupted:
        raise KeyboardInterrupt


def _watch_stdin(server: _Server) -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    server.should_exit = True


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
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
                f"The crowd server cannot listen on {host} port {port}: {reason}.",
                "Stop what uses the port, or give another: --port 0 takes a free one.",
            ) from error
        yield listening
    finally:
        listening.close()


def _url_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # listens everywhere; loopback is where it can be tried
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    return f"[{host}]" if ":" in host else host


def _checked_url(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise UsageError(
            f"{url!r} is not the address of a server.",
            "Give scheme and host only, such as https://crowd.example.org.",
        )
    return f"{parts.scheme}://{parts.netloc}"
