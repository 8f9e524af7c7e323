"""The features of a study's images, for near-duplicates that hashes cannot see.

They are made here by a model of the zoo, or read from files that somebody made of the same images
elsewhere. What a model made is kept below the study folder, so that only new images are run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from replicate.base.digests import digest_value
from replicate.base.errors import UsageError
from replicate.duplicates.cuts import LOW_STRUCTURE, FeatureCuts
from replicate.duplicates.embedding import embedded, measured_cuts
from replicate.duplicates.evidence import Looks
from replicate.duplicates.neighbours import Embedded
from replicate.duplicates.sides import Side
from replicate.stages.common import Context
from replicate.stages.kept_features import features_folder, kept_features
from replicate.store.tables import Candidate, SetImage
from replicate.study import Study

Rows = npt.NDArray[np.float32]

_SHARD = 2000  # images whose features are one file: what a run that is cut off loses at most


@dataclass(frozen=True)
class Features:
    """The features of both sides, and where they are cut.

    Attributes:
        references: Of the reference sets' images.
        candidates: Of the candidates.
        cuts: Where cosines are cut.
    """

    references: Embedded
    candidates: Embedded
    cuts: FeatureCuts


def study_features(
    context: Context, references: Side, candidates: Side, prepared: Mapping[str, str], looks: Looks
) -> Features | None:
    """What `[dedup] features` names; None if it names nothing.

    Args:
        context: The stage's context.
        references: The reference sets' images, by image id.
        candidates: The candidates, by image id.
        prepared: Image id to the digest of the prepared bytes.
        looks: Gives prepared images by image id.

    Raises:
        UsageError: A file's rows are named as none of the images, or as several.
        MissingError: The model's package, its weights or a file are not here.
    """
    study, config = context.study, context.study.pipeline.dedup
    if not config.features:
        return None
    sides = [side for side in (references, candidates) if len(side)]
    if config.features_model is not None:
        ids = [image for side in sides for image in side.hashes.paths]
        names, values = _made(context, config.features_model, ids, prepared)
    else:
        names, values = _read(study, config.features)
    first, second = (
        embedded(side, names, values) if len(side) else Embedded(values, np.zeros(0, np.int64))
        for side in (references, candidates)
    )
    if config.features_sure is not None and config.features_unsure is not None:
        cuts = FeatureCuts(config.features_sure, config.features_unsure)
    else:
        side, rows = (references, first) if len(references) > 1 else (candidates, second)

        def poor(place: int) -> bool:
            one = looks.get(side.hashes.paths[place])
            return one is not None and one.structure < LOW_STRUCTURE

        cuts = measured_cuts(side, rows, config.radius, study.seed, poor)
    return Features(first, second, cuts)


def _read(study: Study, files: Iterable[str]) -> tuple[list[str], Rows]:
    """Rows of files, named by image ids; rows of other images are left out."""
    from replicate.zoo.feature_files import read_features

    ids = _ids(study)
    names: list[str] = []
    parts: list[Rows] = []
    for file in files:
        found = read_features(study.root / file)
        if found.names is None:
            raise UsageError(
                f"{file} does not name its rows.",
                "Give a file with a column of names, such as replicate features writes.",
            )
        known = [(place, name) for place, name in enumerate(found.names) if name in ids]
        twice = sorted(name for _, name in known if len(ids[name]) > 1)
        if twice:
            raise UsageError(
                f"{twice[0]!r} in {file} is the name of several images.",
                "Name the rows of such images by their ids, the SHA-256 of their files.",
            )
        names += [next(iter(ids[name])) for _, name in known]
        parts.append(found.values[[place for place, _ in known]])
    if len({part.shape[1] for part in parts}) > 1:
        raise UsageError(
            f"The files {', '.join(files)} hold features of different widths.",
            "Make them with one model: replicate features --models NAME --data FOLDER",
        )
    return names, np.concatenate(parts)


def _ids(study: Study) -> dict[str, set[str]]:
    """What images may be called: their ids, their names in their sets, and at their sources."""
    called: dict[str, set[str]] = {}
    with study.session() as session:
        rows = [
            *session.execute(select(SetImage.name, SetImage.image_id)).tuples(),
            *session.execute(select(Candidate.source_id, Candidate.image_id)).tuples(),
        ]
    for name, image in rows:
        if image is not None:
            called.setdefault(name, set()).add(image)
            called.setdefault(image, set()).add(image)
    return called


def _made(
    context: Context, model_name: str, ids: Sequence[str], prepared: Mapping[str, str]
) -> tuple[list[str], Rows]:
    """Features by a model of the zoo, of images that have none yet, and all that are kept."""
    from replicate.zoo.features import make_features
    from replicate.zoo.image_sets import StoredSet
    from replicate.zoo.schemes import ModelOptions, open_model

    study = context.study
    score = study.pipeline.score
    options = ModelOptions(score.download, score.allow_pickle, root=study.root)
    model = open_model(model_name, options)
    way = digest_value([model.weights_digest, model.description.preprocessing])[:16]
    folder = features_folder(study) / way
    known = kept_features(folder)
    wanted = sorted({prepared[image] for image in ids} - known.keys())
    for start in range(0, len(wanted), _SHARD):
        context.progress("features of images", start, len(wanted))
        some = tuple(wanted[start : start + _SHARD])
        images = StoredSet("images", some, ("",) * len(some), (), some, study.prepared)
        make_features(model, images, folder)
    known = kept_features(folder)
    files = sorted({path for path, _ in known.values()})
    values = _values(files)
    first_row = dict(zip(files, np.cumsum([0, *map(len, values)]).tolist(), strict=False))
    places = {digest: first_row[path] + row for digest, (path, row) in known.items()}
    unique = list(dict.fromkeys(ids))
    every = np.concatenate(values)
    return unique, every[[places[prepared[image]] for image in unique]]


def _values(files: Sequence[Path]) -> list[Rows]:
    from replicate.zoo.feature_files import read_features

    return [read_features(path).values for path in files]
