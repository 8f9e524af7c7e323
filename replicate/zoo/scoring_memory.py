"""What became of each model of a job: small files, so that a finished zoo loads nothing."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from replicate.base.digests import digest_value, sha256_file
from replicate.base.errors import ItemError, ReplicateError
from replicate.base.files import read_json, write_json
from replicate.zoo.loaded import Description, module_digest
from replicate.zoo.prediction_files import Key, intact, path_of
from replicate.zoo.schemes import ModelOptions, describe, split

_FETCHED = "fetched:"


@dataclass(frozen=True)
class Identity:
    """A model before it is loaded: its description, and what its weights are known by.

    Attributes:
        description: What it is.
        weights: The SHA-256 of the file of its weights, or of the tensors that a function made.
    """

    description: Description
    weights: str

    @property
    def fetched(self) -> bool:
        """Whether its weights were not on this machine when it was described."""
        return self.weights.startswith(_FETCHED)

    @property
    def key(self) -> str:
        """Of all that is known of it: weights, what it is fed, and what its outputs mean."""
        found = self.description
        return digest_value([self.weights, found.preprocessing, list(found.outputs or ())])


def identity(name: str, options: ModelOptions, known: Path) -> Identity:
    """Describe a model and find what its weights are known by.

    Args:
        name: The model's full name.
        options: What it is opened with.
        known: A folder that remembers digests of files by size and time.

    Raises:
        ReplicateError: The model cannot be described.
    """
    kind, rest = split(name)
    if kind == "py":  # the function alone knows
        from replicate.zoo.scheme_py import scheme

        found, made = scheme.made(rest, options)
        return Identity(found, module_digest(made.module))
    found = describe(name, options)
    path = Path(found.weights) if found.weights else None
    if path is None or not path.is_file():
        return Identity(found, f"{_FETCHED}{found.weights}")
    status = path.stat()
    note = known / digest_value([str(path), status.st_size, status.st_mtime_ns])
    try:
        digest = note.read_text()
    except OSError:
        digest = sha256_file(path)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(digest)
    return Identity(found, digest)


class Memory:
    """What became of the models of one job.

    Args:
        folder: Where the notes are.
        predictions: Where the prediction files are.
        way: The digest of all else that decides the predictions: set, arithmetic, maps, prompts.
        n: Images of the set.
    """

    def __init__(self, folder: Path, predictions: Path, way: str, n: int) -> None:
        self._folder = folder
        self._predictions = predictions
        self._way = way
        self._n = n

    def unit(self, name: str, known_by: str) -> str:
        """A name for the work on a model, fit for a folder.

        Args:
            name: The model's full name.
            known_by: What else tells it from other models: `Identity.key`.
        """
        slug = path_of(Path(), name, Key("", "", "", "", "")).name.rsplit(".", 2)[0]
        return f"{slug}.{digest_value([name, known_by, self._way])[:16]}"

    def _note(self, unit: str) -> Path:
        return self._folder / f"{unit}.json"

    def finished(self, unit: str) -> Path | None:
        """The prediction file of a unit, if it is there and whole."""
        value = self._read(unit)
        try:
            path, key = self._predictions / value["path"], Key(**value["key"])
        except (KeyError, TypeError):
            return None
        return path if intact(path, key, self._n) else None

    def failed(self, unit: str) -> tuple[str, str] | None:
        """Reason and message of a unit that failed; None if it did not."""
        value = self._read(unit)
        if "reason" not in value:
            return None
        return str(value["reason"]), str(value.get("message", ""))

    def _read(self, unit: str) -> dict[str, Any]:
        try:
            value = read_json(self._note(unit))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def remember(self, unit: str, path: Path, key: Key) -> None:
        """Note where a unit's predictions are."""
        write_json(self._note(unit), {"path": path.name, "key": asdict(key)})

    def fail(self, unit: str | None, error: ReplicateError) -> tuple[str, str]:
        """Note that a unit failed, and say why; what is only missing here is not noted."""
        reason = error.reason if isinstance(error, ItemError) else "not_here"
        message = error.whole
        if isinstance(error, ItemError) and unit is not None:
            write_json(self._note(unit), {"reason": reason, "message": message})
        return reason, message
