"""`replicate score folder` and `score worker`: any models on any folder of images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import MissingError, UsageError
from replicate.cli.models import options_of
from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, say
from replicate.cli.score_progress import EVERY

if TYPE_CHECKING:
    from replicate.zoo.scoring_job import Job, Outcome

_PATH = click.Path(path_type=Path)
_QUEUE = "job.json"
_EVERY = click.option(
    "--progress", "every", default=EVERY, show_default=True, type=click.FloatRange(min=0),
    help="Seconds between lines of progress where there is no terminal (0: none).",
)  # fmt: skip


@click.command(
    epilog=example(
        "replicate score folder --models py:mymodels:build --data pictures --output predictions",
        "replicate score folder --models py:mymodels:build --data pictures --output predictions "
        "--precision bf16 --json",
        "replicate score folder --models predictions:published --data pictures --output scored",
        "replicate score folder --models py:mymodels:build --data pictures --output scored "
        "--control reencoded",
    )
)
@click.option("--models", "patterns", multiple=True, required=True, metavar="NAME",
              help="A model, or a wildcard: timm:resnet*.a1_in1k (repeatable).")  # fmt: skip
@click.option("--data", required=True, type=_PATH, help="A folder of images, best one a class.")
@click.option("--output", required=True, type=_PATH, help="The folder of predictions.")
@click.option("--name", help="The set's name (default: the folder's).")
@click.option("--labels", type=_PATH, help="A table path,class: the images and their classes.")
@click.option("--class-map", type=_PATH, help="output,class a line: what outputs mean here.")
@click.option("--restrict", is_flag=True, help="Only outputs of the set's own classes compete.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 …")
@click.option("--precision", default="fp32", show_default=True, help="Number format.",
              type=click.Choice(("fp32", "tf32", "bf16", "fp16")))  # fmt: skip
@click.option("--batch", default=0, type=click.IntRange(min=0),
              help="Images at a time (0: found).")  # fmt: skip
@click.option("--channels-last", is_flag=True, help="Keep images pixel by pixel in memory.")
@click.option("--compile", "compiled", is_flag=True, help="Compile models with torch.compile.")
@click.option("--logits", is_flag=True, help="Keep all scores, not the best five alone.")
@click.option("--cache", default=4.0, show_default=True, type=click.FloatRange(min=0.001),
              help="GiB of views on disk at a time.")  # fmt: skip
@click.option("--class-names", type=_PATH, help="Zero-shot: class id and name, one a line.")
@click.option("--templates", type=_PATH, help="Zero-shot: prompts with {}, one a line.")
@click.option("--download", is_flag=True, help="Fetch weights that are not on this machine.")
@click.option("--allow-pickle", is_flag=True, help="Read checkpoints that can run code.")
@click.option("--retry", type=click.Choice(["failed"]), help="Try failed models again.")
@click.option("--repair", multiple=True, type=click.Choice(("columns", "offset")),
              help="Mend published predictions: worst first, or off by one class.")  # fmt: skip
@click.option("--control", "controls", multiple=True, metavar="STEPS",
              help="Score them re-encoded, too: reencoded, or steps of [prepare].")  # fmt: skip
@click.option("--executor", type=click.Choice(("local", "ray")), default="local",
              show_default=True, help="Where models run.")  # fmt: skip
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1),
              help="Ray actors that work at a time.")  # fmt: skip
@click.option("--queue", type=_PATH, help="Write the job here for workers, and work on it too.")
@_EVERY
@json_option
def folder(as_json: bool, every: float, **given: Any) -> None:
    """Score models on a folder of images, without a study.

    Each image is decoded once, and every view that a model needs is cut from it. Every image's
    prediction is kept, one Arrow file a model; killed and run again it does only what is missing.
    Classes are the names of the folders; models that do not know them need a class map. Ends with
    3 if a model or an image failed; the reasons are in what it prints.
    """
    if given["queue"] is not None:
        _write_queue(given)
    elif given["executor"] == "local" and given["workers"] > 1:
        raise UsageError(
            "--workers are Ray's.", "Say --executor ray; or --queue DIR, and start workers by hand."
        )
    _score_all(given, given["queue"] is not None, None, every, as_json)


@click.command(epilog=example("replicate score worker --queue queue", "replicate score worker"))
@click.option("--queue", type=_PATH, help="The folder of `score folder --queue`; else a study.")
@click.option("--lifetime", default=120.0, show_default=True, type=click.FloatRange(min=1),
              help="Seconds without a sign after which a worker is taken for lost.")  # fmt: skip
@_EVERY
@study_option
@json_option
def worker(
    queue: Path | None, lifetime: float, every: float, study_dir: str | None, as_json: bool
) -> None:
    """Work on a job, or on a study, that others work on as well.

    Start as many as there are machines or cards, by hand, by SLURM arrays or by ssh; all that
    they share is the folder. A worker that is lost loses its lease, and another does its unit.
    In a study one more runs `replicate score --shared`: it alone writes what came of it down.
    """
    if queue is None:
        _work_beside(study_dir, lifetime, every, as_json)
        return
    path = queue / _QUEUE
    if not path.is_file():
        raise MissingError(
            f"There is no job at {path}.",
            "Write it: replicate score folder … --queue " + str(queue),
        )
    from replicate.base.files import read_json

    value = read_json(path)
    given = {
        key: Path(content) if key in _PATHS and content is not None else content
        for key, content in value.items()
    }
    _score_all(given, True, lifetime, every, as_json)


def _work_beside(study_dir: str | None, lifetime: float, every: float, as_json: bool) -> None:
    """Work on a study's sets, and end with 0 or 3."""
    from replicate.cli.score_progress import told
    from replicate.stages.score_jobs import work_beside

    values, text = [], []
    with told(every) as tell:
        for job, outcomes in work_beside(
            the_study(study_dir), lifetime, lambda name, what, at, n: tell(f"{name}: {what}", at, n)
        ):
            values.append(document(job, outcomes))
            text.append(_text(values[-1]))
    emit({"sets": values}, as_json, "\n\n".join(text))
    failed = any(row["reason"] for each in values for row in each["models"])
    click.get_current_context().exit(3 if failed else 0)


_PATHS = ("data", "output", "labels", "class_map", "class_names", "templates", "queue")


def _write_queue(given: dict[str, Any]) -> None:
    from replicate.base.files import write_json

    value = {
        key: str(content.resolve()) if isinstance(content, Path) else content
        for key, content in given.items()
    }
    write_json(given["queue"] / _QUEUE, value)


def job_of(given: dict[str, Any]) -> "Job":
    """The job that a command's options mean.

    Raises:
        UsageError: Options do not fit each other.
        MissingError: A file or the folder is not there.
    """
    from replicate.zoo.image_sets import folder_set
    from replicate.zoo.names import small
    from replicate.zoo.output_maps import read_class_map
    from replicate.zoo.schemes import expand_names
    from replicate.zoo.scoring import Arithmetic
    from replicate.zoo.scoring_job import Job

    ours, others = small(given["patterns"])
    if ours:
        raise UsageError(
            f"{ours[0]}: models of the scheme small: are trained on a study's own images.",
            "Score them in a study: replicate score; or train them: replicate train",
        )
    name = given["name"] or given["data"].resolve().name
    output: Path = given["output"]
    known = output / ".work" / name / "files.json"
    images = folder_set(given["data"], name, given["labels"], known)
    return Job(
        tuple(expand_names(others)),
        images,
        output,
        Arithmetic(
            given["device"], given["precision"], given["channels_last"], given["compiled"],
            given["batch"], given["logits"],
        ),
        options_of(
            download=given["download"], allow_pickle=given["allow_pickle"],
            class_names=given["class_names"], templates=given["templates"],
        ),
        read_class_map(given["class_map"]) if given["class_map"] is not None else {},
        given["restrict"],
        int(given["cache"] * (1 << 30)),
        retry=given["retry"] == "failed",
        repair=tuple(given["repair"]),
    )  # fmt: skip


def _score_all(
    given: dict[str, Any], shared: bool, lifetime: float | None, every: float, as_json: bool
) -> None:
    """Score the set, then its controls, and end with 0 or 3."""
    from replicate.cli.score_controls import control_jobs, control_text, control_value
    from replicate.cli.score_progress import told
    from replicate.zoo.leases import LIFETIME
    from replicate.zoo.scoring_work import run_job

    def run(job: "Job") -> "list[Outcome]":
        with told(every) as tell:
            return run_job(
                job, shared, lifetime or LIFETIME, tell,
                "local" if shared else given["executor"], given["workers"],
            )  # fmt: skip

    job = job_of(given)
    controls = control_jobs(job, given["controls"])
    outcomes = run(job)
    value = document(job, outcomes)
    text, values = [_text(value)], [value]
    for control in controls:
        values.append(control_value(job, control, document(control, run(control)), outcomes))
        text.append(control_text(values[-1]))
    value["controls"] = values[1:]
    for warning in [warning for each in values for warning in each["warnings"]]:
        say(f"Warning: {warning}")
    emit(value, as_json, "\n\n".join(text))
    failed = any(
        each["failed_images"] or any(row["reason"] for row in each["models"]) for each in values
    )
    click.get_current_context().exit(3 if failed else 0)


def document(job: "Job", outcomes: "list[Outcome]") -> dict[str, Any]:
    """What came of every model, as JSON values."""
    from replicate.zoo.doubts import doubt
    from replicate.zoo.prediction_files import read

    rows: list[dict[str, Any]] = []
    warnings: list[str] = []
    broken: dict[str, str] = {}
    for outcome in outcomes:
        row: dict[str, Any] = {
            "model": outcome.model, "ok": outcome.path is not None, "reason": outcome.reason,
            "message": outcome.message or None, "scored_now": outcome.done,
        }  # fmt: skip
        if outcome.path is not None:
            found = read(outcome.path)
            n, right = found.counts
            broken |= found.header["failed_images"]
            row |= {"path": str(outcome.path), "n": n, "correct": right,
                    "accuracy": right / n if n else None, "ci": _interval(right, n),
                    **found.header["depends_on"]}  # fmt: skip
            if (words := doubt(found, "give --class-map")) is not None:
                warnings.append(f"{outcome.model}: {words}")
        warnings += outcome.notes
        rows.append(row)
    return {
        "set": job.images.name,
        "set_digest": job.images.digest,
        "n": len(job.images.items),
        "models": rows,
        "failed_images": broken,
        "warnings": warnings,
    }


def _interval(right: int, n: int) -> list[float] | None:
    from replicate.analysis.intervals import clopper_pearson

    if n == 0:
        return None
    found = clopper_pearson(right, n)
    return [found.low, found.high]


def _text(value: dict[str, Any]) -> str:
    wide = max(5, *(len(row["model"]) for row in value["models"]))
    lines = [f"{value['set']}: {value['n']} images", f"{'model':{wide}}  accuracy"]
    for row in value["models"]:
        if row["reason"]:
            lines.append(f"{row['model']:{wide}}  failed ({row['reason']}): {row['message']}")
        elif not row["ok"]:
            lines.append(f"{row['model']:{wide}}  {row['message']}")
        elif row["n"]:
            low, high = row["ci"]
            lines.append(
                f"{row['model']:{wide}}  {100 * row['accuracy']:.2f} % "
                f"[{100 * low:.1f}, {100 * high:.1f}]  ({row['correct']} of {row['n']})"
            )
        else:
            lines.append(f"{row['model']:{wide}}  predictions only: no labels are known")
    if value["failed_images"]:
        lines.append(f"{len(value['failed_images'])} images could not be read:")
        lines += [f"  {item}: {why}" for item, why in list(value["failed_images"].items())[:10]]
    return "\n".join(lines)
