"""``timm:NAME``: timm's pretrained configurations, such as ``timm:resnet50.a1_in1k``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from replicate.base.errors import ItemError
from replicate.zoo.extras import require
from replicate.zoo.image_classes import imagenet_wnids
from replicate.zoo.loaded import Description, LoadedModel, loaded, triple
from replicate.zoo.schemes import ModelOptions, no_weights, nothing
from replicate.zoo.views import centre_view


class TimmScheme:
    """Models of timm, as published numbers have them: test size and test crop where there are."""

    def names(self) -> Sequence[str]:
        """All pretrained configurations."""
        names: list[str] = require("timm").list_pretrained()
        return names

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """From the configuration alone; see `Scheme.describe`."""
        timm = require("timm")
        try:
            config = timm.get_pretrained_cfg(rest)
        except RuntimeError:  # the architecture is known, the tag is not
            raise nothing(f"timm:{rest}", "timm", rest, self.names()) from None
        if config is None and rest not in timm.list_models():
            raise nothing(f"timm:{rest}", "timm", rest, self.names())
        path, where = weights_of(config)
        return description_of(f"timm:{rest}", config, str(path) if path else None,
                              None if path else f"no weights at {where}")  # fmt: skip

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """With weights from this machine, or fetched if that is allowed; see `Scheme.open`."""
        timm = require("timm")
        found = self.describe(rest, options)
        if found.weights is None and not options.download:
            raise no_weights(found.name, found.missing or "")
        overlay = {"file": found.weights} if found.weights else None
        try:
            module = timm.create_model(rest, pretrained=True, pretrained_cfg_overlay=overlay)
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            raise ItemError("bad_weights", f"{found.name} cannot be loaded: {error}") from error
        return loaded(found, module)


def description_of(name: str, config: Any, weights: str | None, missing: str | None) -> Description:
    """A description from a configuration of timm's, at test size.

    Args:
        name: The model's full name.
        config: timm's ``PretrainedCfg``; None for its defaults.
        weights: Where its weights are.
        missing: Why it cannot be loaded.
    """
    data = require("timm").data
    values = config.to_dict() if config is not None else {}
    resolved = data.resolve_data_config(pretrained_cfg=values, use_test_size=True)
    size = resolved["input_size"]
    mean, std = (triple(resolved[key]) for key in ("mean", "std"))
    count = int(values.get("num_classes") or 0)
    view = centre_view(
        (int(size[1]), int(size[2])), float(resolved["crop_pct"]), resolved["interpolation"],
        resolved.get("crop_mode") or "center", mean,
    )  # fmt: skip
    label = str(values.get("tag") or "")
    # Thousand outputs are ImageNet's unless the tag names another set with as many.
    imagenet = count == 1000 and not label.startswith(("inat", "in12k", "places"))
    return Description(
        name, str(values.get("architecture") or name.partition(":")[2]).partition("_")[0], view,
        mean, std, imagenet_wnids() if imagenet else None, count, weights, missing,
        card={key: values[key] for key in ("license", "tag", "origin_url") if values.get(key)},
    )  # fmt: skip


def weights_of(config: Any) -> tuple[Path | None, str]:
    """A configuration's weights in the caches of this machine, and where they were looked for."""
    if config is None:
        return None, "timm (this architecture has no pretrained weights)"
    if config.file:
        path = Path(config.file)
        return (path if path.is_file() else None), str(path)
    where = []
    if config.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache

        repository = str(config.hf_hub_id).partition("@")[0]
        given = [config.hf_hub_filename] if config.hf_hub_filename else []
        for name in (*given, "model.safetensors", "pytorch_model.bin"):
            found = try_to_load_from_cache(repository, name)
            if isinstance(found, str):
                return Path(found), found
        where.append(f"the Hugging Face cache of {repository}")
    if config.url:
        import torch

        path = Path(torch.hub.get_dir()) / "checkpoints" / str(config.url).rsplit("/", 1)[-1]
        if path.is_file():
            return path, str(path)
        where.append(str(path))
    return None, " nor ".join(where) or "timm"


scheme = TimmScheme()
