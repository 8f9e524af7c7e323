"""`replicate power`: what a test set of n images can show."""

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit


@click.command(
    epilog=example(
        "replicate power --accuracy 93 --images 2021 --original 10000",
        "replicate power --accuracy 0.76 --gap 1.31 --original 50000 --json",
    )
)
@click.option("--accuracy", type=float, required=True, help="Accuracy on the original.")
@click.option("--images", type=int, help="Images of the new set: what gap do they show?")
@click.option("--gap", type=float, help="Percentage points to show: how many images are needed?")
@click.option("--original", type=int, help="Images of the original (default: known exactly).")
@click.option("--discordant", type=float, help="Matched items: the share that differs.")
@click.option("--power", "chance", default=0.8, show_default=True, help="Chance to show the gap.")
@click.option("--level", default=0.95, show_default=True, help="1 − the risk of a false alarm.")
@json_option
def power(
    accuracy: float,
    images: int | None,
    gap: float | None,
    original: int | None,
    discordant: float | None,
    chance: float,
    level: float,
    as_json: bool,
) -> None:
    """Tell the smallest accuracy gap that a new set can show, or the images that a gap needs.

    An accuracy above 1 is read as a percentage. The formula is that of two proportions with one
    variance; `gap_unequal` gives the new set its own, which is larger.
    """
    from replicate.analysis.power import images_needed, images_needed_matched, smallest_gap
    from replicate.reporting.analysis_json import number
    from replicate.reporting.words import percent

    share = accuracy / 100 if accuracy > 1 else accuracy
    if (images is None) == (gap is None):
        raise UsageError(
            "Give --images (for the smallest gap) or --gap (for the images needed), one of them.",
            "replicate power --accuracy 93 --images 2021 --original 10000",
        )
    value = {
        "accuracy": share, "n_original": original, "level": level, "power": chance,
    }  # fmt: skip
    if images is not None:
        found = smallest_gap(share, images, original, level=level, power=chance)
        value |= {"n_new": images, "gap": found.gap, "gap_unequal": number(found.gap_unequal)}
        text = (
            f"{images:,} images show a gap of {percent(found.gap, 2)} points or more with "
            f"{percent(chance, 0)} % power ({percent(found.gap_unequal, 2)} if the new set's lower "
            f"accuracy is given its own variance)."
        )
    else:
        wanted = float(gap or 0) / 100
        if discordant is not None:
            needed: int | None = images_needed_matched(
                discordant, wanted, level=level, power=chance
            )
        else:
            needed = images_needed(share, wanted, original, level=level, power=chance)
        value |= {"gap": wanted, "n_new": needed}
        text = (
            f"A gap of {percent(wanted, 2)} points needs {needed:,} images."
            if needed is not None
            else f"No new set shows {percent(wanted, 2)} points: the original is too small."
        )
    emit(value, as_json, text)
