"""Hashes of many images in a file: made once, compared for ever.

A ``.npz`` file holds the arrays ``path`` (text) and ``hash`` (uint64, shape (n,) for 64 bits or
(n, 4) for 256), how they were made (``format``, ``algorithm``, ``bits``, ``decoder``, and
``versions`` as JSON text), the images that could not be hashed (``failed_path``,
``failed_reason``), and whatever else was kept of each image. The same hashes are the same bytes.
A ``.npy`` file holds the array of hashes and nothing else.
"""

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import MissingError, UsageError
from replicate.base.files import atomic_path
from replicate.duplicates.hashing import UNKNOWN, HashInfo, Words, check_bits

FORMAT = 1
_ROWS = 1 << 13  # texts turned into an array at a time
_EXTRAS = ("structure", "turned", "file_digest", "pixel_digest")
_HINT = "Make it again: replicate duplicates … --save-hashes H.npz"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a file's bytes must not depend on when it was written


@dataclass(frozen=True)
class HashSet:
    """The hashes of a set of images, and how they were made.

    Attributes:
        paths: A name for each image, n of them.
        hashes: Shape (n,) for 64 bits, (n, 4) for 256; the first bit is the highest.
        algorithm: ``phash``, ``phash-fast``, ``dhash``, ``whash`` or ``average``.
        bits: 64 or 256.
        decoder: What turned files into pixels; ``unknown`` for bare arrays.
        versions: The version of every library that a hash depends on, by name.
        failed: Images that could not be hashed, and for each a reason.
        structure: How much there is to tell an image by, in grey levels, shape (n,); see
            `replicate.duplicates.hashing.structure`.
        turned: The hashes of the image's seven other positions, in the order of
            `replicate.duplicates.transforms.TRANSFORMS`, shape (n, 7) or (n, 7, 4).
        file_digest: SHA-256 of each file, shape (n, 32).
        pixel_digest: SHA-256 of each image's size and pixels, shape (n, 32).
    """

    paths: Sequence[str]
    hashes: Words
    algorithm: str
    bits: int
    decoder: str
    versions: Mapping[str, str]
    failed: Mapping[str, str] = field(default_factory=dict)
    structure: npt.NDArray[np.float32] | None = None
    turned: Words | None = None
    file_digest: npt.NDArray[np.uint8] | None = None
    pixel_digest: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        check_bits(self.bits)
        n, words = len(self.paths), self.bits // 64
        if self.hashes.dtype != np.uint64 or self.hashes.shape != _shape(n, words):
            raise UsageError(
                f"{self.bits}-bit hashes of {n} images are uint64 of shape {_shape(n, words)}, "
                f"not {self.hashes.dtype} of shape {self.hashes.shape}.",
                _HINT,
            )

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def info(self) -> HashInfo:
        """How the hashes were made, for `require_comparable`."""
        return HashInfo(self.algorithm, self.bits, self.decoder, self.versions)

    def some(self, places: npt.NDArray[np.int64]) -> "HashSet":
        """Some of the images, shape (m,), in that order."""
        extras: dict[str, Any] = {name: getattr(self, name) for name in _EXTRAS}
        extras = {name: None if kept is None else kept[places] for name, kept in extras.items()}
        names = [self.paths[place] for place in places]
        return replace(self, paths=names, hashes=self.hashes[places], **extras)

    def write(self, path: Path) -> None:
        """Write a ``.npz`` file (or a bare ``.npy``), whole or not at all.

        Raises:
            UsageError: The name ends in something else.
        """
        if path.suffix == ".npy":
            with atomic_path(path) as temporary, temporary.open("wb") as handle:
                np.lib.format.write_array(handle, self.hashes, allow_pickle=False)
            return
        if path.suffix != ".npz":
            raise UsageError(f"{path} ends in neither .npz nor .npy.", "Name a file H.npz.")
        with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name, value in self._members().items():
                _write_member(archive, name, value)

    def _members(self) -> dict[str, Any]:
        members: dict[str, Any] = {
            "format": np.array(FORMAT),
            "algorithm": np.array(self.algorithm),
            "bits": np.array(self.bits),
            "decoder": np.array(self.decoder),
            "versions": np.array(json.dumps(dict(sorted(self.versions.items())))),
            "path": self.paths,
            "hash": self.hashes,
            "failed_path": list(self.failed),
            "failed_reason": list(self.failed.values()),
        }
        extras = {name: getattr(self, name) for name in _EXTRAS}
        return members | {name: value for name, value in extras.items() if value is not None}

    @classmethod
    def read(cls, path: Path, algorithm: str | None = None, bits: int | None = None) -> "HashSet":
        """Read a hash file.

        Args:
            path: A ``.npz`` file that `write` made, or a bare ``.npy``, whose images are named
                by their row.
            algorithm: Of a bare file, as the user says it.
            bits: Likewise.

        Raises:
            MissingError: There is no such file.
            UsageError: It is no hash file, is broken, is of another format, or says nothing of
                how its hashes were made.
        """
        if not path.is_file():
            raise MissingError(f"There is no hash file {path}.", _HINT)
        if path.suffix == ".npy":
            return _read_bare(path, algorithm, bits)
        try:
            with zipfile.ZipFile(path) as archive:
                return cls(**_read_members(archive, path))
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError) as error:
            raise UsageError(f"{path} cannot be read as a hash file: {error}.", _HINT) from error


def _shape(n: int, words: int) -> tuple[int, ...]:
    return (n,) if words == 1 else (n, words)


def _write_member(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as handle:
        if isinstance(value, np.ndarray):
            np.lib.format.write_array(handle, value, version=(1, 0), allow_pickle=False)
            return
        # Texts: an array of them has room for the longest in every place, so a part at a time.
        longest = max(1, max(map(len, value), default=1))
        header = {"descr": f"<U{longest}", "fortran_order": False, "shape": (len(value),)}
        np.lib.format.write_array_header_1_0(handle, header)
        for start in range(0, len(value), _ROWS):
            handle.write(np.array(value[start : start + _ROWS], f"<U{longest}").tobytes())


def _read_members(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    def scalar(name: str) -> Any:
        return _read_member(archive, name, _array).item()

    found = scalar("format")
    if found != FORMAT:
        raise UsageError(
            f"{path} is a hash file of format {found}; this version of replicate reads {FORMAT}.",
            _HINT,
        )
    failed = zip(
        _read_member(archive, "failed_path", _texts),
        _read_member(archive, "failed_reason", _texts),
        strict=True,
    )
    extras = {
        name: _read_member(archive, name, _array)
        for name in _EXTRAS
        if f"{name}.npy" in archive.namelist()
    }
    return extras | {
        "paths": _read_member(archive, "path", _texts),
        "hashes": _read_member(archive, "hash", _array),
        "algorithm": str(scalar("algorithm")),
        "bits": int(scalar("bits")),
        "decoder": str(scalar("decoder")),
        "versions": {str(k): str(v) for k, v in json.loads(scalar("versions")).items()},
        "failed": dict(failed),
    }


def _read_member(archive: zipfile.ZipFile, name: str, read: Callable[[IO[bytes]], Any]) -> Any:
    with archive.open(f"{name}.npy") as handle:
        return read(handle)


def _array(handle: IO[bytes]) -> npt.NDArray[Any]:
    made: npt.NDArray[Any] = np.lib.format.read_array(handle, allow_pickle=False)
    return made


def _texts(handle: IO[bytes]) -> list[str]:
    """The texts of an array, without ever holding it whole: it may be far larger than they are."""
    np.lib.format.read_magic(handle)
    shape, _, kind = np.lib.format.read_array_header_1_0(handle)
    if kind.kind != "U" or len(shape) != 1:
        raise ValueError("the names are not texts")
    texts: list[str] = []
    while len(texts) < shape[0]:
        rows = min(_ROWS, shape[0] - len(texts))
        data = handle.read(rows * kind.itemsize)
        if len(data) < rows * kind.itemsize:
            raise EOFError("the file ends too early")
        texts += np.frombuffer(data, kind).tolist()
    return texts


def _read_bare(path: Path, algorithm: str | None, bits: int | None) -> HashSet:
    if algorithm is None or bits is None:
        raise UsageError(
            f"{path} holds bare hashes, and does not say how they were made.",
            "Say it: --hash phash --bits 64",
        )
    check_bits(bits)
    try:
        hashes = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UsageError(f"{path} cannot be read as an array: {error}.", _HINT) from error
    expected = _shape(len(hashes) if hashes.ndim else 0, bits // 64)
    if hashes.dtype != np.uint64 or hashes.shape != expected:
        raise UsageError(
            f"{path} holds {hashes.dtype} of shape {hashes.shape}; {bits}-bit hashes are uint64 of "
            f"shape {'(n,)' if bits == 64 else '(n, 4)'}.",
            "Give the right --bits, or another file.",
        )
    names = [str(row) for row in range(len(hashes))]
    return HashSet(names, hashes, algorithm, bits, UNKNOWN, {})


def joined(parts: Sequence[HashSet]) -> HashSet:
    """Several sets as one, in their order.

    What not all of them kept is left out.

    Args:
        parts: Sets whose hashes were made in the same way, one or more.
    """
    first = parts[0]
    extras = {}
    for name in _EXTRAS:
        kept = [getattr(part, name) for part in parts]
        extras[name] = None if any(one is None for one in kept) else np.concatenate(kept)
    return HashSet(
        [path for part in parts for path in part.paths],
        np.concatenate([part.hashes for part in parts]),
        first.algorithm,
        first.bits,
        first.decoder,
        first.versions,
        {path: reason for part in parts for path, reason in part.failed.items()},
        **extras,
    )
