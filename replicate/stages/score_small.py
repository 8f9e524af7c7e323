"""Models of the scheme ``small:``, trained on the study's own train set and scored on every set.

Weights and predictions are files named by what they depend on; the store holds integer counts and
where the files are.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from replicate.base.digests import digest_value
from replicate.stages.common import Context, Tally
from replicate.stages.score_sets import ORIGINAL, SetsToScore, SetToScore, load_pixels
from replicate.store.tables import Model, Prediction
from replicate.study import Study
from replicate.zoo.classmaps import ClassMap, near_chance
from replicate.zoo.engine import PRECISION, PREPROCESSING
from replicate.zoo.names import FAMILIES, ModelSpec
from replicate.zoo.training import training_key
from replicate.zoo.work import (
    Job,
    Outcome,
    Scored,
    ScoringSet,
    TrainingSet,
    Unit,
    predictions_path,
    scoring_processes,
    weights_path,
)


@dataclass(frozen=True)
class _Plan:
    """What there is to do.

    Attributes:
        sets: All sets.
        train: The train set.
        classes: The class of each output.
        training: The digest of the training images and their classes.
        units: Models with something left to do.
        skipped: How many (model, set) are done, or failed before and are not tried again.
    """

    sets: tuple[SetToScore, ...]
    train: SetToScore
    classes: ClassMap
    training: str
    units: list[Unit]
    skipped: int


def score_small(
    context: Context, sets: SetsToScore, specs: Sequence[ModelSpec], tally: Tally
) -> None:
    """Train what is not trained, score what is not scored.

    Args:
        context: The stage's context.
        sets: All sets, and the train set.
        specs: The models.
        tally: Where to count.
    """
    if sets.train is None:
        raise ValueError("models of the scheme small: are trained on a train set")
    study = context.study
    with study.session() as session:
        plan = _plan(session, context, sets, sets.train, specs)
    tally.skipped += plan.skipped
    tally.details |= {"trained": 0, "training_images": len(plan.train.members)}
    if not plan.units:
        return
    job = _job(context, plan)
    processes = scoring_processes(len(plan.units))
    crew = context.world.scorers()
    context.progress("training and scoring", 0, len(plan.units))
    for done, (_, outcome) in enumerate(crew.over(job, plan.units, processes), 1):
        _store(study, plan, outcome)
        _count(tally, plan, outcome)
        context.progress(f"training and scoring: {outcome.spec.name}", done, len(plan.units))


def _plan(
    session: Session,
    context: Context,
    sets: SetsToScore,
    train: SetToScore,
    specs: Sequence[ModelSpec],
) -> _Plan:
    study = context.study
    classes = ClassMap(tuple(item.class_id for item in study.classes))
    labels = classes.labels((member.class_id for member in train.members), train.name)
    training = digest_value([train.content, labels.tolist()])
    models = {row.name: row for row in session.scalars(select(Model))}
    rows = session.scalars(
        select(Prediction).where(
            Prediction.preprocessing == PREPROCESSING, Prediction.precision == PRECISION
        )
    )
    scored = {(row.model, row.set_name, row.set_digest): row for row in rows}
    units = []
    for spec in specs:
        key = training_key(spec, training, len(classes.outputs), study.seed)
        todo = _todo(context, sets.sets, models.get(spec.name), scored, spec, key)
        if todo:
            units.append(Unit(spec, todo))
    # The slowest families first, so that no process is left alone with one at the end.
    units.sort(key=lambda unit: list(FAMILIES).index(unit.spec.family), reverse=True)
    skipped = len(specs) * len(sets.sets) - sum(len(unit.sets) for unit in units)
    return _Plan(sets.sets, train, classes, training, units, skipped)


def _todo(
    context: Context,
    sets: Iterable[SetToScore],
    model: Model | None,
    scored: dict[tuple[str, str, str], Prediction],
    spec: ModelSpec,
    key: str,
) -> tuple[str, ...]:
    """The sets that a model is still to be scored on."""
    study = context.study
    every = tuple(each.name for each in sets)
    if model is not None and model.status == "failed" and model.card.get("key") == key:
        return every if context.retries(model.reason) else ()
    weights = weights_path(study.models_dir, spec, key)
    if model is None or model.path != _below(study, weights) or not weights.exists():
        return every
    todo = []
    for each in sets:
        row = scored.get((spec.name, each.name, each.digest))
        path = predictions_path(study.predictions_dir, model.weights_digest or "", each.content)
        if row is None or row.path != _below(study, path):
            todo.append(each.name)
        elif row.status == "failed":
            todo += [each.name] if context.retries(row.reason) else []
        elif not path.exists():
            todo.append(each.name)
    return tuple(todo)


def _below(study: Study, path: Path) -> str:
    return path.relative_to(study.root).as_posix()


def _job(context: Context, plan: _Plan) -> Job:
    study, train = context.study, plan.train
    context.progress("reading images")
    wanted = {name for unit in plan.units for name in unit.sets}
    sets = tuple(
        ScoringSet(each.name, load_pixels(study, each), _labels(plan, each), each.content)
        for each in plan.sets
        if each.name in wanted
    )
    training = TrainingSet(load_pixels(study, train), _labels(plan, train), plan.training)
    return Job(
        training,
        sets,
        len(plan.classes.outputs),
        study.seed,
        study.models_dir,
        study.predictions_dir,
    )


def _labels(plan: _Plan, target: SetToScore) -> Any:
    labels = plan.classes.labels((member.class_id for member in target.members), target.name)
    return labels.astype(np.int64)


def _store(study: Study, plan: _Plan, outcome: Outcome) -> None:
    """One model's rows, in one transaction; its files are there already."""
    spec = outcome.spec
    with study.session() as session:
        if outcome.card is None or outcome.weights is None:
            key = training_key(spec, plan.training, len(plan.classes.outputs), study.seed)
            session.execute(delete(Prediction).where(Prediction.model == spec.name))
            session.merge(
                Model(
                    name=spec.name,
                    family=spec.family,
                    card={"key": key, "message": outcome.message},
                    weights_digest=None,
                    path=None,
                    status="failed",
                    reason=outcome.reason,
                )
            )
            return
        session.merge(
            Model(
                name=spec.name,
                family=spec.family,
                card=outcome.card.as_json(),
                weights_digest=outcome.card.weights_digest,
                path=_below(study, outcome.weights),
                status="ok",
                reason=None,
            )
        )
        session.flush()
        sets = {each.name: each for each in plan.sets}
        for scored in outcome.scored:
            target = sets[scored.set_name]
            session.merge(_row(study, spec, outcome.card.weights_digest, target, scored))


def _row(
    study: Study, spec: ModelSpec, weights: str, target: SetToScore, scored: Scored
) -> Prediction:
    path = predictions_path(study.predictions_dir, weights, target.content)
    return Prediction(
        model=spec.name,
        set_name=target.name,
        set_digest=target.digest,
        preprocessing=PREPROCESSING,
        precision=PRECISION,
        weights_digest=weights,
        n=scored.counts.n if scored.counts else None,
        correct=scored.counts.top1 if scored.counts else None,
        path=_below(study, path),
        predictions_digest=scored.digest,
        exploratory=not target.frozen,
        status="failed" if scored.reason else "ok",
        reason=scored.reason,
    )


def _count(tally: Tally, plan: _Plan, outcome: Outcome) -> None:
    if outcome.card is None:
        unit = next(unit for unit in plan.units if unit.spec == outcome.spec)
        tally.failed[outcome.reason or "failed"] += len(unit.sets)
        tally.notes.append(f"{outcome.spec.name} failed: {outcome.message}.")
        return
    tally.details["trained"] += outcome.trained
    tally.failed.update(Counter(scored.reason for scored in outcome.scored if scored.reason))
    for scored in outcome.scored:
        if scored.counts is None:
            continue
        tally.done += 1
        if scored.set_name == ORIGINAL:
            warning = near_chance(scored.counts.top1, scored.counts.n, len(plan.classes.outputs))
            tally.notes += [f"{outcome.spec.name} on the original: {warning}"] if warning else []
