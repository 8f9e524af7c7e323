"""`replicate score folder --control`: the set re-encoded by our own path, scored beside it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from replicate.base.errors import UsageError

if TYPE_CHECKING:
    from replicate.zoo.controls import Changed
    from replicate.zoo.scoring_job import Job, Outcome


def control_jobs(job: "Job", controls: Sequence[str]) -> "list[Job]":
    """The jobs of the controls that are asked for.

    Args:
        job: The job of the set itself.
        controls: ``reencoded``, or names of transformations with commas between them.

    Raises:
        UsageError: There is no such transformation, or no model that could see its images.
    """
    from replicate.sources.prepare import prepare
    from replicate.sources.reencoding import control_steps
    from replicate.zoo.controls import Changed
    from replicate.zoo.scheme_predictions import is_published

    jobs = []
    models = tuple(name for name in job.models if not is_published(name))
    for text in dict.fromkeys(controls):
        label, steps = control_steps(text)
        changed = Changed(job.images, label, steps, partial(prepare, steps=steps))
        jobs.append(replace(job, images=changed, models=models))
    if jobs and not models:
        raise UsageError("Published predictions have no model that could see a control's images.")
    return jobs


def control_value(
    job: "Job", control: "Job", value: dict[str, Any], outcomes: "Sequence[Outcome]"
) -> dict[str, Any]:
    """What a control shows, model by model, beside the set itself.

    Args:
        job: The job of the set itself.
        control: The control's.
        value: The control's document, as that of a set.
        outcomes: Of the set itself.
    """
    from replicate.zoo.flips import flips

    plain = {outcome.model: outcome.path for outcome in outcomes}
    for row in value["models"]:
        path = plain.get(row["model"])
        if not row["ok"] or path is None:
            continue
        found = flips(path, row["path"])
        n = found.n_labelled
        row |= {
            "flips": found.flips,
            "difference": (found.correct[1] - found.correct[0]) / n if n else None,
            "only_original": found.only_first,
            "only_control": found.only_second,
            "p": found.p if n else None,
        }
    return value | {"of": job.images.name, "steps": list(cast("Changed", control.images).steps)}


def control_text(value: dict[str, Any]) -> str:
    """A control for people: what it moves, in points."""
    lines = [f"{value['set']} ({', '.join(value['steps'])}) beside {value['of']}"]
    wide = max(5, *(len(row["model"]) for row in value["models"]))
    for row in value["models"]:
        if not row["ok"]:
            lines.append(f"{row['model']:{wide}}  {row['message']}")
        elif row.get("difference") is None:
            lines.append(f"{row['model']:{wide}}  {row.get('flips', 0)} of {row['n']} flip")
        else:
            lines.append(
                f"{row['model']:{wide}}  {100 * row['accuracy']:.2f} %, "
                f"{100 * row['difference']:+.2f} points; {row['flips']} flip, "
                f"{row['only_original']} turn wrong, {row['only_control']} turn right "
                f"(p = {row['p']:.2g})"
            )
    return "\n".join(lines)
