"""Features of images as files: what `replicate features` writes, and what others have."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import MissingError, UsageError
from replicate.zoo.published_values import is_number

Floats = npt.NDArray[np.float32]
ENDINGS = (".arrow", ".feather", ".parquet", ".npy", ".npz", ".csv", ".tsv")


@dataclass(frozen=True)
class Features:
    """One row of numbers an item.

    Attributes:
        names: The items' names, or None where the file has none.
        values: Shape (n, d).
    """

    names: tuple[str, ...] | None
    values: Floats


def read_features(path: Path) -> Features:
    """Read features from a file.

    Args:
        path: Arrow or Parquet with a column ``features`` (lists of one length) or with number
            columns, and perhaps a column of text with the items' names; ``.npy`` or ``.npz`` of
            shape (n, d); a table of numbers, perhaps with a column of names first.

    Raises:
        MissingError: There is no such file.
        UsageError: It holds no features.
    """
    if not path.is_file():
        raise MissingError(
            f"There are no features at {path}.",
            f"Give a file of one row an item: {', '.join(ENDINGS)}",
        )
    if path.suffix not in ENDINGS:
        raise UsageError(f"{path} is no file of features.", f"Known: {', '.join(ENDINGS)}")
    try:
        found = _READERS[path.suffix](path)
    except (ValueError, OSError, EOFError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no features: {error}.") from error
    if found.values.ndim != 2 or 0 in found.values.shape:
        raise UsageError(
            f"{path} holds an array of shape {found.values.shape}, not (items, features)."
        )
    return found


def _numpy(path: Path) -> Features:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return Features(None, np.asarray(loaded, np.float32))
    with loaded:
        wide = [key for key in loaded.files if loaded[key].ndim == 2]
        if len(wide) != 1:
            raise ValueError(f"it has {len(wide)} arrays of shape (n, d), not one")
        return Features(None, np.asarray(loaded[wide[0]], np.float32))


def _arrow(path: Path) -> Features:
    # Imported late: only features in these formats need it.
    import pyarrow as pa
    from pyarrow import feather, parquet

    table = parquet.read_table(path) if path.suffix == ".parquet" else feather.read_table(path)
    names = [
        field.name
        for field in table.schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    lists = [
        field.name
        for field in table.schema
        if pa.types.is_fixed_size_list(field.type)
        or pa.types.is_list(field.type)
        or pa.types.is_large_list(field.type)
    ]
    labels = tuple(map(str, table[names[0]].to_pylist())) if names else None
    if lists:
        name = "features" if "features" in lists else lists[0]
        column = table[name].combine_chunks()
        values = np.asarray(column.flatten(), np.float32)
        return Features(labels, values.reshape(len(table), -1))
    numbers = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    if not numbers:
        raise ValueError("it has no column of lists and none of numbers")
    columns: list[Any] = [table[name].to_numpy() for name in numbers]
    return Features(labels, np.stack(columns, axis=1).astype(np.float32))


def _text(path: Path) -> Features:
    split = "\t" if path.suffix == ".tsv" else ","
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    rows = [[cell.strip() for cell in line.split(split)] for line in lines]
    if rows and not any(is_number(cell) for cell in rows[0]):
        rows = rows[1:]  # a header
    named = bool(rows) and not is_number(rows[0][0])
    values = np.array([[float(cell) for cell in row[named:]] for row in rows], np.float32)
    return Features(tuple(row[0] for row in rows) if named else None, values)


_READERS = {
    ".npy": _numpy,
    ".npz": _numpy,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".parquet": _arrow,
    ".csv": _text,
    ".tsv": _text,
}
