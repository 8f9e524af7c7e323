"""A local Flickr, for trying and testing."""

from pathlib import Path

import click

from replicate.cli.options import example
from replicate.cli.servers import server_options

SEED = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=2019,
    show_default=True,
    help="The seed that photos follow from.",
)
PER_CLASS = click.option(
    "--per-class",
    metavar="N",
    type=click.IntRange(min=1),
    help="Near-duplicates only of the first N images of each class of each set.",
)


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
@click.option("--make", metavar="N", type=click.IntRange(min=10), help="Make N photos there first.")
@SEED
@PER_CLASS
@click.option(
    "--faults",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help='Go wrong as this JSON file plans, such as {"api_429": 0.1}; by default never.',
)
@server_options(default_port=8701)
def flickr(
    photos: Path,
    make: int | None,
    seed: int,
    per_class: int | None,
    faults: Path | None,
    host: str,
    port: int,
    ready_file: Path | None,
    exit_with_stdin: bool,
) -> None:
    """Answer flickr.photos.search as Flickr does, over a folder of images."""
    from replicate.sandbox.faults import FaultPlan
    from replicate.sandbox.flickr import serve
    from replicate.sandbox.photos import ensure_photos

    # Read first: a plan that cannot be read is said before photos are made.
    plan = None if faults is None else FaultPlan.read(faults)
    if make is not None:
        ensure_photos(photos, seed, make, per_class)
    serve(
        photos,
        host=host,
        port=port,
        ready_file=ready_file,
        exit_with_stdin=exit_with_stdin,
        faults=plan,
    )


@sandbox.command(epilog=example("replicate sandbox photos photos --number 100 --seed 1"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--number", type=click.IntRange(min=10), default=800, show_default=True, help="How many photos."
)
@SEED
@PER_CLASS
@click.option("--drawn", is_flag=True, help="A table only: pictures are drawn on demand.")
def photos(folder: Path, number: int, seed: int, per_class: int | None, drawn: bool) -> None:
    """Make a folder of photos of digits for the local Flickr, with planted faults."""
    from replicate.sandbox.photos import ensure_photos

    ensure_photos(folder, seed, number, per_class, drawn)
    click.echo(folder)
