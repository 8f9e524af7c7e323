"""`replicate features` and `replicate transfer`: what frozen models make of images."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import ReplicateError, UsageError
from replicate.cli.fine_tuning import fine_tuned
from replicate.cli.models import options_of
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from replicate.zoo.image_sets import ImageSet

_PATH = click.Path(path_type=Path)
_MODELS = click.option(
    "--models", "patterns", multiple=True, required=True, metavar="NAME",
    help="A model, or a wildcard (repeatable).",
)  # fmt: skip
_DOWNLOAD = click.option("--download", is_flag=True, help="Fetch weights that are not here.")


@click.command(
    epilog=example(
        "replicate features --models py:mymodels:build --data pictures --output features --json"
    )
)
@_MODELS
@click.option("--data", required=True, type=_PATH, help="A folder of images.")
@click.option("--name", help="The set's name (default: the folder's).")
@click.option("--output", required=True, type=_PATH, help="The folder of features.")
@_DOWNLOAD
@json_option
def features(
    patterns: tuple[str, ...], data: Path, name: str | None, output: Path, download: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write what models make of images before their last layer: one Arrow file a model.

    The files hold the images' names and their features, for name-that-dataset, transfer, and
    whatever else reads Arrow. What is there already is not made again; ends with 3 if a model or
    an image failed.
    """
    from replicate.zoo.feature_files import read_features
    from replicate.zoo.features import make_features
    from replicate.zoo.schemes import expand_names, open_model

    images = _set(data, name, output)
    rows: list[dict[str, Any]] = []
    for model_name in expand_names(patterns):
        try:
            model = open_model(model_name, options_of(download=download))
            path, broken = make_features(model, images, output)
        except ReplicateError as error:
            rows.append({"model": model_name, "ok": False, "reason": error.whole})
            continue
        width = read_features(path).values.shape[1]
        rows.append(
            {"model": model_name, "ok": True, "reason": None, "path": str(path), "width": width,
             "n": len(images.items), "failed_images": broken}
        )  # fmt: skip
    lines = [
        f"{row['model']}: {row['n']} × {row['width']} in {row['path']}"
        if row["ok"]
        else f"{row['model']}: failed: {row['reason']}"
        for row in rows
    ]
    emit({"set": images.name, "models": rows}, as_json, "\n".join(lines))
    failed = any(not row["ok"] or row["failed_images"] for row in rows)
    click.get_current_context().exit(3 if failed else 0)


@click.command(
    epilog=example(
        "replicate transfer --models py:mymodels:build --train pictures --test pictures "
        "--output features --json",
        "replicate transfer --models py:mymodels:build --train pictures --test pictures "
        "--output features --fine-tune --epochs 2 --rate 0.1 --rate 0.01",
    )
)
@_MODELS
@click.option("--train", required=True, type=_PATH, help="Images to learn from, a folder a class.")
@click.option("--test", required=True, type=_PATH, help="Images to test on, a folder a class.")
@click.option("--output", required=True, type=_PATH, help="The folder of features.")
@click.option("--folds", default=5, show_default=True, type=click.IntRange(min=2),
              help="Folds of the training set that choose the penalty.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The seed of folds and training.")
@click.option("--fine-tune", is_flag=True, help="Train whole models a little, too.")
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(min=1),
              help="Fine-tuning: passes over the training images.")  # fmt: skip
@click.option("--rate", "rates", multiple=True, default=(0.01,), show_default=True,
              type=click.FloatRange(min=0, min_open=True),
              help="Fine-tuning: peak learning rate (of several the best held out).")  # fmt: skip
@click.option("--batch", default=32, show_default=True, type=click.IntRange(min=2),
              help="Fine-tuning: images a step.")  # fmt: skip
@click.option("--mirror/--no-mirror", default=True, show_default=True,
              help="Fine-tuning: mirror images at random (not digits, not text).")  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="Fine-tuning: cpu, cuda …")
@_DOWNLOAD
@json_option
def transfer(
    patterns: tuple[str, ...], train: Path, test: Path, output: Path, folds: int, seed: int,
    fine_tune: bool, epochs: int, rates: tuple[float, ...], batch: int, mirror: bool, device: str,
    download: bool, as_json: bool,
) -> None:  # fmt: skip
    """Probe how much of a task models' frozen features hold, and what models can become.

    A linear probe: regularised logistic regression on the features, its penalty chosen by folds of
    the training set from a logarithmic grid; top-1 with interval, mean per class, 11-point mean
    average precision. With --fine-tune the same beside it for the whole model, trained a little:
    killed, it carries on from the last epoch. The table of several tasks goes into
    `replicate analyze --tasks`.
    """
    from replicate.zoo.fine_tuning import Recipe
    from replicate.zoo.schemes import expand_names, open_model

    sides = (_set(train, f"{train.name}-train", output), _set(test, f"{test.name}-test", output))
    for side in sides:
        if side.class_ids is None:
            raise UsageError(f"{side.root} has images outside of class folders.")
    rows: list[dict[str, Any]] = []
    recipe = Recipe(epochs, tuple(dict.fromkeys(rates)), batch=batch, mirror=mirror, seed=seed)
    for name in expand_names(patterns):
        opened = partial(open_model, name, options_of(download=download))
        try:
            row: dict[str, Any] = {"model": name, "ok": True, "reason": None}
            row |= _probe(opened(), sides, output, folds, seed)
            if fine_tune:
                row["fine_tuned"] = fine_tuned(opened, sides, output, recipe, device)
            rows.append(row)
        except ReplicateError as error:
            if isinstance(error, UsageError):
                raise
            rows.append({"model": name, "ok": False, "reason": error.whole})
        if rows[-1].get("at_edge"):
            say(f"Warning: {name}: the penalty lies at an end of the grid.")
    lines = []
    for row in rows:
        if not row["ok"]:
            lines.append(f"{row['model']}: failed: {row['reason']}")
            continue
        lines.append(f"{row['model']}: {_measured(row)}")
        if "fine_tuned" in row:
            tuned: dict[str, Any] = row["fine_tuned"]
            lines.append(f"  fine-tuned (rate {tuned['rate']:g}): {_measured(tuned)}")
    emit({"train": train.name, "test": test.name, "models": rows}, as_json, "\n".join(lines))
    click.get_current_context().exit(0 if all(row["ok"] for row in rows) else 3)


def _measured(row: dict[str, Any]) -> str:
    return (
        f"top-1 {100 * row['accuracy']:.2f} % "
        f"[{100 * row['ci'][0]:.1f}, {100 * row['ci'][1]:.1f}], mean per class "
        f"{100 * row['mean_per_class']:.2f} %, 11-point mAP {row['average_precision']:.3f}"
    )


def _set(data: Path, name: str | None, output: Path) -> "ImageSet":
    from replicate.zoo.image_sets import folder_set

    called = name or data.resolve().name
    return folder_set(data, called, known=output / ".work" / called / "files.json")


def _probe(
    model: Any, sides: "tuple[ImageSet, ImageSet]", output: Path, folds: int, seed: int
) -> dict[str, Any]:
    import numpy as np

    from replicate.analysis.probe import linear_probe
    from replicate.zoo.features import make_features, read_rows

    values, codes = [], []
    names = sorted(set(sides[0].class_ids or ()))
    unknown = sorted(set(sides[1].class_ids or ()) - set(names))
    if unknown:
        raise UsageError(
            f"The test set has the class {unknown[0]!r}, which the training set does not have."
        )
    for side in sides:
        path, _ = make_features(model, side, output)
        rows, readable = read_rows(path)
        place = {name: at for at, name in enumerate(names)}
        values.append(rows)
        codes.append(np.array([place[c] for c in side.class_ids or ()])[readable])
    found = linear_probe(values[0], codes[0], values[1], codes[1], seed, folds=folds)
    return {
        "n": found.n,
        "correct": found.correct,
        "accuracy": found.accuracy,
        "ci": [found.interval.low, found.interval.high],
        "mean_per_class": found.mean_per_class,
        "average_precision": found.average_precision,
        "penalty": found.penalty,
        "at_edge": found.at_edge,
        "by_penalty": {f"{key:g}": share for key, share in found.by_penalty.items()},
    }
