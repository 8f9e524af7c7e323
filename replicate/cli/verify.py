"""Checking a test set on disk; needs no study."""

import sys
from pathlib import Path

import click

from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say


@click.command(epilog=example("replicate verify my-study/sets/matched-1.json"))
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--digest", help="Fail unless it is the set of this digest, as a paper cites it.")
@json_option
def verify(path: Path, digest: str | None, as_json: bool) -> None:
    """Check a set on disk: a folder that `replicate export` wrote, or a frozen set's manifest.

    Every digest is computed again; files that were changed, are missing or do not belong there
    are named. Exit codes: 0 whole, 1 something is wrong, 3 whole, but images of the set were left
    out when it was exported (taken down).
    """
    from replicate.stages.verify import verify as verify_set

    found = verify_set(path)
    manifest = found.frozen.manifest if found.frozen else None
    faults = list(found.faults)
    known = {manifest.digest, found.frozen.digest} if manifest and found.frozen else set()
    if digest is not None and not any(digest and each.startswith(digest) for each in known):
        faults.append(f"This is not the set of digest {digest}.")
    value = {
        "path": str(path),
        "valid": not faults,
        "format": found.kind,
        "set": manifest.name if manifest else None,
        "revision": manifest.revision if manifest else None,
        "n": len(manifest.members) if manifest else None,
        "digest": manifest.digest if manifest else None,
        "manifest_digest": found.frozen.digest if found.frozen and found.frozen.record else None,
        "images_checked": found.images,
        "left_out": found.left_out,
        "simulated": found.about.get("simulated"),
        "exploratory": found.about.get("exploratory"),
        "faults": faults,
    }
    for fault in faults:
        say(f"  {fault}")
    for reason, count in found.left_out.items():
        say(f"  {count} images of the set are not here: {reason}.")
    name = f"{manifest.name}-{manifest.revision}" if manifest else "a set whose manifest is broken"
    what = f" as {found.kind}" if found.kind else ""
    size = f", {len(manifest.members)} images" if manifest else ""
    state = f"{len(faults)} faults" if faults else "valid"
    emit(value, as_json, f"{path}: {name}{what}{size}, {state}")
    sys.exit(1 if faults else 3 if any(found.left_out.values()) else 0)
