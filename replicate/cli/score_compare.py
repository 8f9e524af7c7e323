"""`replicate score compare`: what a pipeline or a precision changes."""

from math import isfinite
from pathlib import Path
from typing import Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit

_PATH = click.Path(path_type=Path, exists=True)


@click.command(
    epilog=example("replicate score compare predictions/pictures predictions-bf16/pictures --json")
)
@click.argument("first", type=_PATH)
@click.argument("second", type=_PATH)
@json_option
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Count the predictions that flip between two ways to score the same models.

    FIRST and SECOND are prediction files, or folders of them, whose models are matched by name.
    An accuracy that hardly moves can hide many flips: as many images turn right as wrong.
    """
    from replicate.zoo.flips import flips

    rows = []
    for model, (a, b) in _matched(first, second).items():
        found = flips(a, b)
        n = found.n_labelled
        rows.append(
            {
                "model": model,
                "n": found.n,
                "flips": found.flips,
                "share": found.flips / found.n if found.n else None,
                "top5_flips": found.top5,
                "accuracy": [right / n if n else None for right in found.correct],
                "only_first": found.only_first,
                "only_second": found.only_second,
                "p": found.p if n else None,
                "largest_change": found.largest if isfinite(found.largest) else None,
                "ways": [_way(path) for path in (a, b)],
            }
        )
    emit({"models": rows}, as_json, "\n".join(_line(row) for row in rows))


def _matched(first: Path, second: Path) -> dict[str, tuple[Path, Path]]:
    from replicate.zoo.prediction_files import read_header

    if first.is_file() and second.is_file():
        return {str(read_header(first)["model"]): (first, second)}
    sides = [
        {str(read_header(path)["model"]): path for path in sorted(folder.glob("*.arrow"))}
        for folder in (first, second)
        if folder.is_dir()
    ]
    if len(sides) != 2:
        raise UsageError("Compare two files, or two folders, not one of each.")
    shared = [model for model in sides[0] if model in sides[1]]
    if not shared:
        raise UsageError(
            f"{first} and {second} have no model in common.",
            "Give the folders of one set: they hold files that end in .arrow.",
        )
    return {model: (sides[0][model], sides[1][model]) for model in shared}


def _way(path: Path) -> dict[str, Any]:
    from replicate.zoo.prediction_files import read_header

    value: dict[str, Any] = read_header(path)["depends_on"]
    return {key: value[key] for key in ("preprocessing", "precision", "weights")}


def _line(row: dict[str, Any]) -> str:
    text = f"{row['model']}: {row['flips']} of {row['n']} flip"
    if row["n"]:
        text += f" ({100 * row['share']:.2f} %)"
    if row["accuracy"][0] is not None:
        a, b = (100 * share for share in row["accuracy"])
        text += (
            f"; accuracy {a:.2f} % → {b:.2f} %: {row['only_first']} turn wrong, "
            f"{row['only_second']} turn right (p = {row['p']:.2g})"
        )
    return text
