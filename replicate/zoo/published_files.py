"""One file of published predictions or labels, however loosely it was written.

Read are ``.npy``, ``.npz`` (plain arrays only), ``.json``, ``.jsonl``, ``.csv``, ``.tsv``,
``.txt``, and the ``.arrow`` files of our own scoring. Values are class ids (numbers or text), one
an item or k an item, best first; a matrix of scores, one column a class; or, without labels,
per-item scores in [0, 1].
"""

import csv
import gzip
import io
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from replicate.base.errors import ItemError
from replicate.zoo.prediction_files import read, read_header
from replicate.zoo.published_columns import is_item, is_label, says_right
from replicate.zoo.published_text import from_json, from_lists, from_table, named
from replicate.zoo.published_values import Column, Raw, array_of, column_of

SUFFIXES = (
    ".npy", ".npz", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".pred", ".preds", ".out",
    ".arrow", ".parquet", ".feather",
)  # fmt: skip


def kind_of(path: Path) -> str:
    """What a file's name says of its kind, also if it is compressed.

    >>> kind_of(Path("a.JSON")), kind_of(Path("vgg.npy.gz")), kind_of(Path("notes.gz"))
    ('.json', '.npy', '.gz')
    """
    suffix = path.suffix.lower()
    return (Path(path.stem).suffix.lower() or suffix) if suffix == ".gz" else suffix


def stem_of(path: Path) -> str:
    """A file's name without what says its kind.

    >>> stem_of(Path("vgg.npy.gz")), stem_of(Path("resnet_v1.5.csv"))
    ('vgg', 'resnet_v1.5')
    """
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _bytes(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix.lower() == ".gz" else content


def read_column(path: Path, *, labels: bool = False) -> Column:
    """Read one file.

    Args:
        path: The file; ``.gz`` after its ending if it is compressed.
        labels: Whether it holds labels (matters for tables that hold both).

    Raises:
        ItemError: With reason ``unreadable``, ``empty`` or ``wrong_shape``.
    """
    if path.suffix == ".arrow":
        return _ours(path, labels)
    try:
        raw = _raw(path, labels)
    except (OSError, ValueError, EOFError, KeyError, UnicodeError, zlib.error) as error:
        raise ItemError("unreadable", f"{path.name} cannot be read: {error}") from error
    if isinstance(raw.values, np.ndarray) and raw.values.dtype.kind == "O":
        raise ItemError("unreadable", f"{path.name} holds Python objects, not plain numbers")
    if len(raw.values) == 0:
        raise ItemError("empty", f"{path.name} holds no values")
    if not labels and says_right(stem_of(path)):
        raw = replace(raw, right=True)
    return column_of(path.name, array_of(path.name, raw.values), raw, labels)


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
    try:
        values, items = _many(path, kind_of(path))
    except (OSError, ValueError, EOFError, UnicodeError, zlib.error) as error:
        raise ItemError("unreadable", f"{path.name} cannot be read: {error}") from error
    if not values or not all(len(value) for value in values.values()):
        raise ItemError("empty", f"{path.name} holds no model's predictions")
    return {
        name: column_of(
            path.name, array_of(path.name, value), Raw(value, items, right=says_right(name)), False
        )
        for name, value in values.items()
    }


def _many(path: Path, suffix: str) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    if suffix == ".npz":
        with np.load(io.BytesIO(_bytes(path)), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        return {n: a for n, a in found.items() if not is_label(n)}, None
    text = _bytes(path).decode("utf-8-sig")
    if suffix == ".json":
        value = json.loads(text)
        if not isinstance(value, dict) or not all(isinstance(x, list) for x in value.values()):
            raise ValueError("not an object with a list of predictions a model")
        return {n: x for n, x in value.items() if len(value) == 1 or not is_label(n)}, None
    if suffix not in (".csv", ".tsv"):
        raise ValueError("one file of many models is .npz, .json, .csv or .tsv")
    mark = "\t" if suffix == ".tsv" or "\t" in text.partition("\n")[0] else ","
    header, *rows = [row for row in csv.reader(io.StringIO(text), delimiter=mark) if row]
    if any(len(row) != len(header) for row in rows):
        raise ValueError("its rows have different numbers of columns")
    columns = {name.strip(): [row[i].strip() for row in rows] for i, name in enumerate(header)}
    index = next((name for name in columns if is_item(name)), None)
    items = None if index is None else tuple(columns[index])
    return {n: c for n, c in columns.items() if not is_item(n) and not is_label(n)}, items


def _raw(path: Path, labels: bool) -> Raw:
    suffix = kind_of(path)
    if suffix == ".npy":
        return Raw(np.atleast_1d(np.load(io.BytesIO(_bytes(path)), allow_pickle=False)))
    if suffix == ".npz":
        with np.load(io.BytesIO(_bytes(path)), allow_pickle=False) as arrays:
            return from_lists({name: np.atleast_1d(arrays[name]) for name in arrays.files}, labels)
    if suffix in (".parquet", ".feather"):
        return _from_frame(path, labels)
    text = _bytes(path).decode("utf-8-sig")
    if suffix in (".json", ".jsonl", ".ndjson"):
        return from_json(text, labels)
    return from_table(text, labels)


def _from_frame(path: Path, labels: bool) -> Raw:
    from pyarrow import feather, parquet  # imported late: few folders hold such files

    read = parquet.read_table if kind_of(path) == ".parquet" else feather.read_table
    columns = read(io.BytesIO(_bytes(path))).to_pydict()
    if any(isinstance(x, list) for values in columns.values() for x in values[:1]):
        return from_lists(columns, labels)
    rows = [[str(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
    return named(list(columns), rows, labels)
