"""A study's sets and models as jobs of the engine, for the stage and for workers beside it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from replicate.base.errors import MissingError
from replicate.sources.prepare import prepare
from replicate.stages.score_options import Way, arithmetic, ways
from replicate.stages.score_sets import ORIGINAL, SetToScore, sets_to_score, zoo_of
from replicate.store.queries import set_names
from replicate.study import Study
from replicate.zoo.controls import Changed
from replicate.zoo.image_sets import Images, StoredSet
from replicate.zoo.scheme_predictions import is_published
from replicate.zoo.schemes import expand_names
from replicate.zoo.scoring_job import Job, Outcome
from replicate.zoo.scoring_work import run_job


def job_of(study: Study, target: SetToScore, way: Way, *, retry: bool = False) -> Job:
    """A set and models that are opened and read alike, as a job.

    Args:
        study: The study.
        target: The set.
        way: The models.
        retry: Whether those that failed before are tried again.
    """
    config = study.pipeline.score
    every = tuple(item.class_id for item in study.classes)
    images = StoredSet(
        target.name,
        _items(study, target),
        tuple(member.class_id for member in target.members),
        tuple(name for name in every if name in target.classes) if config.restrict else every,
        target.blobs,
        study.prepared,
    )
    return Job(
        way.models,
        _changed(images, target),
        study.predictions_dir / "arrow",
        arithmetic(study),
        way.options,
        way.class_map,
        config.restrict,
        int(config.cache * (1 << 30)),
        retry=retry,
        repair=config.repair,
        names=way.names,
    )


def fitting(way: Way, target: SetToScore) -> Way:
    """The models that can be scored on a set.

    Published predictions have no model that could see images that were put through something.
    """
    if not target.steps:
        return way
    return replace(way, models=tuple(name for name in way.models if not is_published(name)))


def _items(study: Study, target: SetToScore) -> tuple[str, ...]:
    """The images' names: their files' in a set that was given, else their ids."""
    if target.role == "new":
        return tuple(member.image_id for member in target.members)
    given = ORIGINAL if target.role == "original" or target.steps else target.name
    with study.session() as session:
        names = set_names(session, given)
    return tuple(names[member] for member in target.members)


def _changed(images: StoredSet, target: SetToScore) -> Images:
    """The images as they are, or put through something else as they are read."""
    if not target.steps:
        return images
    label = target.name.removeprefix(f"{ORIGINAL}-")
    change = partial(prepare, steps=target.steps)
    return Changed(replace(images, name=ORIGINAL), label, target.steps, change)


def work_beside(
    study: Study, lifetime: float, say: Callable[[str, str, int, int], None]
) -> Iterator[tuple[Job, list[Outcome]]]:
    """Work on what a study has to score, beside others; nothing is written into its store.

    Sets that are not frozen are left to whoever answers for that.

    Args:
        study: The study; its folder and its images are those that all workers see.
        lifetime: Seconds without a sign after which a worker is taken for lost.
        say: Told what is done: the set, words, images done, images in all.

    Yields:
        One job after the other, and what came of each of its models.

    Raises:
        MissingError: There is nothing that workers can do.
    """
    zoo = zoo_of(study)
    if not zoo.others:
        raise MissingError(
            "The study has models of the scheme small: alone, which it trains and scores itself.",
            "Run: replicate score",
        )
    with study.session() as session:
        sets = sets_to_score(session, study)
    found = ways(study, expand_names(zoo.others, study.root))
    for target in sets.all:
        for way in (fitting(each, target) for each in found if target.frozen):
            job = job_of(study, target, way)
            yield job, run_job(job, True, lifetime, partial(say, target.name))
