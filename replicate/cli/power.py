"""`replicate power`: what a test set of n images can show."""

from typing import Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit


@click.command(
    epilog=example(
        "replicate power --accuracy 93 --images 2021 --original 10000",
        "replicate power --accuracy 0.76 --gap 1.31 --original 50000 --json",
        "replicate power --accuracy 76 --images 1000 --original 1000 --adjusted --runs 20",
    )
)
@click.option("--accuracy", type=float, required=True, help="Accuracy on the original.")
@click.option("--images", type=int, help="Images of the new set: what gap do they show?")
@click.option("--gap", type=float, help="Percentage points to show: how many images are needed?")
@click.option("--original", type=int, help="Images of the original (default: known exactly).")
@click.option("--discordant", type=float, help="Matched items: the share that differs.")
@click.option("--adjusted", is_flag=True,
              help="At equal selection frequencies: the gap shown by votes an image.")  # fmt: skip
@click.option("--icc", default=0.3, show_default=True, help="Intra-class correlation of votes.")
@click.option("--frequency", default=0.75, show_default=True, help="Mean selection frequency.")
@click.option("--runs", default=200, show_default=True, type=click.IntRange(min=2),
              help="Simulations for each number of votes.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The seed of the simulations.")
@click.option("--power", "chance", default=0.8, show_default=True, help="Chance to show the gap.")
@click.option("--level", default=0.95, show_default=True, help="1 − the risk of a false alarm.")
@json_option
def power(
    accuracy: float,
    images: int | None,
    gap: float | None,
    original: int | None,
    discordant: float | None,
    adjusted: bool,
    icc: float,
    frequency: float,
    runs: int,
    seed: int,
    chance: float,
    level: float,
    as_json: bool,
) -> None:
    """Tell the smallest accuracy gap that a new set can show, or the images that a gap needs.

    An accuracy above 1 is read as a percentage. The formula is that of two proportions with one
    variance; `gap_unequal` gives the new set its own, which is larger. With --adjusted, the
    smallest gap at equal selection frequencies by votes an image, from simulated votes; with --gap
    as well, how many votes show it.
    """
    from replicate.analysis.power import images_needed, images_needed_matched, smallest_gap
    from replicate.reporting.analysis_json import number
    from replicate.reporting.words import percent

    share = accuracy / 100 if accuracy > 1 else accuracy
    if adjusted:
        value, text = _adjusted(
            share, images, original, gap, icc=icc, frequency=frequency, runs=runs, seed=seed,
            level=level, power=chance,
        )  # fmt: skip
        emit(value, as_json, text)
        return
    if (images is None) == (gap is None):
        raise UsageError(
            "Give --images (for the smallest gap) or --gap (for the images needed), one of them.",
            "replicate power --accuracy 93 --images 2021 --original 10000",
        )
    if discordant is not None and gap is None:
        raise UsageError(
            "--discordant says how many matched items a gap needs; it goes with --gap.",
            "replicate power --accuracy 76 --gap 2 --discordant 0.1",
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


def _adjusted(
    share: float, images: int | None, original: int | None, gap: float | None, **more: Any
) -> tuple[dict[str, Any], str]:
    """The smallest adjusted gaps by votes, as values and as text."""
    from replicate.analysis.power_votes import gaps_by_votes_needed, votes_needed
    from replicate.reporting.words import percent

    if images is None or original is None:
        raise UsageError(
            "--adjusted needs --images and --original: the judged images of both sets.",
            "replicate power --accuracy 76 --images 1000 --original 1000 --adjusted",
        )
    found = gaps_by_votes_needed(original, images, share, **more)
    wanted = None if gap is None else gap / 100
    value = {
        "accuracy": share, "n_original": original, "n_new": images, **more, "simulated": True,
        "by_votes": [
            {"votes": item.votes, "estimator": item.estimator, "error": item.error,
             "gap": item.gap, "gap_unadjusted": item.plain}
            for item in found
        ],
        "gap": wanted,
        "votes_needed": None if wanted is None else votes_needed(found, wanted),
    }  # fmt: skip
    lines = ["votes  gap shown  unadjusted  estimator   (points; from simulated votes)"]
    lines += [
        f"{item.votes:>5}  {percent(item.gap, 2):>9}  {percent(item.plain, 2):>10}  "
        f"{item.estimator}"
        for item in found
    ]
    if wanted is not None:
        n = value["votes_needed"]
        lines.append(
            f"A gap of {percent(wanted, 2)} points needs {n} votes an image."
            if n is not None
            else f"No number of votes tried shows {percent(wanted, 2)} points: take more images."
        )
    return value, "\n".join(lines)
