"""Scoring: uint8 images in, top classes and scores out. Imports torch late."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError, UsageError
from replicate.zoo.determinism import reproducible
from replicate.zoo.names import ModelSpec
from replicate.zoo.predictions import Predictions
from replicate.zoo.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor

    from replicate.zoo.models import SmallModel

# Every batch has this many images: the last one is filled up with black ones, so that the same
# kernels run whatever the size of a set.
BATCH = 256
TOP = 5
PRECISION = "fp32"
# Pixels / 255 as float32, nothing else; models standardise for themselves.
PREPROCESSING = "grey-unit@1"


def to_unit(images: npt.NDArray[np.uint8]) -> "Tensor":
    """The preprocessing ``grey-unit@1``: float32 (n, 1, height, width) in [0, 1]."""
    import torch

    return torch.from_numpy(images.astype(np.float32) / np.float32(255)).unsqueeze(1)


def score(spec: ModelSpec, weights: Weights, images: npt.NDArray[np.uint8]) -> Predictions:
    """What a model says about images: in float32, on one thread of the CPU.

    Args:
        spec: The model.
        weights: Its weights, as :func:`replicate.zoo.training.train` returns them.
        images: uint8 (n, height, width).

    Returns:
        The best min(5, classes) classes of each image, best first; of equal scores the lower
        class comes first.

    Raises:
        UsageError: The images are not uint8 (n, height, width) of the size the model is for.
        ItemError: With reason ``bad_weights`` (they do not fit the model) or ``not_finite``.
    """
    import torch

    if images.ndim != 3 or images.dtype != np.uint8:
        raise UsageError(f"Images must be uint8 (n, height, width), not {images.shape}.")
    with reproducible(), torch.inference_mode():
        model = load_model(spec, weights)
        size = tuple(int(side) for side in model.input_size)
        if images.shape[1:] != size:
            raise UsageError(
                f"{spec.name} is for images of {size[0]}×{size[1]} pixels;"
                f" these have {images.shape[1]}×{images.shape[2]}."
            )
        parts = [
            _score_batch(model, images[at : at + BATCH]) for at in range(0, len(images), BATCH)
        ]
    k = min(TOP, model.head.out_features)
    parts.append(
        (np.zeros((0, k), np.int64), np.zeros((0, k), np.float32), np.zeros(0, np.float32))
    )
    classes, scores, log_sum_exp = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not np.isfinite(log_sum_exp).all():
        raise ItemError("not_finite", f"{spec.name} gives scores that are not finite")
    return Predictions(
        classes.astype(np.int16), scores.astype(np.float32), log_sum_exp.astype(np.float32)
    )


def load_model(spec: ModelSpec, weights: Weights) -> "SmallModel":
    """The module with these weights, ready to score.

    Raises:
        ItemError: With reason ``bad_weights``: they do not fit the model.
    """
    import torch

    from replicate.zoo.models import build

    try:
        size = (int(weights["input_size"][0]), int(weights["input_size"][1]))
        model = build(spec, size, len(weights["head.bias"]))
        model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
    except (KeyError, IndexError, TypeError, RuntimeError) as error:
        raise ItemError("bad_weights", f"the weights do not fit {spec.name}: {error}") from error
    return model.eval()


_Batch = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]


def _score_batch(model: "SmallModel", images: npt.NDArray[np.uint8]) -> _Batch:
    full = np.zeros((BATCH, *images.shape[1:]), np.uint8)
    full[: len(images)] = images
    outputs = model(to_unit(full))[: len(images)]
    scores, classes = outputs.sort(dim=1, descending=True, stable=True)
    return (
        classes[:, :TOP].numpy(),
        scores[:, :TOP].numpy(),
        outputs.logsumexp(dim=1).numpy(),
    )
