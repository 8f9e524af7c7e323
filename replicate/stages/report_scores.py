"""Which predictions there are, and the right answers that they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.base.errors import ItemError, MissingError
from replicate.reporting.data import Exclusion, ModelInfo, ScoredSet, SetInfo
from replicate.reporting.provenance import ModelRow
from replicate.stages.score_sets import SetsToScore, SetToScore, zoo_of
from replicate.store.tables import Model, Prediction
from replicate.study import Study
from replicate.zoo.classmaps import ClassMap
from replicate.zoo.engine import PRECISION, PREPROCESSING
from replicate.zoo.names import SCHEME, is_wildcard
from replicate.zoo.predictions import read


@dataclass(frozen=True)
class Scores:
    """The predictions of the zoo that belong to the sets as they are now.

    Attributes:
        models: The models, by name.
        paths: By (model, set): the file of the predictions, below the study folder.
        digests: By (model, set): the digest of the predicted classes.
        rows: How each model that was scored anywhere was scored.
        exclusions: What is missing, and why.
        exploratory: The sets of which some predictions were made before they were frozen.
    """

    models: Mapping[str, ModelInfo]
    paths: Mapping[tuple[str, str], str]
    digests: Mapping[tuple[str, str], str]
    rows: tuple[ModelRow, ...]
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
    zoo = zoo_of(study)
    known = {row.name: row for row in session.scalars(select(Model))}
    others = _others_in(known, zoo.others)
    found = _current(session, study, known)
    models, paths, digests, shown = {}, {}, {}, {}
    exclusions: list[Exclusion] = []
    exploratory = set()
    families = {spec.name: spec.family for spec in zoo.small} | dict.fromkeys(others, "")
    for name, family in families.items():
        model = known.get(name)
        card = model.card if model is not None else {}
        known_as = family or (model.family if model is not None else name.partition(":")[0])
        models[name] = ModelInfo(name, known_as, card.get("parameters"))
        for each in sets:
            if each.steps and name.startswith("predictions:"):
                continue  # no model that could see other bytes
            row = found.get((name, each.name, each.digest))
            if row is None or row.status != "ok" or row.path is None:
                reason = (row.reason if row else model.reason if model else None) or "not_scored"
                exclusions.append(Exclusion(name, each.name, reason))
                continue
            paths[name, each.name] = row.path
            shown[name] = _row(name, card, row)
            digests[name, each.name] = row.predictions_digest or ""
            if row.exploratory:
                exploratory.add(each.name)
    return Scores(
        models,
        paths,
        digests,
        tuple(shown.values()),
        tuple(exclusions),
        tuple(sorted(exploratory)),
    )


def _row(name: str, card: Mapping[str, Any], row: Prediction) -> ModelRow:
    link = str(card.get("origin_url") or "")
    return ModelRow(
        name,
        row.preprocessing,
        row.precision,
        row.weights_digest or "",
        card.get("parameters"),
        str(card.get("license") or ""),
        link if link.startswith(("https://", "http://")) else "",
    )


def _others_in(known: Mapping[str, Model], patterns: Sequence[str]) -> list[str]:
    """The models of other schemes that the pipeline names: those that `score` entered.

    Packages that list their models need not be here; a full name is one whether or not it was
    ever scored.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        named = [name for name in known if fnmatchcase(name, pattern)]
        # A folder of published predictions stands for all models in it.
        named += [name for name in known if name.startswith(f"{pattern.rstrip('/')}/")]
        if not (is_wildcard(pattern) or named):
            named = [pattern]
        found.update(dict.fromkeys(named))
    return list(found)


def _current(
    session: Session, study: Study, known: Mapping[str, Model]
) -> dict[tuple[str, str, str], Prediction]:
    """By model, set and set's digest: what the models say now.

    In the pipeline's arithmetic, with each model's own preprocessing and weights: predictions made
    in another way are never compared with them.
    """
    ours = Prediction.model.startswith(f"{SCHEME}:")
    wanted = (Prediction.precision == PRECISION) & (Prediction.preprocessing == PREPROCESSING)
    rows = list(session.scalars(select(Prediction).where(ours, wanted)))
    if zoo_of(study).others:
        others = session.scalars(select(Prediction).where(~ours)).all()
        rows += [row for row in others if _is_current(study, known[row.model], row)]
    return {
        (row.model, row.set_name, row.set_digest): row
        for row in rows
        if row.status != "ok" or row.weights_digest == known[row.model].weights_digest
    }


def _is_current(study: Study, model: Model, row: Prediction) -> bool:
    """Whether a model of another scheme was scored as it and the pipeline say."""
    from replicate.stages.score_options import arithmetic, kept_as
    from replicate.zoo.scheme_predictions import is_published

    if row.precision != kept_as(arithmetic(study), row.model):
        return False
    own = row.preprocessing == model.card.get("preprocessing")
    return own or row.status != "ok" or is_published(row.model)


def read_scores(
    study: Study, sets: SetsToScore, infos: Mapping[str, SetInfo], scores: Scores
) -> tuple[list[ScoredSet], dict[str, ScoredSet]]:
    """The right answers of the models on each set that any model was scored on.

    Args:
        study: The study.
        sets: The sets, the original first.
        infos: What the report says of each, by name.
        scores: Which predictions there are.

    Returns:
        The sets, the original first; and by the name of a set, its part of the original, where
        that is what it is compared with.

    Raises:
        MissingError: A file of predictions is gone or damaged.
    """
    scored, parts = [], {}
    for each in sets.sets:
        reference = sets.original_of(each.name)
        shared = set(scores.on(reference.name))
        names = [name for name in scores.on(each.name) if name in shared]
        if not names:
            continue
        scored.append(_read_set(study, each, names, infos, scores))
        if reference is not sets.sets[0]:
            parts[each.name] = _read_set(study, reference, names, infos, scores)
    return scored, parts


def _read_set(
    study: Study,
    each: SetToScore,
    names: Sequence[str],
    infos: Mapping[str, SetInfo],
    scores: Scores,
) -> ScoredSet:
    classes = ClassMap(tuple(item.class_id for item in study.classes))
    class_ids = tuple(member.class_id for member in each.members)
    labels = classes.labels(class_ids, each.name)
    right = np.stack(
        [_top(study, scores.paths[name, each.name], each, len(labels)) == labels for name in names],
        axis=1,
    )
    return ScoredSet(infos[each.name], tuple(names), right, class_ids)


def _top(study: Study, path: str, each: SetToScore, n: int) -> npt.NDArray[np.integer[Any]]:
    """The best class of each image, as its place in the study's list; −1: no class of the study."""
    hint = "Make them again: replicate score, then: replicate report"
    try:
        best = _best_by_scheme(study, path) if path.endswith(".arrow") else _best(study, path)
    except ItemError as error:
        raise MissingError(
            f"The predictions on {each.name} in {path} cannot be read: {error}.", hint
        ) from error
    if len(best) != n:
        raise MissingError(
            f"The predictions on {each.name} in {path} are of {len(best)} images, but the "
            f"set has {n}.",
            hint,
        )
    return best


def _best(study: Study, path: str) -> npt.NDArray[np.integer[Any]]:
    return read(study.root / path).classes[:, 0]


def _best_by_scheme(study: Study, path: str) -> npt.NDArray[np.integer[Any]]:
    """From the numbers of a model's own classes to those of the study's."""
    from replicate.zoo.prediction_files import read as read_arrow

    found = read_arrow(study.root / path)
    place = {item.class_id: item.position for item in study.classes}
    table = np.array([place.get(name, -1) for name in found.header["classes"]], np.int64)
    best = found.scored.classes[:, 0]
    return np.where(best >= 0, table[best], -1)
