"""What the values of a published file are: class ids, scores of classes, right and wrong."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError


@dataclass(frozen=True)
class Column:
    """What one file says of n items.

    Attributes:
        values: int64 or text of shape (n, k), class ids, best first; or float64 of shape (n, 1),
            per-item scores in [0, 1]; or bool of shape (n, 1), whether each item is right.
        items: The items' names, where the file gives them.
        notes: What had to be guessed to read it.
        scores: The score of each class, float64 of shape (n, classes), where the file holds
            scores; ``values`` are then the classes with the highest ones.
        names: The classes of the columns of ``scores``, where the file names them.
    """

    values: npt.NDArray[Any]
    items: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    scores: npt.NDArray[np.float64] | None = None
    names: tuple[str, ...] | None = None

    @property
    def scored(self) -> bool:
        """Whether the values are per-item scores or right answers, not class ids."""
        return self.values.dtype.kind in "fb"

    def rows(self, at: Sequence[int]) -> "Column":
        """The same of these items, in this order."""
        scores = None if self.scores is None else self.scores[at]
        return Column(self.values[at], None, self.notes, scores, self.names)

    def turned(self, n: int) -> "Column":
        """Rows and columns exchanged, so that there are n items.

        Raises:
            ItemError: There are not n columns either.
        """
        if self.scores is not None and self.scores.shape[1] == n:
            return matrix_of_scores("the file", self.scores.T, None, None)
        if self.scores is None and self.values.shape[1] == n:
            return Column(self.values.T, None, self.notes)
        raise ItemError("wrong_length", f"{len(self.values):,} predictions for {n:,} labels")


@dataclass(frozen=True)
class Raw:
    """Values as they are written, before they are an array.

    Attributes:
        values: A list or an array.
        items: The items' names.
        names: The columns' names, where they may be classes.
        right: Whether the values say right or wrong.
    """

    values: Any
    items: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    right: bool = False


def is_number(text: str) -> bool:
    """Whether a text is read as a number.

    >>> is_number("1e-3"), is_number("n01443537")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def array_of(name: str, value: Any) -> npt.NDArray[Any]:
    """The values as an array of bool, int64, float64 or text of shape (n, k)."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ItemError("wrong_shape", f"{name}: items have different numbers of values") from error
    if array.dtype.kind == "O":
        raise ItemError("unreadable", f"{name} holds values that are neither numbers nor text")
    if array.dtype.kind == "S":
        array = array.astype(str)
    if array.ndim > 2:
        array = array.reshape([side for side in array.shape if side != 1] or [1])
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ItemError("wrong_shape", f"{name} has the shape {array.shape}, not (n,) or (n, k)")
    if array.dtype.kind == "U":
        array = np.char.strip(array)
        try:
            array = array.astype(np.float64)
        except ValueError:
            truth = {"true": True, "false": False}
            if set(np.char.lower(np.unique(array)).tolist()) <= set(truth):
                right: npt.NDArray[Any] = np.char.lower(array) == "true"
                return right
            return array
    return array


def column_of(name: str, array: npt.NDArray[Any], raw: Raw, labels: bool) -> Column:
    """What an array says of its items.

    Args:
        name: The file's name, for messages.
        array: Of `array_of`, shape (n, k).
        raw: Where it is from.
        labels: Whether it holds labels: of one-hot rows the class is meant.

    Raises:
        ItemError: A value is missing or too large.
    """
    items = raw.items
    if array.shape[0] == 1 and array.shape[1] > 1 and items is None:
        array = array.T  # one row of many values
    if items is not None:
        ordered = _by_number(items)
        if ordered is not None:
            array, items = array[ordered], None
    if array.dtype.kind in "Ub":
        return Column(array, items)
    values = array if array.dtype.kind in "iu" else array.astype(np.float64)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        where = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise ItemError("unreadable", f"{name}: the value of item {where} is missing")
    if np.size(values) and int(values.max()) > 2**62:
        raise ItemError("out_of_range", f"{name} holds {values.max()}, which is no class")
    whole = values.dtype.kind in "iu" or (
        bool((values == np.floor(values)).all()) and float(np.abs(values).max()) < 2**53
    )
    if whole and set(np.unique(values).tolist()) <= {0, 1} and raw.right:
        return Column(values.astype(np.bool_), items)
    if whole and not _repeats(values):
        return Column(values.astype(np.int64), items)
    if labels and values.shape[1] > 1 and set(np.unique(values)) <= {0.0, 1.0}:
        if not bool((values.sum(axis=1) == 1).all()):
            raise ItemError("wrong_shape", f"{name}: an item has not exactly one class")
        return Column(values.argmax(axis=1)[:, None].astype(np.int64), items)
    if values.shape[1] == 1:
        return Column(values, items)
    return matrix_of_scores(name, values.astype(np.float64), items, raw.names)


def _repeats(values: npt.NDArray[Any]) -> bool:
    """Whether rows say one thing twice, as scores may, and class ids, best first, do not."""
    if values.shape[1] < 3:
        return False
    ordered = np.sort(values, axis=1)
    return bool(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any())


def matrix_of_scores(
    name: str, scores: npt.NDArray[np.float64], items: tuple[str, ...] | None,
    names: tuple[str, ...] | None,
) -> Column:  # fmt: skip
    """A matrix of scores: the classes with the highest ones are the predictions."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5].astype(np.int64)
    note = f"{name} holds scores of {scores.shape[1]} classes; the highest is the prediction"
    if names is None:
        return Column(best, items, (note,), scores)
    if all(re.fullmatch(r"\d+", each) for each in names):
        numbers = np.array([int(each) for each in names], dtype=np.int64)
        return Column(numbers[best], items, (note,), scores, names)
    return Column(np.array(names)[best], items, (note,), scores, names)


def _by_number(items: Sequence[str]) -> npt.NDArray[np.int64] | None:
    """The order of items that are numbered from 0 or 1 on; None for other names."""
    if not all(re.fullmatch(r"\d+", item) for item in items):
        return None
    numbers = np.array([int(item) for item in items])
    order = np.argsort(numbers, kind="stable")
    step = numbers[order] - numbers[order[0]]
    if numbers[order[0]] > 1 or not np.array_equal(step, np.arange(len(items))):
        return None
    return np.asarray(order, dtype=np.int64)
