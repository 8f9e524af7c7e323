"""A local Flickr, for trying and testing."""

from pathlib import Path

import click

from replicate.cli.options import example
from replicate.cli.servers import server_options


@click.group()
def sandbox() -> None:
    """A local Flickr: nothing leaves this machine."""


@sandbox.command(epilog=example("replicate sandbox flickr --photos photos --port 0 --ready-file J"))
@click.option(
    "--photos",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of images with a metadata table, photos.csv.",
)
@server_options(default_port=8701)
def flickr(
    photos: Path, host: str, port: int, ready_file: Path | None, exit_with_stdin: bool
) -> None:
    """Answer flickr.photos.search as Flickr does, over a folder of images."""
    from replicate.sandbox.flickr import serve

    serve(photos, host=host, port=port, ready_file=ready_file, exit_with_stdin=exit_with_stdin)


@sandbox.command(epilog=example("replicate sandbox photos photos --number 100 --seed 1"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--number", type=click.IntRange(min=10), default=800, show_default=True, help="How many photos."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=2019,
    show_default=True,
    help="The seed that they follow from.",
)
def photos(folder: Path, number: int, seed: int) -> None:
    """Make a folder of photos of digits for the local Flickr, with planted faults."""
    from replicate.sandbox.photos import ensure_photos

    ensure_photos(folder, seed, number)
    click.echo(folder)
