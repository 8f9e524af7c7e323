"""Checking a test set on disk; needs no study."""

from pathlib import Path

import click

from replicate.cli.options import example, json_option
from replicate.cli.output import emit


@click.command(epilog=example("replicate verify my-study/sets/matched-1.json"))
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def verify(path: Path, as_json: bool) -> None:
    """Check that a frozen set's manifest still has the digests that it names."""
    from replicate.sampling.frozen import read_frozen

    frozen = read_frozen(path)
    manifest = frozen.manifest
    emit(
        {
            "path": str(path),
            "valid": True,
            "set": manifest.name,
            "revision": manifest.revision,
            "n": len(manifest.members),
            "digest": manifest.digest,
            "manifest_digest": frozen.digest if frozen.record else None,
        },
        as_json,
        f"{path}: {manifest.name}-{manifest.revision}, {len(manifest.members)} images, valid",
    )
