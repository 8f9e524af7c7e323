"""Scoring on Ray: actors that hold loaded models; a unit is some models and a shard of images.

Actors write the same parts into the same folder as a local run does, which all machines of the
cluster must see under the same path; the coordinator puts the parts together. An actor that is
lost loses what it was at, and another does it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from replicate.base.errors import ReplicateError, UsageError
from replicate.base.executors import ray_session, ray_threads
from replicate.base.resources import usable_cores
from replicate.zoo.controls import Changed
from replicate.zoo.image_sets import ImageSet
from replicate.zoo.leases import LIFETIME
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_work import Facts, Model, Work

HOLD = 2 << 30  # bytes of models that an actor keeps loaded
_TRIES = 3  # actors that may be lost over one unit


@dataclass(frozen=True)
class Done:
    """What an actor says of one model after a unit.

    Attributes:
        model: Its name.
        images: Images scored now.
        failed: Why it failed; None if it did not.
        facts: What a prediction file says of it; None if nothing was left to score.
    """

    model: str
    images: int
    failed: ReplicateError | None
    facts: Facts | None


@dataclass(frozen=True)
class _Unit:
    models: tuple[str, ...]
    shard: range
    tries: int = 0


class Scorer:
    """One actor: it holds the models that it has loaded, and scores shards with them."""

    def __init__(self, job: Job, models: Sequence[Model]) -> None:
        self._work = Work(job, False, LIFETIME, lambda *_: None, HOLD)
        self._models = {model.name: model for model in models}

    def score(self, names: Sequence[str], start: int, stop: int) -> list[Done]:
        """Score some models on a shard; what fails is said, not raised."""
        models = [self._models[name] for name in names]
        before = {model.name: model.done for model in models}
        self._work.shard(models, range(start, stop))
        return [Done(m.name, m.done - before[m.name], m.failed, m.facts) for m in models]


def score_on_ray(work: Work, models: Sequence[Model], workers: int) -> None:
    """Make the parts of models that are missing; failures end in the models.

    Args:
        work: The run.
        models: What is not finished.
        workers: How many actors; on CUDA devices each has a card of its own.

    Raises:
        UsageError: The device is one card of several.
        MissingError: Ray is not installed.
        ReplicateError: Actors were lost again and again.
    """
    device = work.job.how.device
    if ":" in device:
        raise UsageError(
            f"--device {device} is one card; Ray gives each worker its own.", "Say --device cuda."
        )
    known = {model.name: model for model in models}
    units = _units(work, models, workers)
    work.progress.total = sum(len(unit.shard) * len(unit.models) for unit in units)
    with ray_session(workers) as ray:
        threads = max(1, usable_cores() // workers)
        kind = ray.remote(
            num_cpus=1, num_gpus=1 if device == "cuda" else 0, runtime_env=ray_threads(threads)
        )(Scorer)
        job, fresh = ray.put(_absolute(work.job)), ray.put(list(models))
        free: list[Any] = [kind.remote(job, fresh) for _ in range(min(workers, len(units)))]
        busy: dict[Any, tuple[Any, _Unit]] = {}
        while units or busy:
            while units and free:
                unit, actor = units.popleft(), free.pop()
                names = [name for name in unit.models if known[name].failed is None]
                busy[actor.score.remote(names, unit.shard.start, unit.shard.stop)] = (actor, unit)
            (ready,), _ = ray.wait(list(busy), num_returns=1)
            actor, unit = busy.pop(ready)
            try:
                found: list[Done] = ray.get(ready)
            except ray.exceptions.RayActorError as error:
                units.appendleft(_again(unit, error))
                free.append(kind.remote(job, fresh))
                continue
            except ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, ReplicateError) else error from error
            free.append(actor)
            _note(known, found)
            scored = sum(done.images for done in found)
            work.progress.keep(scored)
            work.progress.leave_out(len(unit.shard) * len(unit.models) - scored)
            work.progress.at(", ".join(unit.models))


def _units(work: Work, models: Sequence[Model], workers: int) -> deque[_Unit]:
    """Shards for all models alike, so that each image is decoded once.

    Where they are too few to keep all workers busy, each is for a part of the models.
    """
    shards = list(work.shards(list(models)))
    parts = min(len(models), -(-2 * workers // len(shards)))
    units: deque[_Unit] = deque()
    for shard in shards:
        todo = [model.name for model in models if not work.part(model, shard).exists()]
        groups = [tuple(todo[at::parts]) for at in range(parts)]
        units += [_Unit(group, shard) for group in groups if group]
    return units


def _note(known: dict[str, Model], found: Sequence[Done]) -> None:
    for done in found:
        model = known[done.model]
        model.done += done.images
        model.failed = model.failed or done.failed
        model.facts = model.facts or done.facts


def _again(unit: _Unit, error: Exception) -> _Unit:
    if unit.tries + 1 >= _TRIES:
        raise ReplicateError(
            f"Ray workers were killed {_TRIES} times over images {unit.shard.start} to "
            f"{unit.shard.stop}, perhaps for want of memory.",
            "Run the command again: it carries on; with fewer workers it needs less memory.",
        ) from error
    return replace(unit, tries=unit.tries + 1)


def _absolute(job: Job) -> Job:
    """The job for processes that are somewhere else."""
    images: Any = job.images
    if isinstance(images, Changed):
        images = replace(images, base=_rooted(images.base))
    options = replace(job.options, root=job.options.root.resolve())
    return replace(job, images=_rooted(images), output=job.output.resolve(), options=options)


def _rooted(images: Any) -> Any:
    return replace(images, root=images.root.resolve()) if isinstance(images, ImageSet) else images
