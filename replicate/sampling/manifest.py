"""The manifest of a frozen test set: what it holds, how it was drawn, and a digest over it."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicate.base.digests import digest_value, sha256_bytes
from replicate.base.errors import ReplicateError, UsageError
from replicate.base.files import read_json, write_json

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What a test set is.

    Attributes:
        name: The set's name.
        revision: From 1.
        strategy: How it was drawn.
        parameters: The strategy's parameters and the seed, JSON-serialisable.
        members: (image id, class id) in the set's order; an image id is the SHA-256 of its file.
    """

    name: str
    revision: int
    strategy: str
    parameters: Mapping[str, Any]
    members: Sequence[tuple[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """The manifest as JSON values; `from_dict` turns it back.

        >>> Manifest("top", 1, "top", {}, [("a", "0")]).as_dict()["images"]
        [['a', '0']]
        """
        return {
            "format": FORMAT,
            "name": self.name,
            "revision": self.revision,
            "strategy": self.strategy,
            "parameters": dict(self.parameters),
            "images": [[image_id, class_id] for image_id, class_id in self.members],
        }

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON of `as_dict`.

        >>> one = Manifest("top", 1, "top", {}, [("a", "0")])
        >>> one.digest == Manifest("top", 2, "top", {}, [("a", "0")]).digest
        False
        """
        return digest_value(self.as_dict())


def from_dict(values: Mapping[str, Any]) -> Manifest:
    """The manifest that `as_dict` described.

    Raises:
        UsageError: It is not one, or of a newer format.

    >>> one = Manifest("top", 1, "top", {"per_class": 1}, [("a", "0")])
    >>> from_dict(one.as_dict()).digest == one.digest
    True
    """
    try:
        if values["format"] != FORMAT:
            raise UsageError(
                f"This manifest has format {values['format']}; this version reads {FORMAT}.",
                "Install the newer replicate: pip install --upgrade replicate-testsets",
            )
        return Manifest(
            str(values["name"]),
            int(values["revision"]),
            str(values["strategy"]),
            dict(values["parameters"]),
            [(str(image_id), str(class_id)) for image_id, class_id in values["images"]],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"This is no manifest of a test set: {error}.") from error


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest with its digest as a JSON file: the whole file, or nothing.

    >>> import tempfile
    >>> one = Manifest("top", 1, "top", {}, [("a", "0")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_manifest(Path(folder) / "top-1.json", one)
    ...     read_manifest(Path(folder) / "top-1.json").members
    [('a', '0')]
    """
    write_json(path, manifest.as_dict() | {"digest": manifest.digest})


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, and check that it still has the digest that it names.

    Raises:
        UsageError: The file is no manifest.
        ReplicateError: It was changed after it was written.

    >>> read_manifest(Path("no-such-file.json"))
    Traceback (most recent call last):
    replicate.base.errors.UsageError: The manifest no-such-file.json cannot be read.
    """
    try:
        values = read_json(path)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(
            f"The manifest {path} cannot be read.",
            "Name the JSON file that freezing wrote, such as sets/matched-1.json in the study.",
        ) from error
    manifest = from_dict(values)
    faults = verify(manifest, str(values.get("digest")))
    if faults:
        raise ReplicateError(f"{path} is not valid. {' '.join(faults)}")
    return manifest


def verify(
    manifest: Manifest, digest: str, read: Callable[[str], bytes | None] | None = None
) -> list[str]:
    """What is wrong with a set, one sentence a fault; empty if it is whole.

    Args:
        manifest: What the set claims to be.
        digest: The digest that it was frozen with.
        read: Gives the file of an image id, or None if it is not there; without it the files are
            not looked at.

    >>> one = Manifest("top", 1, "top", {}, [("a", "0")])
    >>> verify(one, one.digest)
    []
    >>> verify(one, one.digest, lambda image_id: b"other")
    ['The file of image a has other content: its SHA-256 is d9298a10d1b0….']
    """
    faults = []
    if manifest.digest != digest:
        faults.append(
            f"The manifest of {manifest.name}-{manifest.revision} has digest "
            f"{manifest.digest[:12]}…, not {digest[:12]}…: it was changed after it was frozen."
        )
    ids = [image_id for image_id, _ in manifest.members]
    for image_id, count in Counter(ids).items():
        if count > 1:
            faults.append(f"Image {image_id} is in the set {count} times.")
    for image_id in dict.fromkeys(ids) if read else ():
        data = read(image_id) if read else None
        if data is None:
            faults.append(f"The file of image {image_id} is missing.")
        elif sha256_bytes(data) != image_id:
            faults.append(
                f"The file of image {image_id} has other content: "
                f"its SHA-256 is {sha256_bytes(data)[:12]}…."
            )
    return faults
