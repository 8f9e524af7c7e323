"""Published predictions as prediction files of a set: checked, then kept like scored ones."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from replicate import __version__
from replicate.base.digests import digest_value, sha256_file
from replicate.base.errors import ItemError, ReplicateError
from replicate.zoo.image_classes import imagenet_wnids
from replicate.zoo.prediction_files import Key, Scored, path_of, write
from replicate.zoo.published import check_folder
from replicate.zoo.published_folders import Folder, Published
from replicate.zoo.published_values import Column
from replicate.zoo.scheme_predictions import Source, parse
from replicate.zoo.schemes import split
from replicate.zoo.scoring import TOP
from replicate.zoo.scoring_job import Job, Outcome
from replicate.zoo.scoring_memory import Memory

if TYPE_CHECKING:
    import numpy.typing as npt

WAY = "published"  # what stands for preprocessing and precision, which are not known


@dataclass(frozen=True)
class _Planned:
    """A model of a folder whose prediction file is not there yet."""

    name: str
    spelled: str
    weights: str
    unit: str


def score_published(job: Job, names: Sequence[str]) -> list[Outcome]:
    """Take over published predictions of a job's set, those that are not there yet.

    Models of one folder are read and checked together, for some faults show only beside others.

    Args:
        job: The job; its class map says what class numbers mean.
        names: Full names of the scheme ``predictions:``.

    Returns:
        One a name; what was guessed or repaired is in their notes.
    """
    outcomes: dict[str, Outcome] = {}
    todo: dict[Path, tuple[Source, str, list[_Planned]]] = {}
    memory = Memory(job.work / "models", job.folder, job.way, len(job.images.items))
    for name in names:
        try:
            source, model = parse(split(name)[1], job.options.root)
            set_name = source.set_of(job.images.name)
            planned = _planned(job, name, source, set_name, model, memory)
        except ReplicateError as error:
            outcomes[name] = Outcome(name, None, *memory.fail(None, error))
            continue
        if (path := memory.finished(planned.unit)) is not None:
            outcomes[name] = Outcome(name, path)
        else:
            where = source.folders[set_name]
            todo.setdefault(where, (source, set_name, []))[2].append(planned)
    for source, set_name, models in todo.values():
        outcomes |= {outcome.model: outcome for outcome in _taken(job, source, set_name, models)}
    return [outcomes[name] for name in names]


def _planned(
    job: Job, name: str, source: Source, set_name: str, model: str, memory: Memory
) -> _Planned:
    spelled = source.spelled(set_name).get(model)
    if spelled is None:
        where = source.folders[set_name]
        raise ItemError("no_predictions", f"{where} has no predictions of {model}")
    file = source.files[set_name, spelled]
    weights = sha256_file(file)
    if file == source.path:  # a file of many models
        weights = digest_value([weights, spelled])
    return _Planned(name, spelled, weights, memory.unit(name, f"{weights} {sorted(job.repair)}"))


def _taken(job: Job, source: Source, set_name: str, models: list[_Planned]) -> list[Outcome]:
    classes = _class_order(job)
    if classes is None:
        why = "predictions are checked against labels, and this set has none"
        return [Outcome(each.name, None, "no_labels", why) for each in models]
    where = source.folders[set_name]
    try:
        folder, classes, found = _checked(job, where, classes)
    except ReplicateError as error:
        return [Outcome(each.name, None, "bad_predictions", error.whole) for each in models]
    left_out = {item.model: item for item in found.excluded}
    outcomes = []
    for each in models:
        values, notes = folder.checked.get(each.spelled), _notes(each, found)
        if each.spelled in left_out:
            item = left_out[each.spelled]
            hint = {"worst_first": " (--repair columns)", "off_by_one": " (--repair offset)"}
            text = f"{item.evidence}{hint.get(item.reason, '')}"
            outcomes.append(Outcome(each.name, None, item.reason, text, notes=notes))
        elif values is None:
            text = "its file says what is right, not which class is predicted"
            outcomes.append(Outcome(each.name, None, "no_classes", text))
        else:
            try:
                if job.restrict:
                    values = _restricted(values, classes, set(job.images.classes or ()))
            except ItemError as error:
                outcomes.append(Outcome(each.name, None, error.reason, error.message, notes=notes))
                continue
            path = _kept(job, source, each, values, classes, found)
            outcomes.append(Outcome(each.name, path, done=len(values), notes=notes))
    if outcomes and found.warnings:
        notes = (*found.warnings, *outcomes[0].notes)
        outcomes[0] = replace(outcomes[0], notes=notes)
    return outcomes


def _restricted(
    values: "npt.NDArray[np.int64]", classes: list[str], own: set[str]
) -> "npt.NDArray[np.int64]":
    """Predictions with those of the set's own classes first, as if no others competed.

    Raises:
        ItemError: With reason ``class_map``: an image has none among its predictions.
    """
    inside = np.array([name in own for name in classes])[values]
    lost = int((~inside.any(axis=1)).sum())
    if lost:
        raise ItemError(
            "class_map",
            f"{lost} of {len(values)} images have no class of the set among their "
            f"{values.shape[1]} predictions, so they cannot be restricted to these",
        )
    order = np.argsort(~inside, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1)


def _notes(each: _Planned, found: Published) -> tuple[str, ...]:
    notes = [
        f"{each.name} was repaired ({item.reason}): {item.evidence}"
        for item in found.repaired
        if item.model == each.spelled
    ]
    if not each.name.endswith(f"/{each.spelled}"):
        notes.append(f"{each.name}: its predictions here are called {each.spelled}")
    return tuple(notes)


def _class_order(job: Job) -> list[str] | None:
    """What class numbers mean: ids that are numbers themselves, ImageNet's, or sorted ids."""
    known = job.images.classes
    if known is None:
        return None
    if job.class_map:
        return sorted(set(job.class_map.values()) | set(known))
    if all(name.isdecimal() for name in known):
        numbers = {int(name): name for name in known}
        return [numbers.get(at, str(at)) for at in range(max(numbers) + 1)]
    if set(known) <= set(imagenet_wnids()):
        return list(imagenet_wnids())
    return sorted(known)


def _checked(job: Job, where: Path, classes: list[str]) -> tuple[Folder, list[str], Published]:
    """The checked predictions of a folder, and the classes that their numbers mean."""
    images, mapping = job.images, job.class_map
    ids = np.array(images.class_ids)
    codes = {name: at for at, name in enumerate(classes)}

    def translate(column: Column) -> Column:
        if column.scored:
            return column
        values = column.values
        if mapping:
            words = values.astype(str)
            values = np.array([mapping.get(str(x), "") for x in words.flat]).reshape(words.shape)
        if values.dtype.kind == "U":
            for name in np.unique(values).tolist():
                codes.setdefault(str(name), len(codes))
            folder.highest = len(codes) - 1
        return replace(column, values=values)

    labels = Column(ids[:, None], images.items)
    numbers = np.array([codes[name] for name in ids], np.int64)
    folder = Folder(images.name, labels, numbers, highest=len(codes) - 1)
    found = check_folder(folder, where, codes, translate, job.repair)
    most = max((int(values.max()) for values in folder.checked.values()), default=0)
    names = list(codes)
    return folder, names + [str(at) for at in range(len(names), most + 1)], found


def _kept(
    job: Job,
    source: Source,
    each: _Planned,
    values: "npt.NDArray[np.int64]",
    classes: list[str],
    found: Published,
) -> Path:
    images = job.images
    repaired = sorted({item.reason for item in found.repaired if item.model == each.spelled})
    way = "+".join([WAY, *(f"repaired-{reason}" for reason in repaired)])
    outputs = f"published:{digest_value(classes)[:12]}" + "+restricted" * job.restrict
    key = Key(each.weights, way, WAY, outputs, images.digest)
    best = values[:, :TOP].astype(np.int32)
    unknown = np.full(best.shape, np.nan, np.float32)  # scores were not published
    scored = Scored(best, unknown, unknown[:, 0])
    place = {name: at for at, name in enumerate(classes)}
    labels = np.array([place[name] for name in images.class_ids or ()], np.int32)
    header: dict[str, Any] = {
        "model": each.name,
        "family": WAY,
        "set": images.name,
        "n": len(images.items),
        "key": key.digest,
        "depends_on": asdict(key),
        "classes": classes,
        "failed_images": {},
        "parameters": None,
        "card": {"source": source.written, "spelled": each.spelled, "columns": values.shape[1]},
        "versions": {"replicate": __version__},
    }
    path = path_of(job.folder, each.name, key)
    write(path, header, images.items, labels, scored)
    memory = Memory(job.work / "models", job.folder, job.way, len(images.items))
    memory.remember(each.unit, path, key)
    return path
