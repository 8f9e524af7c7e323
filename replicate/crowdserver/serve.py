"""Run the crowd server on a port, until it is told to stop."""

from pathlib import Path

from replicate.base.clock import Clock


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
) -> None:
    """Serve the requesters' API and the workers' pages until SIGTERM, SIGINT or end of input."""
