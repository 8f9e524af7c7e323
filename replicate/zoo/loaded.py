"""A model that is ready to score: what it sees, what its outputs mean, the module itself."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError
from replicate.zoo.machine import prepare_torch
from replicate.zoo.views import View

if TYPE_CHECKING:
    from torch import Tensor, nn

Triple = tuple[float, float, float]


def triple(values: Sequence[float]) -> Triple:
    """One number for each channel; a single one stands for all three.

    >>> triple([0.5])
    (0.5, 0.5, 0.5)
    """
    red, green, blue = (float(value) for value in (values if len(values) != 1 else [*values] * 3))
    return red, green, blue


@dataclass(frozen=True)
class Description:
    """What is known of a model before its weights are loaded.

    Attributes:
        name: Its full name, with the scheme.
        family: Its family: the architecture without sizes, where the library knows it.
        view: What it sees of an image.
        mean: What is subtracted from each channel, of pixels in [0, 1].
        std: What each channel is then divided by.
        outputs: The class id of each output; None where they are not known.
        n_outputs: How many outputs; 0 where that is not known before loading.
        weights: Where its weights lie on this machine; None if they are not here.
        missing: Why it cannot be loaded here, in words; None if it can.
        exact: Whether view and scaling are the library's own, to the bit.
        card: What the library says more: licence, training data, accuracy.
    """

    name: str
    family: str
    view: View
    mean: Triple
    std: Triple
    outputs: tuple[str, ...] | None
    n_outputs: int
    weights: str | None
    missing: str | None = None
    exact: bool = True
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def preprocessing(self) -> str:
        """The name of all that turns a file into the model's input."""
        scaling = digest_value([list(self.mean), list(self.std)])[:8]
        return f"{self.view.name}+{scaling}" + ("" if self.exact else "+inexact")

    def as_json(self) -> dict[str, Any]:
        """The description as JSON values."""
        return {
            "name": self.name,
            "family": self.family,
            "view": self.view.name,
            "mean": list(self.mean),
            "std": list(self.std),
            "preprocessing": self.preprocessing,
            "n_outputs": self.n_outputs or None,
            "outputs_known": self.outputs is not None,
            "weights": self.weights,
            "missing": self.missing,
            "exact": self.exact,
            "card": self.card,
        }


@dataclass(frozen=True)
class LoadedModel:
    """A model with its weights.

    Attributes:
        description: What it is.
        module: From float32 (n, 3, height, width), standardised, to scores (n, n_outputs); in
            evaluation mode, on the CPU.
        n_outputs: How many outputs.
        weights_digest: The SHA-256 of its tensors: names, types, shapes, bytes.
        parameters: How many numbers it has.
        half: Whether it can be moved to half precision and other devices.
    """

    description: Description
    module: "nn.Module"
    n_outputs: int
    weights_digest: str
    parameters: int
    half: bool = True

    @property
    def name(self) -> str:
        """Its full name."""
        return self.description.name

    @property
    def outputs(self) -> tuple[str, ...] | None:
        """The class id of each output, if known."""
        return self.description.outputs


def loaded(description: Description, module: "nn.Module", half: bool = True) -> LoadedModel:
    """A module as a model that is ready to score.

    Raises:
        ItemError: With reason ``outputs``: it does not have one output for each class id, or does
            not take what its description says.
    """
    import torch

    prepare_torch()
    module = module.eval()
    rows, columns = description.view.size
    try:
        with torch.inference_mode():
            tried = module(torch.zeros(1, 3, rows, columns))
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise ItemError("bad_model", f"{description.name} does not run: {error}") from error
    shape = tuple(getattr(tried, "shape", ()))
    if len(shape) != 2 or shape[0] != 1 or shape[1] < 1:
        raise ItemError("bad_model", f"{description.name} gives {shape}, not (images, outputs)")
    if description.outputs is not None and len(description.outputs) != shape[1]:
        raise ItemError(
            "outputs",
            f"{description.name} has {shape[1]} outputs for {len(description.outputs)} classes",
        )
    count = sum(p.numel() for p in module.parameters())
    return LoadedModel(description, module, shape[1], module_digest(module), count, half)


def module_digest(module: "nn.Module") -> str:
    """The SHA-256 over a module's tensors, sorted by name; the same on every machine.

    A module may say its own digest in an attribute ``content_digest`` (those whose weights are
    not torch's).
    """
    own = getattr(module, "content_digest", None)
    if isinstance(own, str):
        return own
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}\x1f{tensor.dtype}\x1f{tuple(tensor.shape)}\x1e".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: "Tensor") -> bytes:
    import torch

    flat = tensor.detach().cpu().contiguous()
    if flat.dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        flat = flat.view(torch.int16 if flat.dtype == torch.bfloat16 else torch.uint8)
    return bytes(flat.numpy().tobytes())
