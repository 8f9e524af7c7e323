"""`replicate name-that-dataset`: can a classifier tell the new images from the original's?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit

if TYPE_CHECKING:
    from replicate.analysis.discriminator import Discrimination, Told

TOLD = 0.05  # p of sets that are told apart
FAILED = 0.005  # p of a negative control that fails: by chance only once in 200 data sets


@click.command(
    "name-that-dataset",
    epilog=example(
        "replicate name-that-dataset --original original.npy --new new.npy",
        "replicate name-that-dataset --original original.npy --new new.npy --groups-new new.txt "
        "--seed 1 --json",
    ),
)
@click.option("--original", required=True, type=click.Path(path_type=Path),
              help="Features of the original: one row an image.")  # fmt: skip
@click.option("--new", required=True, type=click.Path(path_type=Path),
              help="Features of the new set, by the same model.")  # fmt: skip
@click.option("--groups-original", type=click.Path(path_type=Path),
              help="The group (owner, near-duplicates) of each image, one a line.")  # fmt: skip
@click.option("--groups-new", type=click.Path(path_type=Path), help="The same of the new set.")
@click.option("--folds", default=5, show_default=True, type=click.IntRange(min=3),
              help="Folds of the cross-validation; groups are never split.")  # fmt: skip
@click.option("--permutations", default=500, show_default=True, type=click.IntRange(min=20),
              help="How often the labels of whole groups are permuted.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The seed of folds and controls.")
@click.option("--level", default=0.95, show_default=True, help="Confidence level.",
              type=click.FloatRange(0, 1, min_open=True, max_open=True))  # fmt: skip
@json_option
def name_that_dataset(as_json: bool, **given: Any) -> None:
    """Tell whether frozen features give away which set an image is from.

    A linear classifier is trained on part of both sets and tested on the rest. An area under the
    curve (AUC) of 0.5 is guessing. p is that of a permutation test, one-sided: how often labels
    that mean nothing, permuted by whole groups, do as well. The interval is for the AUC that such
    classifiers have on average on fresh images, with as many images to train on as here; it
    knows of the chance in training as well as in testing. Two controls go with it: halves of the
    original, which must not be told apart, and a copy moved by one standard deviation along one
    direction, which must. Match sizes and encoding of the images first: JPEG quality alone gives
    a set away.
    """
    from replicate.analysis.discriminator import Design, tell_apart
    from replicate.zoo.feature_files import read_features

    found = tell_apart(
        read_features(given["original"]).values,
        read_features(given["new"]).values,
        given["seed"],
        groups_original=_groups(given["groups_original"]),
        groups_new=_groups(given["groups_new"]),
        design=Design(given["folds"], given["permutations"], given["level"]),
    )
    value = {name: _values(getattr(found, name)) for name in ("new", "negative", "positive")}
    document = {
        **value,
        "folds": found.folds,
        "permutations": found.permutations,
        "penalty": list(found.new.penalty),
        "level": given["level"],
        "test": "permutation of whole groups' labels within folds, one-sided (better than chance)",
        "interval": "mean AUC of such classifiers on fresh images, training included",
    }
    emit(document, as_json, _text(found, given["level"]))


def _groups(path: Path | None) -> Any:
    if path is None:
        return None
    if not path.is_file():
        raise UsageError(f"There is no file of groups at {path}.", "Write one group a line.")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _values(item: "Told") -> dict[str, Any]:
    return {
        "auc": item.auc,
        "p": item.p,
        "ci": None if item.interval is None else [item.interval.low, item.interval.high],
        "n": list(item.n),
        "n_groups": list(item.n_groups),
    }


def _text(found: "Discrimination", level: float) -> str:
    rows = (
        ("original against new", found.new),
        ("negative control (halves of the original)", found.negative),
        ("positive control (moved by one standard deviation)", found.positive),
    )
    lines = [f"{'':52}{'AUC':>6}   interval     {'p':>6}   images"]
    for name, item in rows:
        ends = "–" if item.interval is None else f"{item.interval.low:.3f}–{item.interval.high:.3f}"
        lines.append(f"{name:52}{item.auc:6.3f}   {ends:11}  {item.p:6.3f}   {_plus(item.n)}")
    told = (
        f"p: {found.permutations} permutations of whole groups' labels, better than chance. "
        f"Interval ({level:.0%}): mean AUC on fresh images of classifiers trained on as many."
    )
    return "\n".join([*lines, "", told, "", verdict(found)])


def _plus(pair: tuple[int, int]) -> str:
    return f"{pair[0]} + {pair[1]}"


def verdict(found: "Discrimination") -> str:
    """What the three tests say together, in one sentence."""
    if min(min(item.n_groups) for item in (found.new, found.negative, found.positive)) < 2:
        return "There are too few groups to tell."
    if found.negative.p <= FAILED:
        return "The negative control fails: halves of the original are told apart; try other seeds."
    if found.new.p <= TOLD:
        return "The sets are told apart: something differs between them, be it content or encoding."
    if found.positive.p > TOLD:
        return "Nothing is shown: a planted difference was not found either, with so few images."
    return "The sets are not told apart, where a planted difference is."
