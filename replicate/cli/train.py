"""`replicate train`: a testbed of small models on a folder of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from replicate.zoo.work import Outcome

_PATH = click.Path(path_type=Path)


@click.command(
    epilog=example(
        "replicate train --train pictures --test new=pictures --models 'small:linear-*' "
        "--size 8 --output testbed",
    )
)
@click.option("--train", "train_dir", required=True, type=_PATH, help="A folder a class.")
@click.option("--test", "tests", multiple=True, required=True, metavar="NAME=DIR",
              help="A set to test on (repeatable).")  # fmt: skip
@click.option("--models", "patterns", multiple=True, default=("small:*",), show_default=True,
              help="Small models (repeatable): families, widths, images, seeds.")  # fmt: skip
@click.option("--size", default=28, show_default=True, help="Pixels of a side: grey, squashed.")
@click.option("--output", required=True, type=_PATH, help="Weights, predictions, scores.csv.")
@click.option("--seed", default=0, show_default=True, help="Added to the models' own seeds.")
@json_option
def train(
    train_dir: Path, tests: tuple[str, ...], patterns: tuple[str, ...], size: int, output: Path,
    seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Train small models on a folder and test them on others: train on A, test on B.

    Names say what a model is: small:mlp-d2-w64-n200-s1 is a perceptron of two layers of 64 that
    sees 200 of the training images, seed 1. Weights and predictions are files named by what they
    depend on: killed and run again it does only what is missing. OUTPUT/scores.csv goes into
    `replicate analyze`, OUTPUT/trained_on.csv into its --trained-on.
    """
    from replicate.zoo.image_sets import folder_set
    from replicate.zoo.names import expand, small
    from replicate.zoo.testbed import scoring_set, training_set
    from replicate.zoo.work import Job, Unit, scoring_crew, scoring_processes

    ours, others = small(patterns)
    if others:
        raise UsageError(f"{others[0]} is not trained here.", "Train models of the scheme small:.")
    specs = expand(ours)
    sets = _named(tests)
    name = train_dir.resolve().name
    images = folder_set(train_dir, name, known=output / ".work" / f"{name}.json")
    if images.class_ids is None:
        raise UsageError(f"{train_dir} has images outside of class folders.")
    classes = tuple(sorted(set(images.class_ids)))
    if len(classes) < 2:
        raise UsageError(f"{train_dir} has one class alone: there is nothing to learn.")
    training, broken = training_set(images, classes, size)
    scoring = []
    for set_name, folder in sets.items():
        known = output / ".work" / f"test-{set_name}.json"
        made, failed = scoring_set(folder_set(folder, set_name, known=known), classes, size)
        scoring.append(made)
        broken |= {f"{set_name}/{item}": reason for item, reason in failed.items()}
    job = Job(training, tuple(scoring), len(classes), seed, output / "models",
              output / "predictions")  # fmt: skip
    units = [Unit(spec, tuple(sets)) for spec in specs]
    crew = scoring_crew()
    done: dict[str, Outcome] = {}
    for unit, outcome in crew.over(job, units, scoring_processes(len(units))):
        done[unit.spec.name] = outcome
    rows = [row for spec in specs for row in _rows(done[spec.name], tuple(sets))]
    _write(output, rows, name, [spec.name for spec in specs])
    for item, reason in broken.items():
        say(f"Left out: {item}: {reason}")
    emit(
        {"train": name, "n_train": len(training.images), "classes": list(classes),
         "models": rows, "failed_images": broken, "scores": str(output / "scores.csv")},
        as_json,
        "\n".join(_line(row) for row in rows),
    )  # fmt: skip
    failed_rows = any(row["reason"] for row in rows)
    click.get_current_context().exit(3 if failed_rows or broken else 0)


def _named(texts: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (equals and name and path) or name in found:
            raise UsageError(f"--test has the form NAME=DIR, each name once, not {text!r}.")
        found[name] = Path(path)
    return found


def _rows(outcome: "Outcome", sets: tuple[str, ...]) -> list[dict[str, Any]]:
    name = outcome.spec.name
    if outcome.card is None:
        empty = {"n": None, "correct": None, "accuracy": None}
        reason = f"{outcome.reason}: {outcome.message}"
        return [{"model": name, "test_set": each, **empty, "reason": reason} for each in sets]
    rows = []
    for scored in outcome.scored:
        n = scored.counts.n if scored.counts else None
        correct = scored.counts.top1 if scored.counts else None
        rows.append(
            {"model": name, "test_set": scored.set_name, "n": n, "correct": correct,
             "accuracy": correct / n if n and correct is not None else None,
             "reason": scored.reason}
        )  # fmt: skip
    return rows


def _write(output: Path, rows: list[dict[str, Any]], trained: str, models: list[str]) -> None:
    import csv
    import io

    from replicate.base.files import write_text

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("model", "test_set", "correct", "n"))
    for row in rows:
        if row["n"]:
            writer.writerow((row["model"], row["test_set"], row["correct"], row["n"]))
    write_text(output / "scores.csv", buffer.getvalue())
    lines = "".join(f"{model},{trained}\n" for model in models)
    write_text(output / "trained_on.csv", "model,training set\n" + lines)


def _line(row: dict[str, Any]) -> str:
    if row["reason"]:
        return f"{row['model']:32} {row['test_set']:16} failed: {row['reason']}"
    return (
        f"{row['model']:32} {row['test_set']:16} {100 * row['accuracy']:6.2f} %  "
        f"({row['correct']} of {row['n']})"
    )
