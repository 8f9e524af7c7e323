"""torchvision's data sets as existing labelled sets: ``torchvision:CIFAR10?root=data&train=false``.

Files that a data set keeps as files are handed over as they are; images that it keeps as arrays
become PNG, which loses nothing. Nothing is downloaded unless the address says ``download=true``.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from replicate.base.errors import MissingError, UsageError
from replicate.base.images import encode_png
from replicate.zoo.extras import require

PREFIX = "torchvision:"
_FOLDERS = ("root", "annFile", "data_dir")


@dataclass(frozen=True)
class Address:
    """A data set and how it is opened.

    Attributes:
        name: Its class in ``torchvision.datasets``.
        options: Arguments of that class.
    """

    name: str
    options: dict[str, Any]


@dataclass(frozen=True)
class LabelledFile:
    """One image: a name that stays the same, its label and the bytes of a file."""

    name: str
    label: str
    data: bytes


def parse(spec: str, folder: Path) -> Address:
    """Read an address.

    Args:
        spec: ``torchvision:NAME?option=value&…``; ``true``, ``false`` and whole numbers are what
            they look like, folders are relative.
        folder: What they are relative to.

    Raises:
        UsageError: It has no name, or no root.

    >>> parse("torchvision:CIFAR10?root=data&train=false", Path("/s")).options["train"]
    False
    """
    name, _, query = spec.removeprefix(PREFIX).partition("?")
    options: dict[str, Any] = {key: _value(text) for key, text in parse_qsl(query)}
    if not name.isidentifier() or "root" not in options:
        raise UsageError(
            f"{spec!r} does not say which data set is meant, and where it is.",
            "Write it like torchvision:CIFAR10?root=data&train=false",
        )
    for key in _FOLDERS:
        if key in options:
            options[key] = str(folder / Path(str(options[key])).expanduser())
    return Address(name, options)


def labels(spec: str, folder: Path) -> list[str]:
    """The labels of a data set: the names of its classes, or numbers where it has none.

    Raises:
        MissingError: torchvision is not installed, or the data set is not in its folder.
        UsageError: There is no such data set, or it has no labels.
    """
    data = _open(parse(spec, folder))
    return list(dict.fromkeys(_label(data, target) for target in _targets(data)))


def images(spec: str, folder: Path) -> Iterator[LabelledFile]:
    """The images of a data set, in its order.

    Raises:
        MissingError: torchvision is not installed, or the data set is not in its folder.
        UsageError: There is no such data set, or it has no labels.
    """
    import numpy as np

    address = parse(spec, folder)
    data = _open(address)
    files = getattr(data, "samples", None)
    root = Path(address.options["root"])
    for position, target in enumerate(_targets(data)):
        label = _label(data, target)
        if files is not None and isinstance(files[position][0], str):
            path = Path(files[position][0])
            name = path.relative_to(root) if path.is_relative_to(root) else path
            yield LabelledFile(name.as_posix(), label, path.read_bytes())
        else:
            picture = data[position][0]
            pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
            yield LabelledFile(f"{address.name}-{position}", label, encode_png(pixels))


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isascii() and text.isdigit() else text


def _open(address: Address) -> Any:
    datasets = require("torchvision.datasets")
    names = [name for name in datasets.__all__ if isinstance(getattr(datasets, name), type)]
    if address.name not in names:
        near = difflib.get_close_matches(address.name, names, n=1, cutoff=0.4)
        raise UsageError(
            f"torchvision has no data set {address.name!r}.",
            f"Did you mean {near[0]!r}?" if near else "Its documentation lists them.",
        )
    try:
        return getattr(datasets, address.name)(**address.options)
    except TypeError as error:
        raise UsageError(
            f"torchvision's {address.name} cannot be opened so: {error}.",
            "Its arguments are written as in torchvision:CIFAR10?root=data&train=false",
        ) from error
    except (RuntimeError, OSError, ValueError) as error:
        raise MissingError(
            f"torchvision's {address.name} is not in {address.options['root']}: {error}.",
            "Put it there, or let torchvision fetch it: add &download=true",
        ) from error


def _targets(data: Any) -> list[Any]:
    for name in ("targets", "labels", "_labels", "y"):
        found = getattr(data, name, None)
        if found is not None and len(found) == len(data):
            return [int(target) for target in found]
    try:
        return [int(data[position][1]) for position in range(len(data))]
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"torchvision's {type(data).__name__} has no class for each image.",
            "Give a folder or a table instead.",
        ) from error


def _label(data: Any, target: int) -> str:
    """The name of a class: of ImageNet, whose classes have several, its folder's; else a number."""
    for names in (getattr(data, "wnids", None), getattr(data, "classes", None)):
        if isinstance(names, list | tuple) and 0 <= target < len(names):
            name = names[target]
            return str(name[0] if isinstance(name, tuple) else name)
    return str(target)
