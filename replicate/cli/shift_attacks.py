"""What `replicate shifts attack` does: models in turn, the sample as it is, then changed."""

from pathlib import Path
from typing import Any

from replicate.base.errors import ItemError, ReplicateError, UsageError
from replicate.cli.models import options_of
from replicate.cli.output import say


def attack_models(given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Attack every model.

    Args:
        given: The command's options.

    Returns:
        The document of ``--json``, and the names of the attacked sets.

    Raises:
        UsageError: An option is wrong.
        MissingError: foolbox or a file is not there.
    """
    from replicate.zoo.attacks import Attack, sample_of
    from replicate.zoo.image_sets import folder_set
    from replicate.zoo.output_maps import read_class_map
    from replicate.zoo.schemes import expand_names

    attacks = [
        Attack(given["method"], given["norm"], _budget(text), given["steps"])
        for text in given["budgets"]
    ]
    data, output = given["data"], given["output"]
    name = data.resolve().name
    images = folder_set(data, name, known=output / ".work" / name / "files.json")
    sample = sample_of(images, given["sample"], given["seed"])
    mapping = read_class_map(given["class_map"]) if given["class_map"] is not None else {}
    rows = []
    for model in expand_names(given["patterns"]):
        try:
            rows.append({"model": model, "ok": True, "reason": None,
                         "sets": _one(model, sample, attacks, mapping, given)})  # fmt: skip
        except ItemError as error:
            rows.append({"model": model, "ok": False, "reason": error.whole, "sets": {}})
        except ReplicateError as error:
            if "foolbox" in error.message or type(error) is UsageError:
                raise
            rows.append({"model": model, "ok": False, "reason": error.whole, "sets": {}})
        say(f"{model}: {'attacked' if rows[-1]['ok'] else rows[-1]['reason']}")
    names = [f"{sample.name}-{attack.name}" for attack in attacks]
    return {"set": sample.name, "n": len(sample.items), "models": rows}, names


def _budget(text: str) -> float:
    over, slash, under = text.partition("/")
    try:
        return float(over) / float(under) if slash else float(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(
            f"--epsilon {text!r} is no number.", "Write --epsilon 2/255, or 0.5."
        ) from error


def _one(
    name: str, sample: Any, attacks: list[Any], mapping: dict[str, str], given: dict[str, Any]
) -> dict[str, Any]:
    from replicate.zoo.attacks import attack_model
    from replicate.zoo.output_maps import output_map
    from replicate.zoo.schemes import open_model
    from replicate.zoo.scoring import Arithmetic
    from replicate.zoo.scoring_job import Job
    from replicate.zoo.scoring_work import run_job

    options = options_of(download=given["download"])
    model = open_model(name, options)
    outputs = output_map(model.outputs, model.n_outputs, sample.classes, mapping, given["restrict"])
    found: dict[str, Any] = {}
    for attack in attacks:
        path, _ = attack_model(
            model, outputs, sample, attack, given["output"], seed=given["seed"],
            device=given["device"],
        )  # fmt: skip
        found[f"{sample.name}-{attack.name}"] = _counted(path)
    job = Job(
        (name,), sample, given["output"], Arithmetic(given["device"]), options, mapping,
        given["restrict"],
    )  # fmt: skip
    (plain,) = run_job(job)
    if plain.path is None:
        raise ItemError(plain.reason or "model_failed", plain.message)
    return {sample.name: _counted(plain.path), **found}


def _counted(path: Path) -> dict[str, Any]:
    from replicate.analysis.intervals import clopper_pearson
    from replicate.zoo.prediction_files import read

    found = read(path)
    n, right = found.counts
    if n == 0:
        raise ItemError("no_images", "no image of the sample could be read")
    ends = clopper_pearson(right, n)
    return {
        "path": str(path), "n": n, "correct": right, "accuracy": right / n,
        "ci": [ends.low, ends.high], "failed_images": found.header["failed_images"],
    }  # fmt: skip
