"""``file:PATH?arch=SCHEME:NAME``: a checkpoint on this machine, with its architecture.

The architecture is a model of another scheme (``timm:resnet50``, ``py:mymodels:build``), whose
view and class map it takes over. Parameters: ``arch``; ``match=position`` to take tensors in
their order where names differ; ``key`` for the entry of a checkpoint that holds the weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate.base.errors import ItemError, UsageError
from replicate.zoo.extras import require
from replicate.zoo.loaded import Description, LoadedModel, loaded
from replicate.zoo.query import split_query, the_file
from replicate.zoo.schemes import ModelOptions, find_scheme, split

if TYPE_CHECKING:
    from torch import Tensor, nn

_ENTRIES = ("state_dict", "state_dict_ema", "model_ema", "model", "net", "module")
_PARAMETERS = ("arch", "match", "key")


class FileScheme:
    """Checkpoints: safetensors, or torch files of plain tensors."""

    def names(self) -> Sequence[str]:
        """None: files cannot be listed."""
        return ()

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """The architecture's description with this file's weights; see `Scheme.describe`."""
        path, values = split_query(rest, _PARAMETERS)
        file = the_file(options.root, path, "checkpoint")
        scheme, arch = _architecture(rest, values)
        found = find_scheme(scheme).describe(arch, options)
        card = {**found.card, "architecture": f"{scheme}:{arch}"}
        return replace(found, name=f"file:{rest}", weights=str(file), missing=None, card=card)

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """See `Scheme.open`."""
        path, values = split_query(rest, _PARAMETERS)
        description = self.describe(rest, options)
        tensors = read_checkpoint(
            the_file(options.root, path, "checkpoint"), options.allow_pickle, values.get("key")
        )
        module = _untrained(*_architecture(rest, values), options)
        _fill(module, tensors, values.get("match", "name"), description.name)
        return loaded(description, module)


def _architecture(rest: str, values: Mapping[str, str]) -> tuple[str, str]:
    if "arch" not in values:
        raise UsageError(
            f"file:{rest} does not say what architecture it is.",
            f"Write file:{rest}?arch=timm:NAME (or torchvision:NAME, py:MODULE:FUNCTION).",
        )
    scheme, arch = split(values["arch"])
    if scheme not in ("timm", "torchvision", "py"):
        raise UsageError(
            f"An architecture cannot be of the scheme {scheme}:.",
            "Take timm:, torchvision: or py:.",
        )
    return scheme, arch


def _untrained(scheme: str, arch: str, options: ModelOptions) -> "nn.Module":
    module: nn.Module
    if scheme == "timm":
        module = require("timm").create_model(arch, pretrained=False)
    elif scheme == "torchvision":
        name = arch.partition("@")[0]
        module = require("torchvision").models.get_model(name, weights=None)
    else:
        from replicate.zoo.scheme_py import call

        module = call(arch, options).module
    return module


def read_checkpoint(path: Path, allow_pickle: bool, key: str | None = None) -> "dict[str, Tensor]":
    """The tensors of a checkpoint, by name, in the file's order.

    Args:
        path: ``.safetensors``, or what ``torch.save`` wrote.
        allow_pickle: Whether files that can run code when they are read are read.
        key: The entry that holds the weights; by default a usual one.

    Raises:
        UsageError: The file would run code and that is not allowed, or the entry is not there.
        ItemError: With reason ``bad_weights``: it is no checkpoint.
    """
    import pickle

    import torch

    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            raise ItemError("bad_weights", f"{path.name}: {error}") from error
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not allow_pickle:
            raise UsageError(
                f"{path} holds more than plain tensors: reading it can run its maker's code.",
                "Convert it to safetensors, or, if you trust its maker, add --allow-pickle.",
            ) from error
        content = torch.load(path, map_location="cpu", weights_only=False)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ItemError("bad_weights", f"{path.name} is no checkpoint: {error}") from error
    return _tensors(content, path, key)


def _tensors(content: Any, path: Path, key: str | None) -> "dict[str, Tensor]":
    import torch

    if isinstance(content, torch.nn.Module):
        content = content.state_dict()
    if isinstance(content, Mapping):
        if key is not None and key not in content:
            raise UsageError(
                f"{path.name} has no entry {key!r}.", f"It has: {', '.join(map(str, content))}."
            )
        entry = key or next((e for e in _ENTRIES if isinstance(content.get(e), Mapping)), None)
        content = content[entry] if entry is not None else content
    if not isinstance(content, Mapping):
        raise ItemError("bad_weights", f"{path.name} holds no tensors by name")
    tensors = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise ItemError("bad_weights", f"{path.name} holds no tensors by name")
    while all(name.startswith("module.") for name in tensors):  # saved from several GPUs
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return tensors


def _fill(module: "nn.Module", tensors: "dict[str, Tensor]", match: str, name: str) -> None:
    if match not in ("name", "position"):
        raise UsageError(f"match={match} is not known.", "It is match=name or match=position.")
    own = module.state_dict()
    if match == "position":
        shapes = [tuple(v.shape) for v in own.values()], [tuple(v.shape) for v in tensors.values()]
        if shapes[0] != shapes[1]:
            at = next(
                (i for i, (a, b) in enumerate(zip(*shapes, strict=False)) if a != b),
                min(map(len, shapes)),
            )
            raise ItemError(
                "bad_weights",
                f"{name}: tensor {at} of {len(shapes[1])} does not fit that of the architecture "
                f"({len(shapes[0])} tensors)",
            )
        tensors = dict(zip(own, tensors.values(), strict=True))
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise ItemError("bad_weights", f"{name} does not fit its architecture: {first}") from error


scheme = FileScheme()
