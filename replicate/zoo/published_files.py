"""One file of published predictions or labels, however loosely it was written.

Read are ``.npy``, ``.npz`` (plain arrays only), ``.json``, ``.jsonl``, ``.csv``, ``.tsv``,
``.txt``, and the ``.arrow`` files of our own scoring. Values are class ids (numbers or text), one
an item or k an item, best first; a matrix of scores, one column a class; or, without labels,
per-item scores in [0, 1].
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError
from replicate.zoo.prediction_files import read, read_header

SUFFIXES = (".npy", ".npz", ".json", ".jsonl", ".csv", ".tsv", ".txt", ".arrow")
PREDICTED = ("prediction", "predicted", "pred", "preds", "predictions", "y_pred", "top1", "output")
LABELLED = ("label", "labels", "target", "targets", "y_true", "truth", "ground_truth", "gt", "y")
LABELLED_TOO = ("class", "classes", "class_id", "wnid", "answer", "category")
ITEMS = ("", "item", "index", "idx", "id", "image", "image_id", "item_id", "file", "filename")
_NUMBERS = re.compile(r"[\s\[\](),;0-9eE+\-.]*")


@dataclass(frozen=True)
class Column:
    """What one file says of n items.

    Attributes:
        values: int64 or text of shape (n, k), class ids, best first; or float64 of shape (n, 1),
            per-item scores in [0, 1]; or bool of shape (n, 1), whether each item is right.
        items: The items' names, where the file gives them.
        notes: What had to be guessed to read it.
    """

    values: npt.NDArray[Any]
    items: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def scored(self) -> bool:
        """Whether the values are per-item scores or right answers, not class ids."""
        return self.values.dtype.kind in "fb"


def read_column(path: Path, *, labels: bool = False) -> Column:
    """Read one file.

    Args:
        path: The file.
        labels: Whether it holds labels (matters for tables that hold both).

    Raises:
        ItemError: With reason ``unreadable``, ``empty`` or ``wrong_shape``.
    """
    if path.suffix == ".arrow":
        return _ours(path, labels)
    try:
        value, items = _raw(path, labels)
    except (OSError, ValueError, EOFError, KeyError, UnicodeError) as error:
        raise ItemError("unreadable", f"{path.name} cannot be read: {error}") from error
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        raise ItemError("unreadable", f"{path.name} holds Python objects, not plain numbers")
    if len(value) == 0:
        raise ItemError("empty", f"{path.name} holds no values")
    return _column(path.name, _array(path.name, value), items)


def model_name(path: Path) -> str | None:
    """The model that a file of our own scoring names; None for all other files."""
    if path.suffix != ".arrow":
        return None
    try:
        return str(read_header(path)["model"])
    except ItemError:  # whoever reads its predictions says why they cannot be read
        return None


def _ours(path: Path, labels: bool) -> Column:
    """A file of our own scoring: class ids as text; an image that was not read is never right."""
    found = read(path)
    names = np.array([*found.header["classes"], ""])  # the last one, of −1, is no class
    if labels and (found.labels < 0).any():
        raise ItemError("empty", f"{path.name} does not know the label of every item")
    values = found.labels[:, None] if labels else found.scored.classes
    return Column(names[values], found.items)


def read_models(path: Path) -> dict[str, Column]:
    """Read one file that holds the predictions of many models.

    An ``.npz`` with an array a model, a ``.json`` object with a list a model, or a ``.csv`` with
    a column a model (columns of item names or labels are not models).

    Raises:
        ItemError: With reason ``unreadable``, ``empty`` or ``wrong_shape``.
    """
    suffix = path.suffix.lower()
    try:
        values, items = _many(path, suffix)
    except (OSError, ValueError, EOFError, UnicodeError) as error:
        raise ItemError("unreadable", f"{path.name} cannot be read: {error}") from error
    if not values or not all(len(value) for value in values.values()):
        raise ItemError("empty", f"{path.name} holds no model's predictions")
    return {
        name: _column(path.name, _array(path.name, value), items) for name, value in values.items()
    }


def _many(path: Path, suffix: str) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}, None
    text = path.read_bytes().decode("utf-8-sig")
    if suffix == ".json":
        value = json.loads(text)
        if not isinstance(value, dict) or not all(isinstance(x, list) for x in value.values()):
            raise ValueError("not an object with a list of predictions a model")
        return value, None
    if suffix not in (".csv", ".tsv"):
        raise ValueError("one file of many models is .npz, .json, .csv or .tsv")
    mark = "\t" if suffix == ".tsv" or "\t" in text.partition("\n")[0] else ","
    header, *rows = [row for row in csv.reader(io.StringIO(text), delimiter=mark) if row]
    if any(len(row) != len(header) for row in rows):
        raise ValueError("its rows have different numbers of columns")
    columns = {name.strip(): [row[i].strip() for row in rows] for i, name in enumerate(header)}
    index = next((name for name in columns if name.lower() in ITEMS), None)
    items = None if index is None else tuple(columns[index])
    models = {n: c for n, c in columns.items() if n.lower() not in (*ITEMS, *LABELLED)}
    return models, items


def _raw(path: Path, labels: bool) -> tuple[Any, tuple[str, ...] | None]:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return np.atleast_1d(np.load(path, allow_pickle=False)), None
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            names = [n for n in (*LABELLED, *PREDICTED, "classes", "arr_0") if n in arrays.files]
            if not names and len(arrays.files) != 1:
                raise ValueError(f"which of its arrays? ({', '.join(arrays.files)})")
            return np.atleast_1d(arrays[names[0] if names else arrays.files[0]]), None
    text = path.read_bytes().decode("utf-8-sig")
    if suffix in (".json", ".jsonl"):
        return _from_json(text, labels)
    return _from_table(text, labels)


def _from_json(text: str, labels: bool) -> tuple[Any, tuple[str, ...] | None]:
    try:
        value = json.loads(text)
    except ValueError:
        value = _loose(text)
    if isinstance(value, dict):
        lists = [name for name in value if isinstance(value[name], list)]
        first, second = (LABELLED, PREDICTED) if labels else (PREDICTED, LABELLED)
        for wanted in (first, LABELLED_TOO, second, tuple(x.lower() for x in lists[:1])):
            known = [name for name in lists if name.lower() in wanted]
            if known and (len(lists) == 1 or wanted != (lists[0].lower(),)):
                return value[known[0]], None
        return list(value.values()), tuple(str(key) for key in value)
    if not isinstance(value, list):
        raise ValueError("not a list")
    if value and all(isinstance(row, dict) for row in value):
        header = list(dict.fromkeys(key for row in value for key in row))
        rows = [[str(row.get(key, "")) for key in header] for row in value]
        return _named(header, rows, labels)
    return value, None


def _loose(text: str) -> list[Any]:
    """Numbers in brackets that are not quite JSON: trailing commas, no commas, one list a line."""
    if not _NUMBERS.fullmatch(text):
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines]  # JSON lines
        except ValueError:
            # Text in single quotes, as Python prints lists.
            value: list[Any] = json.loads(re.sub(r",\s*([\]}])", r"\1", text.replace("'", '"')))
            return value
    if any(text.count(a) != text.count(b) for a, b in ("[]", "()")):
        raise ValueError("its brackets do not close: was it cut off?")
    inner = re.findall(r"\[([^\[\]]*)\]", text)
    rows = inner if len(inner) > 1 else []
    numbers = [[float(x) for x in re.split(r"[\s,;\[\]()]+", row) if x] for row in rows or [text]]
    return numbers if rows else numbers[0]


def _from_table(text: str, labels: bool) -> tuple[Any, tuple[str, ...] | None]:
    lines = [x for x in text.splitlines() if x.strip() and not x.lstrip().startswith("#")]
    if not lines:
        return [], None
    if all(re.fullmatch(r"\s*[\[(].*[\])],?\s*", line) for line in lines):
        return _from_json("\n".join(lines), labels)
    delimiter = next((mark for mark in "\t,;" if mark in lines[0].rstrip(f"{mark} ")), "")
    if delimiter:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
        ]
        rows = [row[:-1] if len(row) > 1 and row[-1] == "" else row for row in rows]
    else:
        bare = [line.strip(" ,;\"'") for line in lines]
        cells = [line.split() for line in bare]
        # Class ids side by side, or the name of an image and its class id.
        split = all(is_number(cell) for row in cells[1:] for cell in row)
        split = split or all(len(row) == 2 and is_number(row[1]) for row in cells)
        rows = cells if split else [[line] for line in bare]
    known = (*PREDICTED, *LABELLED, *LABELLED_TOO, *ITEMS[1:])
    first, rest = rows[0], rows[1:]
    is_header = any(cell.lower() in known for cell in first) or (
        bool(rest)
        and not any(is_number(cell) for cell in first)
        and all(is_number(row[-1]) for row in rest)
    )
    if is_header:
        return _named(first, rest, labels)
    if _has_item_names(rows):
        return [row[1:] for row in rows], tuple(row[0] for row in rows)
    numbered = [row[0] for row in rows] == [str(i) for i in range(len(rows))]
    if len(first) > 1 and len(rows) > 2 and numbered:
        return [row[1:] for row in rows], None
    return rows, None


def _has_item_names(rows: list[list[str]]) -> bool:
    """Whether the first of several columns names the items: text, no name twice."""
    names = [row[0] for row in rows]
    return (
        len(rows[0]) > 1
        and len({len(row) for row in rows}) == 1
        and not any(is_number(name) for name in names)
        and len(set(names)) == len(names)
        and (len(rows[0]) == 2 or all(is_number(cell) for row in rows for cell in row[1:]))
    )


def _named(
    header: Sequence[str], rows: list[list[str]], labels: bool
) -> tuple[Any, tuple[str, ...] | None]:
    names = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in header]
    index = next((i for i, name in enumerate(names) if name in ITEMS), None)
    first, second = (LABELLED, PREDICTED) if labels else (PREDICTED, LABELLED)
    chosen: list[int] = []
    for wanted in (first, LABELLED_TOO, second):
        chosen = chosen or [i for i, name in enumerate(names) if name in wanted]
    if not chosen or (not labels and len(chosen) == 1 and names[chosen[0]] == "top1"):
        others = (*ITEMS, *(second if chosen else ()))
        chosen = [i for i, name in enumerate(names) if name not in others]
    if not chosen:
        raise ValueError(f"no column of predictions or labels in {', '.join(header)}")
    values = [[row[i] for i in chosen if i < len(row)] for row in rows]
    items = None if index is None else tuple(row[index] for row in rows)
    return values, items


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


def _array(name: str, value: Any) -> npt.NDArray[Any]:
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


def _column(name: str, array: npt.NDArray[Any], items: tuple[str, ...] | None) -> Column:
    if array.shape[0] == 1 and array.shape[1] > 1 and items is None:
        array = array.T  # one row of many values
    if items is not None:
        ordered = _by_number(items)
        if ordered is not None:
            array, items = array[ordered], None
    if array.dtype.kind in "Ub":
        return Column(array, items)
    if array.dtype.kind in "iu":
        if array.size and int(array.max()) > 2**62:
            raise ItemError("out_of_range", f"{name} holds {array.max()}, which is no class")
        return Column(array.astype(np.int64), items)
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        where = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise ItemError("unreadable", f"{name}: the value of item {where} is missing")
    whole = bool((values == np.floor(values)).all()) and float(np.abs(values).max()) < 2**53
    if values.shape[1] > 2 and set(np.unique(values)) <= {0.0, 1.0}:
        whole = not bool((values.sum(axis=1) == 1).all())  # one-hot rows are scores
    if whole:
        return Column(values.astype(np.int64), items)
    if values.shape[1] == 1:
        if values.min() < 0 or values.max() > 1:
            raise ItemError("out_of_range", f"{name}: neither class ids nor scores in [0, 1]")
        return Column(values, items)
    best = np.argsort(-values, axis=1, kind="stable")[:, :5].astype(np.int64)
    note = f"{name} holds scores of {values.shape[1]} classes; the highest is the prediction"
    return Column(best, items, (note,))


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
