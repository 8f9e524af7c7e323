"""What published predictions mean beside the labels: which item, which class."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError, UsageError
from replicate.zoo.published_folders import Folder
from replicate.zoo.published_values import Column, matrix_of_scores


def class_codes(
    read: Sequence[Folder], classes: Sequence[str] | None = None
) -> dict[str, int] | None:
    """Text labels as numbers; None if all are numbers. Fills each folder's ``numbers``.

    Args:
        read: The sets.
        classes: The classes in the order of their numbers, where they are given.

    Raises:
        UsageError: Labels are of two kinds, out of range or of no class that was given.
    """
    kinds = {folder.labels.values.dtype.kind for folder in read}
    if "U" in kinds and len(kinds) > 1 and classes is None:
        raise UsageError("Some labels are numbers and others are text: use one kind for all sets.")
    codes = None if classes is None else {name: i for i, name in enumerate(classes)}
    if codes is None and "U" in kinds:
        words = sorted({str(x) for folder in read for x in np.unique(folder.labels.values)})
        codes = {word: i for i, word in enumerate(words)}
    for folder in read:
        values = folder.labels.values[:, 0]
        if values.dtype.kind == "U" and codes is not None:
            unknown = sorted({str(x) for x in values} - set(codes))
            if unknown:
                raise UsageError(
                    f"The labels of {folder.name} have the class {unknown[0]!r}, which is not "
                    f"among the {len(codes)} of --classes."
                )
            numbers = np.array([codes[str(x)] for x in values], dtype=np.int64)
        else:
            numbers = values.astype(np.int64)
        if numbers.min() < 0:
            where = int(np.flatnonzero(numbers < 0)[0])
            raise UsageError(
                f"The labels of {folder.name} are out of range: {numbers[where]} at item {where}.",
                "Labels are class ids from 0 upwards; leave out items that have none.",
            )
        folder.numbers = numbers
    return codes


def predicted_column(
    folder: Folder, model: str, codes: Mapping[str, int] | None, numbers: bool
) -> Column:
    """A model's values as numbers, in the order of the labels.

    Args:
        folder: The set, with its labels as numbers.
        model: The model.
        codes: Class → number; None where labels are numbers.
        numbers: Whether numbers in the file are these codes, where labels are text.

    Raises:
        ItemError: They do not fit the labels.
    """
    column = folder.columns[model]
    n = len(folder.numbers)
    if column.items is not None and folder.labels.items is not None:
        column = column.rows(_places(column.items, folder.labels.items))
    elif column.items is not None and folder.unordered:
        raise ItemError(
            "unordered",
            "files name their items in different orders, and the labels name none: give labels "
            "that do (item,label)",
        )
    if len(column.values) != n:
        column = column.turned(n)
    if column.scored:
        return column
    if _whole_scores(column, folder.numbers):
        column = matrix_of_scores(model, column.values.astype(np.float64), None, None)
    if column.scores is not None:
        column = _of_scores(column, folder.numbers, codes)
    values = column.values
    if values.dtype.kind == "U":
        if codes is None:
            raise ItemError("other_classes", f"predictions are text ({values[0, 0]!r}), labels not")
        known = [[codes.get(str(x), len(codes)) for x in row] for row in values]
        return replace(column, values=np.array(known, dtype=np.int64))
    if codes is not None and not numbers:
        raise ItemError(
            "other_classes",
            f"predictions are numbers ({values[0, 0]}), labels text: give the classes in the order "
            f"of their numbers with --classes FILE",
        )
    return column


def _whole_scores(column: Column, labels: npt.NDArray[np.int64]) -> bool:
    """Whether whole numbers, as many as classes, are scores.

    Class ids, best first, would be all classes, each once, in every row.
    """
    values, count = column.values, int(labels.max()) + 1
    kinds = {count, len(np.unique(labels))}
    if column.scores is not None or values.dtype.kind != "i" or values.shape[1] not in kinds - {2}:
        return False
    if values.shape[1] == 1:
        return False
    ordered = np.sort(values, axis=1)
    return not (ordered == ordered[0, 0] + np.arange(values.shape[1])).all()


def _places(have: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where each wanted item is among those that a file has; folders and endings may differ."""
    place: dict[str, int] = {}
    for short in (str, _name, _stem):
        place = {short(item): i for i, item in enumerate(have)}
        asked = [short(item) for item in wanted]
        if len(place) == len(have) and len(set(asked)) == len(asked) and set(asked) <= set(place):
            return [place[item] for item in asked]
    exact = set(have)
    lost = [item for item in wanted if item not in exact]
    if not lost:  # the same item twice
        raise ItemError("missing_items", f"it names an item twice, such as {_twice(have)!r}")
    text = f"no prediction for {len(lost)} of {len(wanted)} items, such as {lost[0]!r}"
    raise ItemError("missing_items", text)


def _twice(names: Sequence[str]) -> str:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), "")  # type: ignore[func-returns-value]


def _name(item: str) -> str:
    return item.replace("\\", "/").rpartition("/")[2]


def _stem(item: str) -> str:
    return _name(item).rpartition(".")[0] or _name(item)


def _of_scores(
    column: Column, labels: npt.NDArray[np.int64], codes: Mapping[str, int] | None
) -> Column:
    """Predictions of a matrix of scores, as class ids of the labels."""
    count = 0 if column.scores is None else column.scores.shape[1]
    if count < len(np.unique(labels)):
        text = f"{count} scores an item, but the labels have {len(np.unique(labels))} classes"
        raise ItemError("wrong_shape", text)
    if column.values.dtype.kind == "U" and codes is None and column.scores is not None:
        # The labels are numbers: columns stand in the order of the classes.
        best = np.argsort(-column.scores, axis=1, kind="stable")[:, :5].astype(np.int64)
        column = replace(column, values=best)
    # The last of so many columns cannot be meant by its place if labels count from 1.
    if column.names is None and codes is None and labels.min() >= 1 and labels.max() == count:
        return replace(column, values=column.values + 1)
    return column


def scores_by_class(
    column: Column, labels: npt.NDArray[np.int64], codes: Mapping[str, int] | None
) -> npt.NDArray[np.float64]:
    """The scores of the classes that labels have, for areas under curves.

    Args:
        column: What a model's file says, in the order of the labels.
        labels: Shape (n,).
        codes: Class → number, where classes have names.

    Returns:
        Shape (n, classes of the labels), in the order of their numbers: probabilities, or what
        softmax makes of other scores. With two classes shape (n, 1), the larger number's.

    Raises:
        ItemError: There are no scores, or not of every class.
    """
    kinds = np.unique(labels)
    if column.scores is None:
        if column.values.dtype.kind != "f" or len(kinds) != 2:
            raise ItemError(
                "no_scores",
                "an area under a curve needs scores: one column a class, or one value an item "
                "where the labels have two classes",
            )
        return np.asarray(column.values, dtype=np.float64)
    scores, count = column.scores, column.scores.shape[1]
    if column.names is not None and codes is not None and not column.names[0].isdecimal():
        where = {codes[name]: i for i, name in enumerate(column.names) if name in codes}
    elif column.names is not None and all(name.isdecimal() for name in column.names):
        where = {int(name): i for i, name in enumerate(column.names)}
    else:
        first = int(labels.min() >= 1 and labels.max() == count)  # labels that count from 1
        where = {number: number - first for number in range(first, count + first)}
    lacking = [int(kind) for kind in kinds if int(kind) not in where]
    if lacking:
        raise ItemError("wrong_shape", f"no score of class {lacking[0]} among {count} columns")
    if len(kinds) == count == 2:  # as softmax orders them, without its rounding to 1
        low, high = (where[int(kind)] for kind in kinds)
        return np.asarray(scores[:, [high]] - scores[:, [low]])
    if not (scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=2e-3)):
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = scores / scores.sum(axis=1, keepdims=True)
    return np.asarray(scores[:, [where[int(kind)] for kind in kinds]])
