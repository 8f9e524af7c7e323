"""`replicate duplicates calibrate`: what the search finds on the user's own images."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from replicate.base.errors import ItemError, UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say, shown_progress

RADIUS = {64: 10, 256: 31}


@click.command(
    epilog=example(
        "replicate duplicates calibrate train --sample 12 --figure curve.svg --output cuts.json"
    )
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--bits", type=click.Choice(["64", "256"]), default="64", help="Bits of the hash.")
@click.option(
    "--radius", type=click.IntRange(min=0), metavar="R",
    help="Of the search.  [default: 10 of 64, 31 of 256]",
)  # fmt: skip
@click.option(
    "--transforms/--no-transforms", default=True, show_default=True,
    help="Seek flips and quarter turns; by chance different images are then likelier alike.",
)  # fmt: skip
@click.option(
    "--sample", type=click.IntRange(min=2), default=200, show_default=True,
    help="How many of the images are used, at most.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True,
              help="Which ones.")  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="CUTS.json",
    help="Write the cuts for `replicate duplicates --cuts`, with all figures.",
)  # fmt: skip
@click.option(
    "--figure", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.svg",
    help="Draw recall and false matches by the radius (.svg or .png).",
)  # fmt: skip
@json_option
def calibrate(
    paths: tuple[str, ...],
    bits: str,
    radius: int | None,
    transforms: bool,
    sample: int,
    seed: int,
    output: Path | None,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Measure on your own images what is found after edits, and what by mistake.

    Images are resized, recompressed, cropped, written over, brightened, flipped, turned and
    framed; the table says which share of them the hash proposes and the pixels confirm. The
    images should be different ones: near-duplicates among them count as mistakes.
    """
    from replicate.base.files import write_json
    from replicate.duplicates.trials import trial

    if figure is not None and figure.suffix not in (".svg", ".png"):
        raise UsageError(f"{figure} ends in neither .svg nor .png.", "Name a file curve.svg.")
    images, failed = _images(paths, sample, seed)
    with shown_progress() as progress:
        found = trial(
            images,
            RADIUS[int(bits)] if radius is None else radius,
            int(bits),
            progress=lambda done, total: progress("editing", done, total),
            transforms=transforms,
        )
    value = found.as_dict() | {"failed": dict(sorted(failed.items()))}
    if output is not None:
        write_json(output, value)
    if figure is not None:
        from replicate.reporting.duplicates_figure import write_calibration_figure

        write_calibration_figure(figure, value)
    emit(value, as_json, _text(value))
    if failed:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(failed.items()))
        say(f"{failed.total()} images could not be read: {reasons}")
        sys.exit(3)


def _images(paths: tuple[str, ...], sample: int, seed: int) -> tuple[list[Any], Counter[str]]:
    from replicate.base.images import decode
    from replicate.base.randomness import stream
    from replicate.duplicates.listing import existing, list_folder, list_table

    files: list[str] = []
    for path in existing(paths):
        files += (list_folder(path) if path.is_dir() else list_table(path)).files
    chosen = stream(seed, "duplicates", "trial").permutation(len(files))[:sample]
    images, failed = [], Counter[str]()
    for place in sorted(chosen.tolist()):
        try:
            images.append(decode(Path(files[place]).read_bytes()).convert("RGB"))
        except ItemError as error:
            failed[error.reason] += 1
        except OSError:
            failed["missing"] += 1
    return images, failed


def _cuts_text(cuts: dict[str, Any]) -> str:
    """Where pairs are cut, in words; numbers of one kind stand together."""
    return "; ".join(
        f"{name.replace('_', ' ')} "
        + (
            ", ".join(f"{key} {_figure(each)}" for key, each in found.items())
            if isinstance(found, dict)
            else _figure(found)
        )
        for name, found in cuts.items()
    )


def _figure(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " to ".join(map(_figure, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(value: dict[str, Any]) -> str:
    lines = [
        f"{value['n_images']} images; within {value['radius']} of {value['bits']} bits:",
        f"{'edit':18} {'proposed':>9} {'sure':>7} {'or unsure':>10}",
    ]
    for name, edit in value["edits"].items():
        figures = (edit["recall"], edit["sure"], edit["sure_or_unsure"])
        lines.append(f"{name:18} {figures[0]:9.1%} {figures[1]:7.1%} {figures[2]:10.1%}")
    proposed = value["false_matches_by_radius"][
        min(value["radius"], len(value["false_matches_by_radius"]) - 1)
    ]
    hardest = ", ".join(f"{n} {name}" for name, n in value["hardest_different_pairs"].items())
    lines += [
        f"Of {value['n_different_pairs']:,} pairs of different images the hash proposes "
        f"{proposed:,}.",
        f"Of those nearest by their hash, by their pixels: {hardest}.",
        f"Cuts: {_cuts_text(value['cuts'])}",
    ]
    if not value["transforms"]:
        lines.append("Flips and turns were not sought: the cuts are for --no-transforms.")
    return "\n".join(lines)
