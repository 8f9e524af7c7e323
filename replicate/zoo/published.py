"""Folders of published predictions as scores: read, matched by name, checked, never guessed.

What cannot be trusted is left out, with the evidence; what was guessed is said.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.analysis.measures import Metric, macro_auc, macro_f1, measured
from replicate.analysis.scores import Scores, from_items
from replicate.base.errors import ItemError, UsageError
from replicate.zoo import published_checks as checks
from replicate.zoo.published_checks import Problem
from replicate.zoo.published_classes import class_codes, predicted_column, scores_by_class
from replicate.zoo.published_folders import (
    Excluded,
    Folder,
    Published,
    labelled_folder,
    read_predictions,
)
from replicate.zoo.published_names import match, nearest
from replicate.zoo.published_values import Column

REPAIRS = ("columns", "offset")


def read_published(
    folders: Sequence[tuple[str, Path]],
    labels: Mapping[str, Path],
    *,
    renames: Mapping[str, str] | None = None,
    repair: Collection[str] = (),
    top: int = 1,
    metric: Metric = "accuracy",
    lower_is_better: bool = False,
    classes: Sequence[str] | None = None,
) -> Published:
    """Read folders of predictions, the original's first.

    Args:
        folders: Each set's name and folder.
        labels: Each set's file of labels, by name.
        renames: A model's name in some folder → the name in use.
        repair: Which faults to mend instead of leaving the model out (``REPAIRS``).
        top: An item counts as right if its label is among the first ``top`` predictions.
        metric: What a model's score is.
        lower_is_better: Whether per-item values are errors; they become 1 − value.
        classes: The classes in the order of their numbers, where files name or number them.

    Raises:
        UsageError: A folder or a file of labels cannot be used at all.
    """
    found = Published()
    renames = renames or {}
    read = [labelled_folder(name, path, labels.get(name), found) for name, path in folders]
    original = read[0]
    original.columns = {renames.get(m, m): c for m, c in original.columns.items()}
    for other in read[1:]:
        _match(original, other, renames, found)
    codes = class_codes(read, classes)
    numbers = classes is not None
    for folder in read:
        for model in list(folder.columns):
            _check(folder, model, codes, set(repair), top, found, numbers, metric == "auc")
    if lower_is_better:
        _turn_errors(read)
    if metric == "auc":
        _score_classes(read, codes, found, numbers)
    _say_whole_sets(read, found)
    _check_together(read, found)
    for folder in read:
        text = folder.labels.values.dtype.kind == "U"
        written = folder.labels.values[:, 0] if text else folder.numbers
        found.sets.append(_as_scores(folder, written, metric, found))
    return found


def _as_scores(
    folder: Folder, labels: npt.NDArray[Any], metric: Metric, found: Published
) -> Scores:
    """A set's scores, once everything has been checked."""
    if metric == "auc":
        areas = {m: macro_auc(scores, folder.numbers) for m, scores in folder.scores.items()}
        right = folder.right if set(areas) <= set(folder.right) else {}
        return measured(folder.name, areas, labels, right)
    if metric == "macro-f1":
        _leave_out(folder, found, "no_classes", "it says what is right, not which class",
                   [model for model in folder.right if model not in folder.checked])  # fmt: skip
        values = {m: macro_f1(folder.first[m], folder.numbers) for m in folder.right}
        return measured(folder.name, values, labels, folder.right)
    models = tuple(sorted(folder.right))
    items = np.zeros((len(labels), 0), dtype=np.bool_)
    if models:
        items = np.stack([folder.right[model] for model in models], axis=1)
    return from_items(folder.name, models, items, labels)


def _leave_out(
    folder: Folder, found: Published, reason: str, text: str, models: Sequence[str]
) -> None:
    for model in models:
        found.excluded.append(Excluded(model, folder.name, reason, text))
        for known in (folder.right, folder.checked, folder.scores):
            known.pop(model, None)


def _turn_errors(read: Sequence[Folder]) -> None:
    """Per-item errors as per-item scores, in which higher is better."""
    for folder in read:
        for model in set(folder.right) - set(folder.checked):
            values = folder.right[model]
            folder.right[model] = ~values if values.dtype.kind == "b" else 1 - values


def _score_classes(
    read: Sequence[Folder], codes: Mapping[str, int] | None, found: Published, numbers: bool
) -> None:
    """Fill in the scores of classes; who has none cannot be compared."""
    for folder in read:
        gone = {item.model for item in found.excluded if item.set == folder.name}
        for model in sorted(set(folder.columns) - gone):
            try:
                column = predicted_column(folder, model, codes, numbers)
                folder.scores[model] = scores_by_class(column, folder.numbers, codes)
            except ItemError as error:
                _leave_out(folder, found, error.reason, error.message, [model])


def check_folder(
    folder: Folder,
    path: Path,
    codes: Mapping[str, int],
    translate: Callable[[Column], Column],
    repair: Collection[str] = (),
) -> Published:
    """Read and check one set's predictions against labels that are known already.

    Args:
        folder: The set with its labels, as text and as numbers; what passes every check ends in
            ``folder.checked`` and ``folder.right``.
        path: The folder of predictions, or one file of many models.
        codes: Class id → number; numbers in the files are these.
        translate: What every model's values go through before they are checked.
        repair: Which faults to mend instead of leaving the model out (``REPAIRS``).

    Returns:
        What was left out, repaired or guessed.

    Raises:
        MissingError: There are no predictions.
        UsageError: A file of many models cannot be used.
    """
    found = Published()
    read_predictions(folder, path, None, found)
    folder.columns = {model: translate(column) for model, column in folder.columns.items()}
    for model in list(folder.columns):
        _check(folder, model, codes, repair, 1, found, numbers=True)
    _say_whole_sets([folder], found)
    _check_together([folder], found)
    folder.checked = {m: values for m, values in folder.checked.items() if m in folder.right}
    return found


def _match(original: Folder, other: Folder, renames: Mapping[str, str], found: Published) -> None:
    known = [item.model for item in found.excluded if item.set == original.name]
    ours = [*original.columns, *known]
    names = match(ours, list(other.columns), renames)
    spelled = {o: n for o, n in sorted(names.respelled.items()) if o not in renames}
    if spelled:
        found.respelled[other.name] = spelled
        some = [f"“{old}” for “{new}”" for old, new in list(spelled.items())[:6]]
        more = f" and {len(spelled) - 6} more" if len(spelled) > 6 else ""
        found.warnings.append(f"names of {other.name} were taken: {', '.join(some)}{more}")
    other.columns = {names.names[name]: column for name, column in other.columns.items()}
    broken = match(ours, [item.model for item in found.excluded if item.set == other.name])
    found.excluded = [
        Excluded(broken.names[item.model], item.set, item.reason, item.evidence)
        if item.set == other.name
        else item
        for item in found.excluded
    ]
    for model in names.unmatched:
        near = nearest(model, names.missing)
        hint = f"; --rename {model}={near} if that is the same model" if near else ""
        text = f"no predictions of this model for {original.name}{hint}"
        found.excluded.append(Excluded(model, other.name, "unmatched", text))
        del other.columns[model]
    gone = {item.model for item in found.excluded if item.set == other.name}
    for model in names.missing:
        if model not in gone and model not in known:
            text = f"no predictions of this model for {other.name}"
            found.excluded.append(Excluded(model, other.name, "unmatched", text))


def _check(
    folder: Folder,
    model: str,
    codes: Mapping[str, int] | None,
    repair: Collection[str],
    top: int,
    found: Published,
    numbers: bool = False,
    scores_only: bool = False,
) -> None:
    def leave_out(problem: Problem) -> None:
        found.excluded.append(Excluded(model, folder.name, problem.reason, problem.evidence))

    def mended(problem: Problem) -> None:
        found.repaired.append(Excluded(model, folder.name, problem.reason, problem.evidence))

    try:
        column = predicted_column(folder, model, codes, numbers)
    except ItemError as error:
        leave_out(Problem(error.reason, error.message))
        return
    values, labels = column.values, folder.numbers
    if column.scored:
        problem = checks.item_scores(values[:, 0], labels)
        if problem is not None and not scores_only:
            leave_out(problem)
        elif problem is None:
            folder.right[model] = values[:, 0]
        return
    if values.min() < 0:
        where = int(np.argwhere(values < 0)[0, 0])
        leave_out(Problem("out_of_range", f"item {where} is predicted to be class {values.min()}"))
        return
    flags = checks.only_flags(values, labels)
    if flags is not None:
        leave_out(flags)
        return
    worst = None if column.scores is not None else checks.worst_first(values, labels)
    if worst is not None:
        if "columns" not in repair or worst.reason != "worst_first":
            leave_out(worst)
            return
        values = values[:, ::-1]
        mended(worst)
    moved = checks.off_by_one(values, labels)
    if moved is not None:
        step, problem = moved
        if "offset" not in repair:
            leave_out(problem)
            return
        values = values + step
        mended(problem)
    order = checks.class_order(values, labels)
    if order is not None:
        leave_out(order)
        return
    if top > values.shape[1]:
        text = f"{values.shape[1]} predictions an item, but --top {top}"
        leave_out(Problem("wrong_shape", text))
        return
    folder.checked[model] = values
    folder.right[model] = (values[:, :top] == labels[:, None]).any(axis=1)


def _say_whole_sets(read: Sequence[Folder], found: Published) -> None:
    """A fault that every model of a set shows is more likely one of its labels."""
    hints = {
        "off_by_one": "do its labels count from 1 (or from 0)? --repair offset moves predictions",
        "class_order": "its labels or all of its predictions use another order of classes",
        "wrong_length": "is this the right file of labels?",
        "worst_first": "all of its files look stored worst first; --repair columns turns them",
    }
    for folder in read:
        for reason, hint in hints.items():
            bad = [e for e in found.excluded if (e.set, e.reason) == (folder.name, reason)]
            if len(bad) > 1 and not folder.right:
                found.warnings.append(f"{folder.name}: {reason} for every model: {hint}")


def _check_together(read: Sequence[Folder], found: Published) -> None:
    accuracy = {f.name: {m: float(r.mean()) for m, r in f.right.items()} for f in read}
    for folder in read:
        own, n_classes = accuracy[folder.name], len(np.unique(folder.numbers))
        faults: dict[str, Problem] = {}
        top = max(int(folder.numbers.max()), folder.highest)
        beyond = {m: int(p.max()) for m, p in folder.first.items() if int(p.max()) > top}
        everywhere = max(top, *(int(f.numbers.max()) for f in read))
        few = len(beyond) <= len(folder.first) / 2 and len(folder.numbers) >= 30
        for model in folder.first:
            others = [value for name, value in own.items() if name != model]
            elsewhere = [
                accuracy[f.name][model] for f in read if f is not folder and model in f.right
            ]
            n = len(folder.numbers)
            fault = checks.near_chance(own[model], n, n_classes, others, elsewhere)
            if fault is not None:
                faults[model] = fault
            elif few and beyond.get(model, 0) > everywhere:
                text = f"predicts class {beyond[model]}, but labels reach only {everywhere}"
                faults[model] = Problem("out_of_range", text)
        if beyond and len(beyond) > len(folder.first) / 2:
            found.warnings.append(
                f"{folder.name}: most models predict classes above the highest label ({top}); "
                f"such predictions count as wrong"
            )
        _refuse_labels(folder, everywhere, read)
        for model, problem in faults.items():
            found.excluded.append(Excluded(model, folder.name, problem.reason, problem.evidence))
            del folder.right[model], folder.checked[model]
    _leave_out_copies(read, found)


def _refuse_labels(folder: Folder, everywhere: int, read: Sequence[Folder]) -> None:
    """Refuse labels that neither another set nor any prediction on any set knows."""
    predicted = [int(p.max()) for f in read for p in f.first.values()]
    labelled = [int(f.numbers.max()) for f in read if f is not folder]
    if not folder.first or not labelled or len(folder.numbers) < 30:
        return
    highest = max(*predicted, *labelled)
    if folder.numbers.max() > highest and int(folder.numbers.max()) == everywhere:
        where = int(np.argmax(folder.numbers > highest))
        raise UsageError(
            f"The labels of {folder.name} are out of range: {folder.numbers[where]} at item "
            f"{where}, but no other set has a class above {highest} and no model predicts one.",
            "Mend the file of labels, or leave such items out of labels and predictions.",
        )


def _leave_out_copies(read: Sequence[Folder], found: Published) -> None:
    copies = [checks.same_predictions(folder.first, folder.numbers) for folder in read]
    for folder, own in zip(read, copies, strict=True):
        for copy, model in own.items():
            both = [f for f in read if copy in f.first and model in f.first]
            if all(c.get(copy) == model for f, c in zip(read, copies, strict=True) if f in both):
                text = f"its predictions are those of {model}, errors included"
                found.excluded.append(Excluded(copy, folder.name, "duplicate", text))
                folder.right.pop(copy, None)
            else:
                found.warnings.append(
                    f"{folder.name}: {copy} and {model} have the same predictions, errors "
                    f"included, though not on every set: was one file copied?"
                )
