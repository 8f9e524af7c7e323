"""``open_clip:MODEL/WEIGHTS``: zero-shot classifiers, such as ``open_clip:ViT-B-32/openai``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError, UsageError
from replicate.zoo.extras import require
from replicate.zoo.loaded import Description, LoadedModel, Triple, loaded, triple
from replicate.zoo.schemes import ModelOptions, no_weights, nothing
from replicate.zoo.views import Mode, View

if TYPE_CHECKING:
    from torch import Tensor, nn

_MODES: dict[str, Mode] = {"shortest": "short", "longest": "contain", "squash": "squash"}


class OpenClipScheme:
    """Images and class names in one space: the class whose prompts are nearest wins."""

    def names(self) -> Sequence[str]:
        """Every model with every weights of its."""
        return [f"{model}/{tag}" for model, tag in require("open_clip").list_pretrained()]

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """From open_clip's configurations; see `Scheme.describe`."""
        open_clip = require("open_clip")
        model, _, tag = rest.partition("/")
        config = open_clip.get_pretrained_cfg(model, tag)
        if not config or open_clip.get_model_config(model) is None:
            raise nothing(f"open_clip:{rest}", "open_clip", rest, self.names())
        size = open_clip.get_model_config(model)["vision_cfg"].get("image_size", 224)
        view, mean, std = view_of(config, size)
        path, where = _weights(config)
        prompts = digest_value([list(options.class_names), list(options.templates)])
        return Description(
            f"open_clip:{rest}", f"clip-{model.partition('-')[0].lower()}", view, mean, std,
            options.class_ids or None, len(options.class_ids), str(path) if path else None,
            None if path else f"no weights at {where}",
            card={"templates": list(options.templates), "prompts": prompts},
        )  # fmt: skip

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """See `Scheme.open`; the classes' names and the templates are among the options."""
        open_clip = require("open_clip")
        found = self.describe(rest, options)
        if not options.class_names or len(options.class_names) != len(options.class_ids):
            raise UsageError(
                f"{found.name} needs the names of the classes: it compares images with words.",
                "Give --class-names FILE (class id and name a line), or score it in a study.",
            )
        if found.weights is None and not options.download:
            raise no_weights(found.name, found.missing or "")
        model, _, tag = rest.partition("/")
        try:
            network = open_clip.create_model(model, pretrained=found.weights or tag)
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            raise ItemError("bad_weights", f"{found.name} cannot be loaded: {error}") from error
        return loaded(found, zero_shot(network, open_clip.get_tokenizer(model), options))


def zero_shot(network: Any, tokenizer: Any, options: ModelOptions) -> "nn.Module":
    """A classifier from a model of images and texts.

    Each class is the normalised mean of its prompts' normalised embeddings (Radford et al. 2021);
    scores are cosines times the model's own factor.
    """
    import torch

    network = network.eval()
    with torch.inference_mode():
        rows = []
        for name in options.class_names:
            tokens = tokenizer([template.format(name) for template in options.templates])
            text = network.encode_text(tokens)
            mean = (text / text.norm(dim=-1, keepdim=True)).mean(dim=0)
            rows.append(mean / mean.norm())
        head = torch.stack(rows).T.clone()
        factor = network.logit_scale.exp().clone()

    class ZeroShot(torch.nn.Module):
        """Cosines with the classes' prompts."""

        def __init__(self) -> None:
            super().__init__()
            self.visual = network.visual
            self.register_buffer("head", head)
            self.register_buffer("factor", factor)

        def forward(self, batch: "Tensor") -> "Tensor":
            """Scores of a batch."""
            features = self.visual(batch)
            features = features / features.norm(dim=-1, keepdim=True)
            scores: Tensor = self.factor * features @ self.head
            return scores

    return ZeroShot()


def view_of(config: dict[str, Any], size: Any) -> tuple[View, Triple, Triple]:
    """View, mean and std of a configuration of open_clip's."""
    shape = (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
    mode = _MODES[config.get("resize_mode") or "shortest"]
    if mode == "short" and shape[0] != shape[1]:
        mode = "cover"
    fill = int(config.get("fill_color") or 0)
    view = View(
        shape, mode, shape, config.get("interpolation") or "bicubic", (fill, fill, fill), late=True
    )
    mean, std = config.get("mean"), config.get("std")
    return view, triple(mean or _MEAN), triple(std or _STD)


_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


def _weights(config: dict[str, Any]) -> tuple[Path | None, str]:
    where = []
    if config.get("hf_hub"):
        from huggingface_hub import try_to_load_from_cache

        repository, name = str(config["hf_hub"]).rsplit("/", 1)
        names = (name,) if name else ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
        for each in names:
            found = try_to_load_from_cache(repository, each)
            if isinstance(found, str):
                return Path(found), found
        where.append(f"the Hugging Face cache of {repository}")
    if config.get("url"):
        path = Path("~/.cache/clip").expanduser() / str(config["url"]).rsplit("/", 1)[-1]
        if path.is_file():
            return path, str(path)
        where.append(str(path))
    return None, " nor ".join(where)


scheme = OpenClipScheme()
