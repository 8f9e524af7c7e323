"""Files of plain named arrays (``.npz``): whole or not there, and never a pickle."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.files import atomic_path


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays, sorted by name: a whole file, or nothing. Equal arrays make equal bytes."""
    ordered: dict[str, Any] = {name: arrays[name] for name in sorted(arrays)}
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, allow_pickle=False, **ordered)


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read arrays; nothing but plain arrays is ever unpacked.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged, or holds other things.
    """
    with path.open("rb") as handle:
        try:
            with np.load(handle, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (AttributeError, LookupError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"not a file of plain arrays: {error}") from error
