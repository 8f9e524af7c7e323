"""Per-image predictions: one file for each (model, test set), whole or not there.

The file is an ``.npz`` of plain arrays and one JSON header; it is named by what the predictions
depend on: the content of the weights, the preprocessing, the precision and the set.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError, ReplicateError
from replicate.zoo.arrays import read_arrays, write_arrays

FORMAT = 1


@dataclass(frozen=True)
class Predictions:
    """What a model says about n images.

    Args:
        classes: int16 (n, k): the outputs with the highest scores, best first.
        scores: float32 (n, k): their scores before the softmax.
        log_sum_exp: float32 (n,): log of the sum of exponentials of all scores, so that
            ``exp(scores - log_sum_exp)`` are probabilities.
    """

    classes: npt.NDArray[np.int16]
    scores: npt.NDArray[np.float32]
    log_sum_exp: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.classes)
        if self.classes.ndim != 2 or self.scores.shape != self.classes.shape:
            raise ReplicateError("Predictions need classes and scores of one shape (n, k).")
        if self.log_sum_exp.shape != (n,):
            raise ReplicateError("Predictions need one log-sum-exp an image.")

    @property
    def digest(self) -> str:
        """The SHA-256 of the predicted classes: of the array, not of any file."""
        little = np.ascontiguousarray(self.classes, dtype="<i2")
        return hashlib.sha256(f"{little.shape}".encode() + little.tobytes()).hexdigest()


@dataclass(frozen=True)
class PredictionKey:
    """What predictions depend on.

    Args:
        weights: The digest of the weights (see :mod:`replicate.zoo.weights`).
        preprocessing: The name and version of the preprocessing.
        precision: The number format of the arithmetic, ``fp32``.
        test_set: The digest of the set's ordered images.
    """

    weights: str
    preprocessing: str
    precision: str
    test_set: str

    @property
    def digest(self) -> str:
        """A name for the key, 64 hexadecimal digits."""
        return digest_value(asdict(self))


@dataclass(frozen=True)
class Counts:
    """How many of n images are right."""

    n: int
    top1: int
    top5: int


def count(predictions: Predictions, labels: npt.NDArray[Any]) -> Counts:
    """Count the right predictions.

    Args:
        predictions: For n images.
        labels: int (n,): the right output of each.

    Raises:
        ReplicateError: The lengths differ, or there is no image.

    >>> two = Predictions(np.array([[1, 0], [1, 0]], np.int16), np.zeros((2, 2), np.float32),
    ...                   np.zeros(2, np.float32))
    >>> count(two, np.array([1, 0]))
    Counts(n=2, top1=1, top5=2)
    """
    n = len(predictions.classes)
    if labels.shape != (n,):
        raise ReplicateError(f"{n} predictions, but labels of shape {labels.shape}.")
    if n == 0:
        raise ReplicateError("An empty set has no accuracy.")
    hits = predictions.classes == labels[:, None]
    return Counts(n, int(hits[:, 0].sum()), int(hits[:, :5].any(axis=1).sum()))


def path_of(folder: Path, key: PredictionKey) -> Path:
    """Where the predictions of a key are kept, or would be."""
    return folder / key.digest[:2] / f"{key.digest}.npz"


def save(folder: Path, key: PredictionKey, predictions: Predictions, model: str) -> Path:
    """Keep predictions: a whole file, or nothing.

    Args:
        folder: The study's predictions.
        key: What they depend on.
        predictions: What to keep.
        model: The model's name, for people who open the file.

    Returns:
        The file's path.
    """
    header = {"format": FORMAT, "model": model, "digest": predictions.digest, **asdict(key)}
    path = path_of(folder, key)
    arrays: dict[str, Any] = {
        "header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8),
        "classes": predictions.classes,
        "scores": predictions.scores,
        "log_sum_exp": predictions.log_sum_exp,
    }
    write_arrays(path, arrays)
    return path


def read(path: Path) -> Predictions:
    """The predictions that a file holds.

    Raises:
        ItemError: With reason ``bad_predictions``: the file is not what was written.
    """
    try:
        arrays = read_arrays(path)
        header = json.loads(arrays["header"].tobytes())
        found = Predictions(arrays["classes"], arrays["scores"], arrays["log_sum_exp"])
        intact = header["digest"] == found.digest
    except (OSError, ValueError, LookupError, TypeError, ReplicateError) as error:
        raise ItemError("bad_predictions", f"{path}: {error}") from error
    if not intact:
        raise ItemError("bad_predictions", f"{path}: the content does not match its digest")
    return found


def find(folder: Path, key: PredictionKey) -> Predictions | None:
    """The kept predictions of a key, or None where there are none or the file is damaged."""
    try:
        return read(path_of(folder, key))
    except ItemError:
        return None
