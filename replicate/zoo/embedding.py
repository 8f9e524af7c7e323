"""What a model makes of an image before its last layer: features."""

from typing import TYPE_CHECKING, Any

from replicate.base.errors import ItemError
from replicate.zoo.loaded import LoadedModel

if TYPE_CHECKING:
    from torch import Tensor, nn


def last_layer(model: LoadedModel) -> "tuple[str, nn.Linear]":
    """The model's last linear layer, and its name in the module.

    It is found by what it does, not by its name: the last one whose width is that of the outputs.
    It holds for the classifiers of timm, torchvision and transformers alike.

    Args:
        model: The model.

    Raises:
        ItemError: With reason ``no_features``: its last layer is no linear one.
    """
    import torch

    heads = [
        (name, layer)
        for name, layer in model.module.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer.out_features == model.n_outputs
    ]
    if not heads:
        raise ItemError("no_features", f"{model.name} has no last linear layer to look behind")
    return heads[-1]


def embedder(model: LoadedModel) -> "nn.Module":
    """A module that gives the input of the model's last linear layer.

    Args:
        model: The model.

    Raises:
        ItemError: With reason ``no_features``: its last layer is no linear one.
    """
    import torch

    head, network = last_layer(model)[1], model.module

    class Features(torch.nn.Module):
        """The network without its last layer."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.seen: list[Tensor] = []
            head.register_forward_pre_hook(self._see)

        def _see(self, _layer: Any, given: tuple[Any, ...]) -> None:
            self.seen = [given[0]]

        def forward(self, batch: "Tensor") -> "Tensor":
            """Features of a batch, shape (n, width)."""
            self.seen = []
            self.network(batch)
            if not self.seen:
                raise ItemError("no_features", f"{model.name} does not use its last linear layer")
            return self.seen[0].reshape(len(batch), -1)

    return Features().eval()
