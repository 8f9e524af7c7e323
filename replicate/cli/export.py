"""Publishing a test set as a folder that others can check and load."""

import sys
from pathlib import Path

import click

from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, say, shown_progress

# The formats and what they are; a test holds them against those of `replicate.reporting.export`.
FORMATS = {
    "imagefolder": "one folder a class, as torchvision reads it",
    "webdataset": "tar shards",
    "parquet": "a plain table with the images' bytes",
    "huggingface": "a data-set folder with a card, for `datasets`",
    "croissant": "Croissant metadata with the Responsible-AI fields",
    "datasheet": "a datasheet for datasets, in Markdown",
    "attribution": "whose each image is, and its licence",
    "votes": "every vote, workers as keyed hashes",
    "frequencies": "selection frequencies of all images",
    "pool": "the candidate pool, without pixels",
    "all": "each of these, in a folder of its own",
}
_HELP = "\n".join(
    [
        "Write a frozen test set into the folder OUT, for others to load and to check.",
        "",
        "FORMAT is one of:",
        "",
        "\b",
        *(f"  {name:12} {about}" for name, about in FORMATS.items()),
        "",
        "SET is its name (the newest revision), or name-revision. OUT appears whole or not at all;",
        "where it holds the same export, it is checked and left alone. Images that were taken down",
        "since the set was frozen, or are reported as unsafe, are left out (exit code 3).",
        "`replicate verify OUT` checks it later.",
    ]
)


@click.command(
    epilog=example(
        "replicate export imagefolder matched matched-images",
        "replicate export huggingface matched-1 matched-hub --bytes gathered",
        "replicate export all top top-all --json",
    ),
    help=_HELP,
)
@click.argument("kind", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@click.argument("set_name", metavar="SET")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--bytes",
    "bytes_",
    type=click.Choice(["prepared", "gathered", "display"]),
    default="prepared",
    show_default=True,
    help="Which bytes: prepared (models are scored on them), gathered files, or display copies.",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Images a file, where files hold many.",
)
@click.option("--exploratory", is_flag=True, help="Export a set that is not frozen; it says so.")
@study_option
@json_option
def export(
    kind: str,
    set_name: str,
    out: Path,
    bytes_: str,
    shard_size: int,
    exploratory: bool,
    study_dir: str | None,
    as_json: bool,
) -> None:
    """Write a frozen test set into a folder, for others to load and to check."""
    from typing import cast

    from replicate.reporting.export_data import Bytes
    from replicate.stages.export import export as export_set

    with shown_progress() as progress:
        done = export_set(
            the_study(study_dir),
            kind,
            set_name,
            out,
            cast(Bytes, bytes_),
            shard_size,
            exploratory=exploratory,
            progress=progress,
        )
    about = done.about
    if about["simulated"]:
        say("The votes behind this set are simulated; the export says so.")
    for reason, ids in about["left_out"].items():
        say(f"{len(ids)} images of the set are left out: {reason}.")
    value = {
        "format": kind,
        "set": about["name"],
        "revision": about["revision"],
        "folder": str(out),
        "images": about["images"],
        "left_out": {reason: len(ids) for reason, ids in about["left_out"].items()},
        "bytes": bytes_,
        "digest": about["digest"],
        "manifest_digest": about["manifest_digest"],
        "export_digest": about["export_digest"],
        "simulated": about["simulated"],
        "exploratory": about["exploratory"],
        "written": done.written,
    }
    state = "written" if done.written else "was there already, and is whole"
    emit(
        value,
        as_json,
        f"{about['name']}-{about['revision']} as {kind}, {about['images']} images, {state}: {out}",
    )
    sys.exit(3 if done.left_out else 0)
