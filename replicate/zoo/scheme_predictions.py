"""``predictions:FOLDER/MODEL``: a model that exists only as published predictions.

The folder holds one folder a set, named as the set (``v2`` or ``v2_predictions``), with one file a
model in each; or, for a single set, the models' files themselves. ``predictions:FOLDER`` means all
of its models. Such a model has no weights and sees no image: what is known of it is what its files
say, once they have been checked (`replicate.zoo.published`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo.loaded import Description, LoadedModel
from replicate.zoo.published_files import SUFFIXES, read_column, read_models
from replicate.zoo.published_folders import model_files
from replicate.zoo.published_names import clean, match
from replicate.zoo.schemes import ModelOptions, nothing

SCHEME = "predictions"
_ORIGINAL = "original"


@dataclass(frozen=True)
class Source:
    """Where published predictions lie.

    Attributes:
        path: The folder, or one file of many models.
        written: The path as it was given.
        sets: Set → its models as they are spelled there; ``""``: of whatever set is scored.
        folders: Set → its folder, or file of many models.
        files: (set, model) → the model's file.
    """

    path: Path
    written: str
    sets: dict[str, tuple[str, ...]]
    folders: dict[str, Path]
    files: dict[tuple[str, str], Path]

    @property
    def models(self) -> tuple[str, ...]:
        """All models, by the names in use: those of the original, if it is there, come first."""
        order = sorted(self.sets, key=lambda name: (name != _ORIGINAL, name))
        used = list(self.sets[order[0]])
        for name in order[1:]:
            used += [new for new in self.spelled(name, used) if new not in used]
        return tuple(sorted(used))

    def spelled(self, set_name: str, used: Sequence[str] | None = None) -> dict[str, str]:
        """Name in use → the name as a set's folder spells it."""
        names = match(self.models if used is None else used, self.sets[set_name]).names
        return {new: old for old, new in names.items()}

    def set_of(self, name: str) -> str:
        """The folder of a set.

        Raises:
            ItemError: With reason ``no_predictions``: there is none.
        """
        if name in self.sets:
            return name
        if "" in self.sets:
            return ""
        raise ItemError(
            "no_predictions",
            f"{self.written} has no folder for the set {name} (it has: {', '.join(self.sets)}); "
            "name the folder as the set, or the set as the folder (--name)",
        )


def is_published(name: str) -> bool:
    """Whether a name is one of this scheme.

    >>> is_published("predictions:published/vgg16"), is_published("timm:vgg16")
    (True, False)
    """
    return name.partition(":")[0] == SCHEME


def parse(rest: str, root: Path) -> tuple[Source, str]:
    """The source that a name means, and the model or wildcard in it; ``*`` for all.

    Raises:
        MissingError: There is nothing at that path.
        UsageError: It holds no predictions.
    """
    whole = Path(rest)
    for written in (whole, *whole.parents):
        path = root / written
        if written != Path() and path.exists():
            inside = rest[len(str(written)) :].strip("/") if written != whole else "*"
            return _source(path, str(written), _stamp(path)), inside
    raise MissingError(
        f"There is no folder of predictions at {root / whole}.",
        "Write predictions:FOLDER or predictions:FOLDER/MODEL; the folder holds one folder a set, "
        "with one file a model.",
    )


def _stamp(path: Path) -> int:
    """What changes when files come or go, so that a folder is listed once."""
    inside = [path, *(entry for entry in path.iterdir() if entry.is_dir())] if path.is_dir() else []
    return hash(tuple(entry.stat().st_mtime_ns for entry in (inside or [path])))


@lru_cache(maxsize=8)
def _source(path: Path, written: str, _stamp: int) -> Source:
    if path.is_file():
        try:
            names = {clean(name): path for name in read_models(path)}
        except ItemError as error:
            raise UsageError(f"{written} cannot be used: {error.message}.") from error
        files = {("", name): path for name in names}
        return Source(path, written, {"": tuple(names)}, {"": path}, files)
    folders = {clean(entry.name): entry for entry in sorted(path.iterdir()) if entry.is_dir()}
    found = {name: dict(model_files(folder)) for name, folder in folders.items()}
    # Folders of one file each are models', as in FOLDER/MODEL/predictions.npy, not sets'.
    if _ORIGINAL not in folders and not any(len(models) > 1 for models in found.values()):
        folders, found = {"": path}, {"": dict(model_files(path))}
    found = {name: models for name, models in found.items() if models}
    if not found:
        raise UsageError(
            f"{written} holds no predictions.",
            f"Files of predictions end in {', '.join(SUFFIXES)}, one file a model.",
        )
    files = {(s, model): file for s, models in found.items() for model, file in models.items()}
    return Source(path, written, {s: tuple(m) for s, m in found.items()}, folders, files)


def published_names(rest: str, root: Path) -> list[str]:
    """The full names that a folder, a model of it or a wildcard mean.

    Raises:
        MissingError: There is nothing at that path.
        UsageError: It holds no predictions, or none that are so called.
    """
    source, inside = parse(rest, root)
    models = source.models
    chosen = [name for name in models if inside in (name, "*") or fnmatchcase(name, inside)]
    if not chosen:
        known = [f"{source.written}/{name}" for name in models]
        raise nothing(f"{SCHEME}:{rest}", SCHEME, rest, known)
    return [f"{SCHEME}:{source.written}/{name}" for name in chosen]


@dataclass(frozen=True)
class SetFile:
    """What a model's file of one set holds.

    Attributes:
        path: The file.
        n: Items; 0 if it cannot be read.
        columns: Class ids an item; 0 where it says what is right alone.
        problem: Why it cannot be read; None if it can.
    """

    path: Path
    n: int = 0
    columns: int = 0
    problem: str | None = None


def files_of(name: str, root: Path) -> dict[str, SetFile]:
    """The files of a model by set, read but not checked: that takes labels.

    Args:
        name: A full name of this scheme.
        root: What its folder is relative to.
    """
    source, model = parse(name.partition(":")[2], root)
    found = {}
    for set_name in source.sets:
        spelled = source.spelled(set_name).get(model)
        if spelled is None:
            continue
        file = source.files[set_name, spelled]
        try:
            if file == source.path:
                column = {clean(n): c for n, c in read_models(file).items()}[spelled]
            else:
                column = read_column(file)
        except ItemError as error:
            found[set_name] = SetFile(file, problem=error.message)
            continue
        n, columns = column.values.shape
        found[set_name] = SetFile(file, n, 0 if column.scored else columns)
    return found


class PredictionsScheme:
    """Models that cannot be loaded: the engine takes their predictions as they are."""

    def names(self) -> Sequence[str]:
        """None: folders are listed by `published_names`."""
        return ()

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """Never: there is no model to describe."""
        raise self._refusal(rest)

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """Never: there is no model to load."""
        raise self._refusal(rest)

    def _refusal(self, rest: str) -> ItemError:
        return ItemError(
            "predictions_only",
            f"{SCHEME}:{rest} exists only as predictions: it can be scored, but not run",
        )


scheme = PredictionsScheme()
