"""Run the crowd server on a port, until it is told to stop."""

import threading
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from replicate.base.clock import Clock, SystemClock
from replicate.base.errors import MissingError, UsageError
from replicate.crowdserver.app import build_app
from replicate.crowdserver.clocks import SandboxClock
from replicate.crowdserver.database import Database, set_setting
from replicate.crowdserver.images import Pictures
from replicate.crowdserver.protocol import service_model
from replicate.crowdserver.site import Site
from replicate.crowdserver.throttle import API_RATE
from replicate.crowdserver.transport import GatheringProtocol
from replicate.web.serving import OrderlyServer, address, bound, run


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
    api_rate: float = API_RATE,
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
        sandbox: Allows a seed, and lets the clock be moved by ``POST /sandbox/clock`` and
            faults be made by ``POST /sandbox/faults``.
        seed: Makes all ids a function of it; only with ``sandbox``.
        public_url: The address that browsers reach it by, when a proxy stands before it.
        api_rate: Calls of the API that one key may make in a second; more are throttled.
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
    with bound(host, port, "crowd server") as listening:
        database = Database(db, seed)
        try:
            own = address(host, listening)
            with database.begin() as connection:
                set_setting(connection, "base_url", url or own)
            kept = clock or (SandboxClock(database) if sandbox else SystemClock())
            site = Site(database, kept, Pictures(images), url, api_rate)
            document = {"endpoint": own, "worker_url": f"{url or own}/worker"}
            server = OrderlyServer(_config(site, url), ready_file, document, stop)
            run(server, listening, exit_with_stdin)
        finally:
            database.close()


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
