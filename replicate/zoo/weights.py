"""Weights as plain arrays: files that can hold nothing else, and digests of their content."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError
from replicate.zoo.arrays import read_arrays, write_arrays

Weights = Mapping[str, npt.NDArray[Any]]


def weights_digest(weights: Weights) -> str:
    """The SHA-256 over the tensors' names, types, shapes and bytes, sorted by name.

    It does not depend on the file that holds them.

    >>> one, two = np.zeros(2, np.float32), np.ones((1, 2), np.float32)
    >>> weights_digest({"a": one, "b": two}) == weights_digest({"b": two, "a": one})
    True
    >>> weights_digest({"a": one}) == weights_digest({"a": one.reshape(2, 1)})
    False
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.asarray(weights[name])
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{name}\x1f{little.dtype.str}\x1f{array.shape}\x1e".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def parameter_count(weights: Weights) -> int:
    """How many numbers a model has: all of its tensors but single values and whole numbers."""
    return sum(a.size for a in weights.values() if a.dtype.kind == "f" and a.ndim > 0)


def save_weights(path: Path, weights: Weights) -> None:
    """Write weights as a file of plain arrays: a whole file, or nothing."""
    write_arrays(path, weights)


def load_weights(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read weights; nothing but plain arrays is ever unpacked.

    Raises:
        ItemError: With reason ``bad_weights``: missing, damaged, or holding other things.
    """
    try:
        return read_arrays(path)
    except (OSError, ValueError) as error:
        raise ItemError("bad_weights", f"{path}: {error}") from error
