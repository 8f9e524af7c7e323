"""Folders of published predictions: what is read of them before it is checked."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.analysis.scores import Scores
from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo.published_files import (
    SUFFIXES,
    kind_of,
    model_name,
    read_column,
    read_models,
    stem_of,
)
from replicate.zoo.published_names import clean
from replicate.zoo.published_values import Column

_NOT_MODELS = re.compile(
    r"(readme|license|labels?|targets?|classes|class_names|metadata|manifest|config|args|hparams|"
    r"params|requirements|index|log|metrics|ground_?truth|(?:image_?)?(?:ids|names|paths|files))\b.*",
    re.I,
)
_ANY_MODEL = re.compile(  # what a file is called if its folder names the model
    r"(test_?|val_?|eval_?)?(predictions?|predicted|preds?|outputs?|results?|logits|scores|probs?|"
    r"top_?[15]|test|val|eval|run_?\d*)",
    re.I,
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
        scores: Model → the scores of the labels' classes, where they are asked for.
        unordered: Whether files name items in different orders.
        highest: The highest class that there is; −1 where the labels alone tell.
    """

    name: str
    labels: Column
    numbers: npt.NDArray[np.int64]
    columns: dict[str, Column] = field(default_factory=dict)
    checked: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    right: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    scores: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    unordered: bool = False
    highest: int = -1

    @property
    def first(self) -> dict[str, npt.NDArray[np.int64]]:
        """Each checked model's first choices, to compare models with each other."""
        return {model: values[:, 0] for model, values in self.checked.items()}


def labelled_folder(name: str, path: Path, labels: Path | None, found: Published) -> Folder:
    """Read the folder of a set whose labels lie in a file.

    Args:
        name: The set's name.
        path: The folder, one file of many models, or a pattern such as ``all/*/v2.npy``.
        labels: The file of labels.
        found: Where to say what is left out.

    Raises:
        MissingError: A file is not there.
        UsageError: The labels cannot be used, or are not given.
    """
    if not path.exists() and "*" not in str(path):
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
    if column.values.dtype.kind == "f" or column.values.shape[1] != 1:
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
    told = len(found.warnings)
    files = model_files(path, labels, found.warnings) if path.is_dir() else []
    for model, file in _by_wildcard(path) if "*" in str(path) else files:
        try:
            folder.columns[model] = read_column(file)
        except ItemError as error:
            found.excluded.append(Excluded(model, name, error.reason, error.message))
    if not folder.columns and not any(item.set == name for item in found.excluded):
        raise MissingError(
            f"The folder of {name} holds no predictions: {path}.",
            "\n".join(found.warnings[told:])
            or f"Files of predictions end in {', '.join(SUFFIXES)}, one file a model.",
        )
    folder.unordered = len({c.items for c in folder.columns.values() if c.items is not None}) > 1
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

    def is_read(file: Path) -> bool:
        hidden = file.name.startswith((".", "_")) or _NOT_MODELS.fullmatch(stem_of(file))
        return not hidden and not (labels is not None and file.resolve() == labels.resolve())

    entries = sorted(path.iterdir())
    folders = [x for x in entries if x.is_dir() and not x.name.startswith((".", "_"))]
    inside = {folder: [file for file in sorted(folder.iterdir()) if is_read(file)]
              for folder in folders}  # fmt: skip
    for name, file in _inside(inside, told):
        files.setdefault(model_name(file) or clean(name), []).append(file)
    for entry in entries:
        if entry.is_dir():
            continue
        if not is_read(entry):
            continue
        if kind_of(entry) not in SUFFIXES:
            told.append(f"{entry} was not read: it is of none of {', '.join(SUFFIXES)}")
        else:
            files.setdefault(model_name(entry) or clean(stem_of(entry)), []).append(entry)
    chosen = []
    for model, paths in files.items():
        if len(paths) > 1:
            names = ", ".join(str(p.relative_to(path)) for p in paths)
            told.append(
                f"{model} has several files ({names}); {paths[0].relative_to(path)} is used"
            )
        chosen.append((model, paths[0]))
    return chosen


def _inside(folders: dict[Path, list[Path]], told: list[str]) -> list[tuple[str, Path]]:
    """The models of folders in a folder: folders that are models', or families of several.

    A file that is called as any model's would be (``predictions.npy``), or that is alone, belongs
    to the model that its folder names. Where folders hold several files of names of their own,
    every file is a model.
    """
    read = {f: [x for x in inside if kind_of(x) in SUFFIXES] for f, inside in folders.items()}
    general = {
        f: [x for x in files if _ANY_MODEL.fullmatch(stem_of(x))] for f, files in read.items()
    }
    found = [(folder.name, file) for folder, files in general.items() for file in files]
    own = {folder: files for folder, files in read.items() if files and not general[folder]}
    if all(len(files) == 1 for files in own.values()):
        return found + [(folder.name, files[0]) for folder, files in own.items()]
    stems = [clean(stem_of(file)) for files in own.values() for file in files]
    if len(set(stems)) < len(stems):
        first, files = next(iter(own.items()))
        names = ", ".join(file.name for file in files)
        told.append(
            f"each folder of {first.parent} holds several files ({names}); say which: "
            f"'{first.parent}/*/{files[0].name}'"
        )
        return found
    return found + [(stem_of(file), file) for files in own.values() for file in files]


def _by_wildcard(pattern: Path) -> list[tuple[str, Path]]:
    """The files that a pattern finds; a model is what the wildcards stand for."""
    parts = [re.escape(part).replace(r"\*", "([^/]*)") for part in pattern.parts if part != "/"]
    shape = re.compile("/?" + "/".join(parts))
    fixed = next(i for i, part in enumerate(pattern.parts) if "*" in part)
    root = Path(*pattern.parts[:fixed])
    files = sorted(root.glob("/".join(pattern.parts[fixed:])))
    named = [(shape.fullmatch(file.as_posix()), file) for file in files]
    return [(clean("_".join(found.groups())), file) for found, file in named if found]
