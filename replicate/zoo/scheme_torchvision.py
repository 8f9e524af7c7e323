"""``torchvision:MODEL@WEIGHTS``, such as ``torchvision:resnet50@IMAGENET1K_V2``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from replicate.base.errors import ItemError
from replicate.zoo.extras import require
from replicate.zoo.image_classes import imagenet_wnids
from replicate.zoo.loaded import Description, LoadedModel, loaded, triple
from replicate.zoo.schemes import ModelOptions, no_weights, nothing
from replicate.zoo.views import View


class TorchvisionScheme:
    """torchvision's classifiers with the transforms that their weights bring."""

    def names(self) -> Sequence[str]:
        """Every classifier with every weights of its."""
        models = require("torchvision").models
        return [
            f"{name}@{weights.name}"
            for name in models.list_models(module=models)
            for weights in models.get_model_weights(name)
        ]

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """From the weights' card; see `Scheme.describe`."""
        weights = self._weights(rest)
        path = cached(str(weights.url))
        transforms = weights.transforms()
        mean, std = (triple(values) for values in (transforms.mean, transforms.std))
        resize, crop = list(transforms.resize_size), list(transforms.crop_size)
        view = View(
            (crop[0], crop[-1]),
            "short" if len(resize) == 1 else "squash",
            (resize[0], resize[-1]),
            transforms.interpolation.value,
        )
        names = weights.meta.get("categories") or []
        return Description(
            f"torchvision:{rest}", rest.partition("@")[0].rstrip("0123456789_"), view, mean, std,
            imagenet_wnids() if len(names) == 1000 else None, len(names),
            str(path) if path.is_file() else None,
            None if path.is_file() else f"no weights at {path}",
            card={"url": weights.url, "parameters": weights.meta.get("num_params"),
                  "published": weights.meta.get("_metrics")},
        )  # fmt: skip

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """With weights from torch's cache, or fetched if that is allowed; see `Scheme.open`."""
        models = require("torchvision").models
        found = self.describe(rest, options)
        if found.weights is None and not options.download:
            raise no_weights(found.name, found.missing or "")
        weights = self._weights(rest)
        try:
            module = models.get_model(rest.partition("@")[0], weights=weights)
        except (RuntimeError, OSError, ValueError) as error:
            raise ItemError("bad_weights", f"{found.name} cannot be loaded: {error}") from error
        return loaded(found, module)

    def _weights(self, rest: str) -> Any:
        models = require("torchvision").models
        name, _, tag = rest.partition("@")
        try:
            choices = models.get_model_weights(name)
            return choices[tag] if tag else choices.DEFAULT
        except (ValueError, KeyError):
            raise nothing(f"torchvision:{rest}", "torchvision", rest, self.names()) from None


def cached(url: str) -> Path:
    """Where torch keeps what it fetched from an address."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


scheme = TorchvisionScheme()
