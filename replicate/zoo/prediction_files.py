"""Predictions of one model on one set: one columnar Arrow file, whole or not there.

Columns: ``item`` (text), ``label`` (int32, null where it is not known), ``classes`` and ``scores``
(lists of k, best first), ``log_sum_exp``, ``correct`` (null where it is not known), and ``logits``
on request. The schema's metadata holds a JSON header: what the predictions depend on, and what
the class numbers mean. Files are read memory-mapped: a hundred million rows open in a moment.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError
from replicate.base.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
_HEADER = b"replicate"


@dataclass(frozen=True)
class Key:
    """What predictions depend on.

    Attributes:
        weights: The digest of the weights.
        preprocessing: The name of the preprocessing, decoder included.
        precision: The arithmetic: fp32, tf32, bf16, fp16, and what else was asked for.
        outputs: The name of the map of outputs to classes.
        test_set: The digest of the set.
    """

    weights: str
    preprocessing: str
    precision: str
    outputs: str
    test_set: str

    @property
    def digest(self) -> str:
        """A name for the key, 64 hexadecimal digits."""
        return digest_value(asdict(self))


@dataclass(frozen=True)
class Scored:
    """What a model says about n images.

    Attributes:
        classes: int32 (n, k): the classes with the highest scores, best first; −1 where an image
            could not be read.
        scores: float32 (n, k).
        log_sum_exp: float32 (n,): log of the sum of exponentials of all classes' scores.
        logits: float32 (n, classes), or None.
    """

    classes: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    log_sum_exp: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32] | None = None

    def joined(self, others: Sequence["Scored"]) -> "Scored":
        """Itself and others, one after the other."""
        parts = [self, *others]
        logits = [part.logits for part in parts if part.logits is not None]
        return Scored(
            np.concatenate([part.classes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.log_sum_exp for part in parts]),
            np.concatenate(logits) if len(logits) == len(parts) else None,
        )


@dataclass(frozen=True)
class PredictionFile:
    """An opened file.

    Attributes:
        header: What it depends on and what its numbers mean.
        items: The images' names.
        labels: Each image's class as a place in ``header["classes"]``; −1: not known.
        scored: The predictions, memory-mapped.
    """

    header: Mapping[str, Any]
    items: tuple[str, ...]
    labels: npt.NDArray[np.int32]
    scored: Scored

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Which images could be read."""
        return np.asarray(self.scored.classes[:, 0] >= 0)

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether the best class is the label, of images that were read and have one."""
        known = self.readable & (self.labels >= 0)
        return np.asarray(self.scored.classes[known, 0] == self.labels[known])

    @property
    def digest(self) -> str:
        """The SHA-256 of the predicted classes and what they are: not of any file."""
        little = np.ascontiguousarray(self.scored.classes, dtype="<i4")
        head = json.dumps([list(self.header["classes"]), list(little.shape)])
        return hashlib.sha256(head.encode() + little.tobytes()).hexdigest()

    @property
    def counts(self) -> tuple[int, int]:
        """Images with a label and a prediction, and how many of them are right."""
        right = self.correct
        return len(right), int(right.sum())


def path_of(folder: Path, model: str, key: Key) -> Path:
    """Where a model's predictions on a set are kept, or would be.

    >>> path_of(Path("p"), "timm:vgg11", Key("w", "v", "fp32", "own", "s")).name[:11]
    'timm-vgg11.'
    """
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-")[:120]
    return folder / f"{slug}.{key.digest[:16]}.arrow"


def write(
    path: Path,
    header: Mapping[str, Any],
    items: Sequence[str],
    labels: npt.NDArray[np.int32] | None,
    scored: Scored,
) -> None:
    """Write a whole file, or nothing; the same content is the same bytes.

    Args:
        path: Where to.
        header: JSON values: model, key, classes, versions.
        items: The images' names, n of them.
        labels: Each image's class number, −1 where it is not known; None: of none.
        scored: The predictions.
    """
    import pyarrow as pa
    from pyarrow import feather

    n = len(items)
    read = scored.classes[:, 0] >= 0
    given = np.full(n, -1, np.int32) if labels is None else labels
    known = given >= 0
    columns: dict[str, Any] = {
        "item": pa.array(items, pa.string()),
        "label": pa.array(given, pa.int32(), mask=~known),
        "classes": _lists(scored.classes, pa.int32()),
        "scores": _lists(scored.scores, pa.float32()),
        "log_sum_exp": pa.array(scored.log_sum_exp, pa.float32(), mask=~read),
        "correct": pa.array(scored.classes[:, 0] == given, pa.bool_(), mask=~(read & known)),
    }
    if scored.logits is not None:
        columns["logits"] = _lists(scored.logits, pa.float32())
    text = json.dumps({"format": FORMAT, **header}, sort_keys=True, ensure_ascii=False)
    table = pa.table(columns).replace_schema_metadata({_HEADER: text.encode()})
    with atomic_path(path) as temporary:
        feather.write_feather(table, temporary, compression="uncompressed")


def _lists(values: npt.NDArray[Any], kind: "pa.DataType") -> Any:
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(values).reshape(-1), kind)
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def read_header(path: Path) -> dict[str, Any]:
    """The header alone.

    Raises:
        ItemError: With reason ``bad_predictions``: the file is not what `write` wrote.
    """
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            metadata = pa.ipc.open_file(source).schema.metadata or {}
        header = json.loads(metadata[_HEADER])
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ItemError("bad_predictions", f"{path}: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ItemError("bad_predictions", f"{path} has another format")
    return header


def read(path: Path) -> PredictionFile:
    """Open a file, memory-mapped.

    Raises:
        ItemError: With reason ``bad_predictions``: the file is not what `write` wrote.
    """
    import pyarrow as pa

    header = read_header(path)
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        classes, scores = (_matrix(table[name]) for name in ("classes", "scores"))
        logits = _matrix(table["logits"]) if "logits" in table.column_names else None
        sums: npt.NDArray[Any] = np.from_dlpack(
            table["log_sum_exp"].combine_chunks().fill_null(float("nan"))
        )
        labels = np.from_dlpack(table["label"].combine_chunks().fill_null(-1)).astype(np.int32)
        items = tuple(table["item"].to_pylist())
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ItemError("bad_predictions", f"{path}: {error}") from error
    return PredictionFile(header, items, labels, Scored(classes, scores, sums, logits))


def _matrix(column: Any) -> npt.NDArray[Any]:
    whole = column.combine_chunks()
    width = whole.type.list_size
    values: npt.NDArray[Any] = np.from_dlpack(whole.flatten())  # to_numpy would load pandas
    return values.reshape(-1, width)


def intact(path: Path, key: Key, n: int) -> bool:
    """Whether a file is there that holds the predictions of this key for n images."""
    try:
        header = read_header(path)
    except ItemError:
        return False
    return header.get("key") == key.digest and header.get("n") == n
