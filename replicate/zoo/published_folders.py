"""Folders of published predictions: what is read of them before it is checked."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.analysis.scores import Scores
from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo.published_files import SUFFIXES, Column, model_name, read_column, read_models
from replicate.zoo.published_names import clean

_NOT_MODELS = re.compile(
    r"(readme|license|labels?|classes|class_names|metadata|manifest)\b.*", re.I
)


@dataclass(frozen=True)
class Excluded:
    """A model that is left out of a set, and why.

    Attributes:
        model: The model.
        set: The set.
        reason: A short name of the fault.
        evidence: What shows it.
    """

    model: str
    set: str
    reason: str
    evidence: str


@dataclass
class Published:
    """Scores that were read, and what was left out or guessed on the way."""

    sets: list[Scores] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    repaired: list[Excluded] = field(default_factory=list)
    human: set[str] = field(default_factory=set)
    respelled: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class Folder:
    """One set on the way.

    Attributes:
        name: The set's name.
        labels: Its labels as they are written.
        numbers: The labels as numbers, shape (n,).
        columns: What each model's file says.
        checked: Model → class ids, shape (n, k), best first, once they have been checked.
        right: Model → what each item counts, once checked.
    """

    name: str
    labels: Column
    numbers: npt.NDArray[np.int64]
    columns: dict[str, Column] = field(default_factory=dict)
    checked: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    right: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    @property
    def first(self) -> dict[str, npt.NDArray[np.int64]]:
        """Each checked model's first choices, to compare models with each other."""
        return {model: values[:, 0] for model, values in self.checked.items()}


def labelled_folder(name: str, path: Path, labels: Path | None, found: Published) -> Folder:
    """Read the folder of a set whose labels lie in a file.

    Args:
        name: The set's name.
        path: The folder, or one file of many models.
        labels: The file of labels.
        found: Where to say what is left out.

    Raises:
        MissingError: A file is not there.
        UsageError: The labels cannot be used, or are not given.
    """
    if not path.exists():
        raise MissingError(f"The predictions of {name} are not at {path}.")
    if labels is None:
        raise UsageError(
            f"The labels of {name} are not given.",
            f"Add --labels-new {name}=FILE (or --labels-original FILE).",
        )
    if not labels.is_file():
        raise MissingError(f"The labels of {name} are not at {labels}.")
    try:
        column = read_column(labels, labels=True)
    except ItemError as error:
        raise UsageError(f"The labels of {name} cannot be used: {error.message}.") from error
    if (column.scored and column.values.dtype.kind != "b") or column.values.shape[1] != 1:
        raise UsageError(
            f"The labels of {name} must be one class id an item; {labels.name} has the shape "
            f"{column.values.shape} ({column.values.dtype})."
        )
    folder = Folder(name, column, np.zeros(0, np.int64))
    read_predictions(folder, path, labels, found)
    return folder


def read_predictions(folder: Folder, path: Path, labels: Path | None, found: Published) -> None:
    """Fill in what the models' files of a set say.

    Args:
        folder: The set.
        path: The folder, or one file of many models.
        labels: A file in it that is no model's.
        found: Where to say what is left out.

    Raises:
        MissingError: There are no predictions.
        UsageError: A file of many models cannot be used.
    """
    name = folder.name
    if path.is_file():
        try:
            folder.columns = {clean(m): c for m, c in read_models(path).items()}
        except ItemError as error:
            raise UsageError(
                f"The predictions of {name} cannot be used: {error.message}.",
                "Give a folder with one file a model, or one .npz, .json or .csv of all models.",
            ) from error
    for model, file in model_files(path, labels, found.warnings) if path.is_dir() else ():
        try:
            folder.columns[model] = read_column(file)
        except ItemError as error:
            found.excluded.append(Excluded(model, name, error.reason, error.message))
    if not folder.columns and not any(item.set == name for item in found.excluded):
        raise MissingError(
            f"The folder of {name} holds no predictions: {path}.",
            f"Files of predictions end in {', '.join(SUFFIXES)}, one file a model.",
        )
    found.warnings += [f"{name}: {note}" for c in folder.columns.values() for note in c.notes]


def model_files(
    path: Path, labels: Path | None = None, warnings: list[str] | None = None
) -> list[tuple[str, Path]]:
    """The models of a folder, each with its file.

    Args:
        path: The folder: one file a model, or one folder a model with one file.
        labels: A file in it that is no model's.
        warnings: Where to say what was not read.
    """
    told = [] if warnings is None else warnings
    files: dict[str, list[Path]] = {}
    for entry in sorted(path.iterdir()):
        inside = [entry]
        if entry.is_dir():
            inside = [f for f in sorted(entry.iterdir()) if f.suffix.lower() in SUFFIXES]
            if len(inside) != 1:
                continue
        file = inside[0]
        hidden = entry.name.startswith((".", "_")) or _NOT_MODELS.fullmatch(entry.stem)
        if hidden or (labels is not None and file.resolve() == labels.resolve()):
            continue
        if file.suffix.lower() not in SUFFIXES:
            told.append(f"{file} was not read: it is of none of {', '.join(SUFFIXES)}")
            continue
        stem = clean(entry.name if entry.is_dir() else entry.stem)
        files.setdefault(model_name(file) or stem, []).append(file)
    chosen = []
    for model, paths in files.items():
        if len(paths) > 1:
            names = ", ".join(p.name for p in paths)
            told.append(f"{model} has several files ({names}); {paths[0].name} is used")
        chosen.append((model, paths[0]))
    return chosen
