"""Which predictions there are, and the right answers that they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.base.errors import ItemError, MissingError
from replicate.reporting.data import Exclusion, ModelInfo, ScoredSet, SetInfo
from replicate.stages.score_sets import SetToScore, models_to_score
from replicate.store.tables import Model, Prediction
from replicate.study import Study
from replicate.zoo.classmaps import ClassMap
from replicate.zoo.engine import PRECISION, PREPROCESSING
from replicate.zoo.predictions import read


@dataclass(frozen=True)
class Scores:
    """The predictions of the zoo that belong to the sets as they are now.

    Attributes:
        models: The models, by name.
        paths: By (model, set): the file of the predictions, below the study folder.
        digests: By (model, set): the digest of the predicted classes.
        exclusions: What is missing, and why.
        exploratory: The sets of which some predictions were made before they were frozen.
    """

    models: Mapping[str, ModelInfo]
    paths: Mapping[tuple[str, str], str]
    digests: Mapping[tuple[str, str], str]
    exclusions: tuple[Exclusion, ...]
    exploratory: tuple[str, ...]

    def on(self, set_name: str) -> list[str]:
        """The models that were scored on a set, in the zoo's order."""
        return [name for name in self.models if (name, set_name) in self.paths]


def score_rows(session: Session, study: Study, sets: Sequence[SetToScore]) -> Scores:
    """Look up the predictions of the pipeline's models on sets.

    Args:
        session: An open session.
        study: The study.
        sets: The sets as they are now; predictions on earlier revisions do not count.
    """
    rows = session.scalars(
        select(Prediction).where(
            Prediction.preprocessing == PREPROCESSING, Prediction.precision == PRECISION
        )
    )
    found = {(row.model, row.set_name, row.set_digest): row for row in rows}
    known = {row.name: row for row in session.scalars(select(Model))}
    models, paths, digests = {}, {}, {}
    exclusions: list[Exclusion] = []
    exploratory = set()
    for spec in models_to_score(study):
        model = known.get(spec.name)
        card = model.card if model is not None else {}
        models[spec.name] = ModelInfo(spec.name, spec.family, card.get("parameters"))
        for each in sets:
            row = found.get((spec.name, each.name, each.digest))
            if row is None or row.status != "ok" or row.path is None:
                reason = (row.reason if row else model.reason if model else None) or "not_scored"
                exclusions.append(Exclusion(spec.name, each.name, reason))
                continue
            paths[spec.name, each.name] = row.path
            digests[spec.name, each.name] = row.predictions_digest or ""
            if row.exploratory:
                exploratory.add(each.name)
    return Scores(models, paths, digests, tuple(exclusions), tuple(sorted(exploratory)))


def read_scores(
    study: Study, sets: Sequence[SetToScore], infos: Mapping[str, SetInfo], scores: Scores
) -> list[ScoredSet]:
    """The right answers of the models on each set that any model was scored on.

    Args:
        study: The study.
        sets: The sets, the original first.
        infos: What the report says of each, by name.
        scores: Which predictions there are.

    Raises:
        MissingError: A file of predictions is gone or damaged.
    """
    classes = ClassMap(tuple(item.class_id for item in study.classes))
    original = set(scores.on(sets[0].name))
    scored = []
    for each in sets:
        names = [name for name in scores.on(each.name) if name in original]
        if not names:
            continue
        class_ids = tuple(member.class_id for member in each.members)
        labels = classes.labels(class_ids, each.name)
        right = np.stack(
            [
                _top(study, scores.paths[name, each.name], each, len(labels)) == labels
                for name in names
            ],
            axis=1,
        )
        scored.append(ScoredSet(infos[each.name], tuple(names), right, class_ids))
    return scored


def _top(
    study: Study, path: str, each: SetToScore, n: int
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    hint = "Make them again: replicate score, then: replicate report"
    try:
        classes = read(study.root / path).classes
    except ItemError as error:
        raise MissingError(
            f"The predictions on {each.name} in {path} cannot be read: {error}.", hint
        ) from error
    if len(classes) != n:
        raise MissingError(
            f"The predictions on {each.name} in {path} are of {len(classes)} images, but the "
            f"set has {n}.",
            hint,
        )
    return classes[:, 0]
