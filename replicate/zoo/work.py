"""One unit of work: a model, trained if it must be, and scored on the sets that are missing.

A unit reads arrays and writes files that are whole or not there, named by what they depend on; so
units may run in any process and any order, be killed and be repeated, and the files are the same.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError, UsageError
from replicate.base.resources import usable_cores
from replicate.zoo.cards import ModelCard, card_of
from replicate.zoo.engine import PRECISION, PREPROCESSING, score
from replicate.zoo.names import ModelSpec
from replicate.zoo.predictions import Counts, PredictionKey, count, find, path_of, save
from replicate.zoo.processes import Crew
from replicate.zoo.training import train, training_key
from replicate.zoo.weights import load_weights, save_weights

_MOST_PROCESSES = 8
# A process takes seconds to load torch; fewer models than this are not worth one.
_MODELS_A_PROCESS = 6


@dataclass(frozen=True)
class TrainingSet:
    """What the models are trained on.

    Args:
        images: uint8 (n, height, width).
        labels: int (n,): each image's output.
        digest: The digest of both.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[Any]
    digest: str


@dataclass(frozen=True)
class ScoringSet:
    """What the models are scored on.

    Args:
        name: Its name.
        images: uint8 (n, height, width).
        labels: int (n,): each image's right output.
        digest: The digest of the ordered images' bytes.
    """

    name: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[Any]
    digest: str


@dataclass(frozen=True)
class Job:
    """What all units share.

    Args:
        training: The training images.
        sets: Every set.
        n_classes: How many outputs a model has.
        seed: The study's seed.
        models: The folder of weights.
        predictions: The folder of predictions.
    """

    training: TrainingSet
    sets: tuple[ScoringSet, ...]
    n_classes: int
    seed: int
    models: Path
    predictions: Path


@dataclass(frozen=True)
class Unit:
    """A model and the names of the sets that it is to be scored on."""

    spec: ModelSpec
    sets: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """A model's predictions on one set, or why there are none (then the rest is empty)."""

    set_name: str
    path: Path | None = None
    counts: Counts | None = None
    digest: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a unit: a card and the scores, or why the model failed.

    Args:
        spec: The model.
        card: Its card; None if it failed.
        weights: The file of its weights; None if it failed.
        trained: Whether it was trained now.
        scored: One a set of the unit; empty if it failed.
        reason: Why it failed, a short word.
        message: The same for people.
    """

    spec: ModelSpec
    card: ModelCard | None = None
    weights: Path | None = None
    trained: bool = False
    scored: tuple[Scored, ...] = ()
    reason: str | None = None
    message: str = ""


def weights_path(folder: Path, spec: ModelSpec, key: str) -> Path:
    """Where a model's weights are kept, or would be.

    Args:
        folder: The folder of weights.
        spec: The model.
        key: Its :func:`~replicate.zoo.training.training_key`.
    """
    return folder / f"{spec.name.replace(':', '-')}.{key[:16]}.npz"


def predictions_path(folder: Path, weights_digest: str, set_digest: str) -> Path:
    """Where the predictions of weights on a set are kept, or would be."""
    return path_of(folder, _key(weights_digest, set_digest))


def _key(weights_digest: str, set_digest: str) -> PredictionKey:
    return PredictionKey(weights_digest, PREPROCESSING, PRECISION, set_digest)


def run_unit(job: Job, unit: Unit) -> Outcome:
    """Train a model unless its weights are there, and score it on the unit's sets.

    What fails is in the outcome, with its reason; only what concerns every model is raised.
    """
    spec = unit.spec
    key = training_key(spec, job.training.digest, job.n_classes, job.seed)
    path = weights_path(job.models, spec, key)
    try:
        weights, trained = _weights(job, spec, path)
    except ItemError as error:
        return Outcome(spec, reason=error.reason, message=str(error))
    except (RuntimeError, MemoryError, ArithmeticError, ValueError) as error:
        return Outcome(spec, reason="training_failed", message=f"{type(error).__name__}: {error}")
    card = card_of(spec, weights, job.training.digest, len(job.training.images), job.seed)
    sets = {each.name: each for each in job.sets}
    scored = tuple(_score(job, spec, weights, card, sets[name]) for name in unit.sets)
    return Outcome(spec, card, path, trained, scored)


def _weights(job: Job, spec: ModelSpec, path: Path) -> tuple[dict[str, npt.NDArray[Any]], bool]:
    try:
        return load_weights(path), False
    except ItemError:  # Not there, or damaged: training again gives the same.
        training = job.training
        weights = train(spec, training.images, training.labels, job.n_classes, job.seed)
        save_weights(path, weights)
        return weights, True


def _score(
    job: Job,
    spec: ModelSpec,
    weights: dict[str, npt.NDArray[Any]],
    card: ModelCard,
    target: ScoringSet,
) -> Scored:
    key = _key(card.weights_digest, target.digest)
    found = find(job.predictions, key)
    try:
        if found is None or len(found.classes) != len(target.images):
            found = score(spec, weights, target.images)
            save(job.predictions, key, found, spec.name)
        counts = count(found, target.labels)
    except ItemError as error:
        return Scored(target.name, reason=error.reason)
    except UsageError as error:
        return Scored(target.name, reason=f"image_size: {error}")
    except (RuntimeError, MemoryError) as error:
        return Scored(target.name, reason=f"scoring_failed: {type(error).__name__}: {error}")
    return Scored(target.name, path_of(job.predictions, key), counts, found.digest)


def scoring_crew() -> Crew[Job, Unit, Outcome]:
    """Processes that run units, none launched yet."""
    return Crew(run_unit, imports=("replicate.zoo.models",))


def scoring_processes(models: int) -> int:
    """How many processes so many models are worth; below 2 none but this one."""
    return min(usable_cores(), _MOST_PROCESSES, models // _MODELS_A_PROCESS)
