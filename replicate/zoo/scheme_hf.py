"""``hf:NAME``: image classifiers of transformers, from a local folder or the Hugging Face cache."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo.image_classes import imagenet_wnids
from replicate.zoo.loaded import Description, LoadedModel, Triple, loaded, triple
from replicate.zoo.schemes import ModelOptions, no_weights
from replicate.zoo.views import Mode, View

_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


class HfScheme:
    """Classifiers with the sizes and scaling of their own image processor.

    Views are cut as Pillow cuts them, which is what transformers' Pillow processors do; its
    torchvision processors differ by a level here and there, and scaling in the last binary digit,
    so predictions are marked as not exact.
    """

    def names(self) -> Sequence[str]:
        """None: the hub is not listed."""
        return ()

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """From config.json and preprocessor_config.json; see `Scheme.describe`."""
        processor = _json(rest, "preprocessor_config.json", options)
        config = _json(rest, "config.json", options)
        labels = config.get("id2label") or {}
        outputs = _outputs(labels)
        view, mean, std = view_of(rest, processor)
        folder = _local(rest, options)
        return Description(
            f"hf:{rest}", str(config.get("model_type", "hf")), view, mean, std, outputs,
            len(labels), str(folder), exact=False,
            card={"architectures": config.get("architectures"), "labels": len(labels)},
        )  # fmt: skip

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """See `Scheme.open`."""
        transformers = _transformers()
        description = self.describe(rest, options)
        try:
            model = transformers.AutoModelForImageClassification.from_pretrained(
                _local(rest, options), local_files_only=not options.download
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ItemError("bad_weights", f"hf:{rest} cannot be loaded: {error}") from error
        return loaded(description, _wrapped(model))


def _wrapped(model: Any) -> Any:
    import torch

    class Logits(torch.nn.Module):
        """A classifier of transformers that gives its scores alone."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            """Scores of a batch."""
            logits: torch.Tensor = self.model(pixel_values=batch).logits
            return logits

    return Logits()


def view_of(name: str, processor: Mapping[str, Any]) -> tuple[View, Triple, Triple]:
    """View, mean and std of an image processor's configuration.

    Raises:
        UsageError: It does something that views cannot say.
    """
    filter = _FILTERS.get(int(processor.get("resample", 2)), "nearest")
    size = processor.get("size", 224)
    size = {"height": size, "width": size} if isinstance(size, int) else dict(size)
    mode: Mode = "none"
    pair = (1, 1)
    if processor.get("do_resize", True):
        if "shortest_edge" in size:
            edge = int(size["shortest_edge"])
            share = processor.get("crop_pct")
            # ConvNext's processor enlarges small sizes by crop_pct, then crops to the size.
            edge_resized = int(edge / share) if share and edge < 384 else edge
            mode = "squash" if share and edge >= 384 else "short"
            pair = (edge_resized, edge_resized)
            if share:
                processor = {**processor, "do_center_crop": edge < 384, "crop_size": edge}
        elif {"height", "width"} <= set(size):
            mode, pair = "squash", (int(size["height"]), int(size["width"]))
        else:
            raise UsageError(f"hf:{name}: a processor with size {size} is not known.")
    shape = pair
    if processor.get("do_center_crop"):
        crop = processor.get("crop_size", pair[0])
        crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
        shape = (int(crop["height"]), int(crop["width"]))
    elif mode == "short":
        raise UsageError(f"hf:{name}: views of different shapes, for it resizes without a crop.")
    if filter == "nearest":
        raise UsageError(f"hf:{name}: it resizes by the nearest pixel, which views do not do.")
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if processor.get("do_normalize", True):
        mean = triple(processor.get("image_mean", (0.5, 0.5, 0.5)))
        std = triple(processor.get("image_std", (0.5, 0.5, 0.5)))
    return View(shape, mode, pair, filter, floor=True), mean, std


def _outputs(labels: Mapping[str, str]) -> tuple[str, ...] | None:
    if len(labels) == 1000:
        return imagenet_wnids()
    ordered = [labels[key] for key in sorted(labels, key=int)] if labels else []
    named = [label for label in ordered if not label.startswith("LABEL_")]
    return tuple(ordered) if ordered and len(named) == len(ordered) else None


def _local(rest: str, options: ModelOptions) -> str:
    folder = (options.root / Path(rest).expanduser()).resolve()
    return str(folder) if folder.is_dir() else rest


def _json(rest: str, name: str, options: ModelOptions) -> dict[str, Any]:
    import json

    local = Path(_local(rest, options))
    path = local / name
    if not local.is_dir():
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            found = try_to_load_from_cache(rest, name)
            if not isinstance(found, str):
                if not options.download:
                    raise no_weights(f"hf:{rest}", "no folder, and not in the Hugging Face cache")
                os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "10")
                found = hf_hub_download(rest, name)
        except HFValidationError as error:
            raise MissingError(f"There is no folder {local}, nor a model of that name.") from error
        except (HfHubHTTPError, OSError) as error:
            raise no_weights(f"hf:{rest}", f"fetching failed: {error}") from error
        path = Path(found)
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ItemError("bad_model", f"hf:{rest} has no readable {name}: {error}") from error
    return value


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingError(
            "Models of the scheme hf: need transformers, which is not installed.",
            "Install it: pip install 'replicate-testsets[zoo]'",
        ) from error
    return transformers


scheme = HfScheme()
