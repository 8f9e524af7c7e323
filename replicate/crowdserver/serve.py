"""Run the crowd server on a port, until it is told to stop."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from replicate.base.blobs import S3
from replicate.base.clock import Clock, SystemClock
from replicate.base.errors import MissingError, UsageError
from replicate.crowdserver.allowance import NO_LIMITS, Limits
from replicate.crowdserver.app import build_app
from replicate.crowdserver.clocks import SandboxClock
from replicate.crowdserver.database import Database, set_setting
from replicate.crowdserver.protocol import service_model
from replicate.crowdserver.site import Site
from replicate.crowdserver.throttle import API_RATE
from replicate.crowdserver.transport import GatheringProtocol
from replicate.web.access_log import LogFile
from replicate.web.pictures import Pictures
from replicate.web.serving import OrderlyServer, address, bound, raise_file_limit, run

RATE = 20.0  # requests a second of one person; a fast worker needs one
CONNECTIONS = 4000  # at once; a browser keeps up to six


def serve(
    db: Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = 8800,
    ready_file: Path | None = None,
    images: Path | str | None = None,
    sandbox: bool = False,
    seed: int | None = None,
    public_url: str | None = None,
    behind_proxy: str = "127.0.0.1,::1",
    rate: float | None = None,
    access_log: Path | str | None = None,
    exit_with_stdin: bool = False,
    limits: Limits = NO_LIMITS,
    api_rate: float = API_RATE,
    announce: Callable[[str], None] | None = None,
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
        images: The folder of images, ``<first two hex digits>/<sha256>``, or ``s3://…``.
        sandbox: Allows a seed, and lets the clock be moved by ``POST /sandbox/clock`` and
            faults be made by ``POST /sandbox/faults``.
        seed: Makes all ids a function of it; only with ``sandbox``.
        public_url: The address that browsers reach it by, when a proxy stands before it.
        limits: What one worker may do here.
        api_rate: Calls of the API that one key may make in a second; more are throttled.
        behind_proxy: The proxy's addresses or networks, with commas between: from these alone,
            and only with a ``public_url``, it is believed for whom a request was forwarded.
        rate: Requests a second that one person may make on average; 0 for as many as they like.
            By default `RATE`; without limit in a sandbox, whose workers are one machine's.
        access_log: A file that gets a line for each request; ``-`` for the standard error.
        exit_with_stdin: Also stop when the standard input ends, as it does when the process
            that started this one is gone, however it ended.
        announce: Told where the pages are, in a line for a person.
        clock: What the time is taken from; by default the machine's clock.
        stop: Also stop when this is set; for a server in a thread of a program.

    Raises:
        UsageError: The port is in use, the database cannot be opened, or options do not fit.
        MissingError: There is no folder of images at ``images``, or botocore lacks the protocol.
        KeyboardInterrupt: Stopped by SIGINT; everything has been put in order before.
    """
    if seed is not None and not sandbox:
        raise UsageError("A seed makes ids guessable.", "Give --seed together with --sandbox.")
    if images is not None and not str(images).startswith(S3) and not Path(images).is_dir():
        raise MissingError(f"There is no folder {images}.", "Give --images the display copies.")
    service_model()
    url = _checked_url(public_url)
    raise_file_limit()
    with bound(host, port, "crowd server") as listening, ExitStack() as stack:
        lines = None if access_log is None else LogFile(access_log)
        if lines is not None:
            stack.callback(lines.close)
        # What is simulated can be simulated again: it need not wait for the disk.
        database = Database(db, seed, durable=not sandbox)
        try:
            own = address(host, listening)
            with database.begin() as connection:
                set_setting(connection, "base_url", url or own)
            kept = clock or (SandboxClock(database) if sandbox else SystemClock())
            site = Site(database, kept, Pictures(images), url, limits, api_rate)
            document = {"endpoint": own, "worker_url": f"{url or own}/worker"}
            if announce is not None:
                announce(f"Workers: {url or own}/worker · requesters: {url or own}/requester")
            app = build_app(site, _rate(rate, sandbox), lines.write if lines else None)
            config = _config(app, behind_proxy if url else None)
            server = OrderlyServer(config, ready_file, document, stop)
            run(server, listening, exit_with_stdin)
        finally:
            database.close()


def _rate(given: float | None, sandbox: bool) -> float | None:
    if given is None:
        return None if sandbox else RATE
    return given or None


def _config(app: ASGIApp, proxies: str | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GatheringProtocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        log_config=None,
        server_header=False,
        proxy_headers=proxies is not None,
        forwarded_allow_ips=proxies or "",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=10,
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
