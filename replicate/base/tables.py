"""Tables in files: CSV, TSV, JSON lines or Parquet, by the ending of the name."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate.base.errors import MissingError, UsageError
from replicate.base.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


def read_table(path: Path) -> "pd.DataFrame":
    """The rows of a table, every cell as text; an empty cell is an empty text.

    Args:
        path: A file that ends in .csv, .tsv, .jsonl (one JSON object a line) or .parquet.

    Raises:
        UsageError: The file is empty, has no row, or cannot be read as what its name says.
        MissingError: Parquet needs a package that is not there.
    """
    import pandas as pd

    ending = _ending(path)
    try:
        if ending in (".csv", ".tsv"):
            separator = "," if ending == ".csv" else "\t"
            frame = pd.read_csv(
                path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
            )
            # pandas takes the first cells of longer rows for names of rows, and shifts the rest.
            if not isinstance(frame.index, pd.RangeIndex):
                raise ValueError("line 2 has more cells than there are names of columns")
        elif ending == ".jsonl":
            frame = pd.DataFrame(_lines(path))
        else:
            frame = pd.read_parquet(path)
    except ImportError as error:
        raise _no_parquet() from error
    except pd.errors.EmptyDataError as error:
        raise UsageError(f"{path} is empty.", "Give a table with a row of column names.") from error
    except (ValueError, OSError) as error:
        first = str(error).strip().splitlines()
        raise UsageError(
            f"{path} cannot be read as a {ending[1:]} table: {first[0] if first else error}",
            f"Tables end in {', '.join(ENDINGS)}.",
        ) from error
    if frame.empty:
        raise UsageError(f"{path} has no rows.", "Give a table with at least one row.")
    # Whole numbers beside missing ones are floats in JSON and Parquet: 3.0 is the id 3.
    return frame if ending in (".csv", ".tsv") else frame.map(_text)


def column_names(path: Path) -> list[str]:
    """The names of a table's columns, as far as its beginning tells them; no row is read.

    Args:
        path: See `read_table`.

    Raises:
        UsageError: The file cannot be read as what its name says.
        MissingError: Parquet needs a package that is not there.
    """
    ending = _ending(path)
    try:
        if ending == ".parquet":
            from pyarrow import parquet

            return list(parquet.read_schema(path).names)
        with path.open(encoding="utf-8-sig", newline="") as handle:
            if ending == ".jsonl":
                first = json.loads(next((line for line in handle if line.strip()), "{}"))
                return list(first) if isinstance(first, dict) else []
            return next(csv.reader(handle, delimiter="," if ending == ".csv" else "\t"), [])
    except ImportError as error:
        raise _no_parquet() from error
    except FileNotFoundError:
        raise _no_table(path) from None
    except (ValueError, OSError, csv.Error) as error:
        raise UsageError(
            f"{path} cannot be read as a {ending[1:]} table: {error}",
            f"Tables end in {', '.join(ENDINGS)}.",
        ) from error


def _no_table(path: Path) -> MissingError:
    return MissingError(f"There is no table {path}.", "Look at its name, and from which folder.")


def _lines(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("not every line is a JSON object")
    return rows


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if hasattr(value, "__iter__"):
        # A cell of JSON or Parquet that is a list, of tags for example.
        return "; ".join(_text(each) for each in value)
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def write_table(frame: "pd.DataFrame", path: Path) -> None:
    """Write a table, whole or not at all; what is not known is an empty cell or null.

    Args:
        frame: The table; its index is not written.
        path: A file that ends in .csv, .tsv, .jsonl or .parquet; an old one is replaced.

    Raises:
        UsageError: The name ends in something else.
        MissingError: Parquet needs a package that is not there.
    """
    ending = _ending(path)
    with atomic_path(path) as temporary:
        if ending in (".csv", ".tsv"):
            frame.to_csv(temporary, index=False, sep="," if ending == ".csv" else "\t")
        elif ending == ".jsonl":
            with temporary.open("w", encoding="utf-8") as handle:
                for row in frame.to_dict("records"):
                    known = {str(k): None if v != v else v for k, v in row.items()}
                    handle.write(json.dumps(known, ensure_ascii=False) + "\n")
        else:
            try:
                frame.to_parquet(temporary, index=False)
            except ImportError as error:
                raise _no_parquet() from error


def need_columns(frame: "pd.DataFrame", names: Sequence[str], what: str) -> None:
    """Check that a table has some columns.

    Raises:
        UsageError: One is missing; the message names those that are there.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        there = ", ".join(map(str, frame.columns))
        raise UsageError(
            f"{what} has no column {missing[0]!r}; its columns are: {there}.",
            f"It needs the columns {', '.join(names)}.",
        )


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"{path} is no table by its name.", f"Tables end in {', '.join(ENDINGS)}.")
    return ending


def _no_parquet() -> MissingError:
    return MissingError(
        "Parquet tables need the package 'pyarrow'.", "Install it: pip install pyarrow"
    )
