"""Training the small models, bit for bit the same on one machine. Imports torch late."""

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError, UsageError
from replicate.base.randomness import stream
from replicate.zoo.determinism import reproducible
from replicate.zoo.names import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

    from replicate.zoo.models import SmallModel

# A change of anything below that changes weights must change this number.
TRAINER_VERSION = 1
BATCH = 32
_PEAK_RATE = {"mlp": 8e-3, "cnn": 1.2e-2, "resnet": 6e-3, "vit": 1e-2}


def data_digest(images: npt.NDArray[np.uint8], labels: npt.NDArray[Any]) -> str:
    """The SHA-256 of training images (n, height, width) and their labels (n,), in order."""
    digest = hashlib.sha256(f"{images.shape}\x1e".encode())
    digest.update(np.ascontiguousarray(images).tobytes())
    digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    return digest.hexdigest()


def training_key(spec: ModelSpec, data: str, n_classes: int, seed: int) -> str:
    """A digest of all that decides a model's weights, but for the machine and its libraries.

    Args:
        spec: The model.
        data: The digest of the training data.
        n_classes: How many classes.
        seed: The study's seed.
    """
    return digest_value([TRAINER_VERSION, spec.name, data, n_classes, seed])


def train(
    spec: ModelSpec,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[Any],
    n_classes: int,
    seed: int,
) -> dict[str, npt.NDArray[Any]]:
    """Train a model on one thread.

    Args:
        spec: The model.
        images: uint8 (n, height, width).
        labels: int (n,), in [0, n_classes).
        n_classes: How many classes.
        seed: The study's seed.

    Returns:
        Its weights by name.

    Raises:
        UsageError: The data has the wrong shape or labels.
        ItemError: With reason ``diverged``: the weights are not finite.
    """
    from replicate.zoo.models import build

    _check(images, labels, n_classes)
    chosen = _subset(spec, len(images), seed)
    kept, targets = images[chosen], labels[chosen]
    random = stream(seed, "zoo", "train", spec.name)
    with reproducible(int(random.integers(2**63))):
        model = build(spec, (images.shape[1], images.shape[2]), n_classes)
        pixels, answers = _tensors(model, kept, targets)
        fit = {"linear": _fit_linear, "relu": _fit_ridge, "rff": _fit_ridge}
        fit.get(spec.family, _fit_all)(model, pixels, answers, spec)
        weights = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise ItemError("diverged", f"the training of {spec.name} diverged")
    return weights


def _check(images: npt.NDArray[np.uint8], labels: npt.NDArray[Any], n_classes: int) -> None:
    if images.ndim != 3 or images.dtype != np.uint8 or len(images) == 0:
        raise UsageError(
            "Training images must be uint8 of shape (n, height, width), n ≥ 1;"
            f" these are {images.dtype} of shape {images.shape}."
        )
    if labels.shape != (len(images),) or labels.min() < 0 or labels.max() >= n_classes:
        raise UsageError(f"Training needs one label in [0, {n_classes}) for each image.")


def _subset(spec: ModelSpec, n: int, seed: int) -> npt.NDArray[np.intp]:
    """Which images the model sees; models with the same seed see nested subsets."""
    if spec.images is None or spec.images >= n:
        return np.arange(n)
    order = stream(seed, "zoo", "subset", spec.seed).permutation(n)
    return np.sort(order[: spec.images])


def _tensors(
    model: "SmallModel", images: npt.NDArray[np.uint8], labels: npt.NDArray[Any]
) -> tuple["Tensor", "Tensor"]:
    import torch

    from replicate.zoo.engine import to_unit

    pixels = to_unit(images)
    model.mean.copy_(pixels.mean())
    model.deviation.copy_(pixels.std().clamp_min(1e-3))
    return pixels, torch.from_numpy(labels.astype(np.int64))


def _fit_linear(model: "SmallModel", pixels: "Tensor", answers: "Tensor", spec: ModelSpec) -> None:
    """Multinomial logistic regression, from zero weights.

    Nesterov's accelerated gradient with restarts (O'Donoghue and Candès, 2015). The step is one
    over the curvature's bound: half the largest eigenvalue of the features' second moments, for
    the softmax's Hessian is at most 1/2 (Böhning, 1992).
    """
    import torch

    with torch.no_grad():
        features, wanted = _design(model, pixels, answers)
        penalty = torch.full((features.shape[1], 1), spec.parameters["l"])
        penalty[-1] = 0  # The intercept is free.
        step = 1 / (0.5 * _largest_eigenvalue(features) * 1.02 + spec.parameters["l"])
        weights = ahead = torch.zeros(features.shape[1], wanted.shape[1])
        pace = 1.0
        for _ in range(spec.epochs):
            error = (features @ ahead).softmax(dim=1) - wanted
            gradient = features.T @ error / len(features) + penalty * ahead
            before, weights = weights, ahead - step * gradient
            if float((gradient * (weights - before)).sum()) > 0:
                pace = 1.0
            faster = (1 + (1 + 4 * pace * pace) ** 0.5) / 2
            ahead = weights + (pace - 1) / faster * (weights - before)
            pace = faster
        _set_head(model, weights)


def _fit_ridge(model: "SmallModel", pixels: "Tensor", answers: "Tensor", spec: ModelSpec) -> None:
    """Least squares of the one-hot labels on fixed features, with an L2 penalty, exactly."""
    import torch

    with torch.no_grad():
        features, wanted = _design(model, pixels, answers)
        n = len(features)
        moments = (features.T @ features / n).double()
        moments.diagonal()[:-1].add_(spec.parameters["l"])
        moments.diagonal().add_(1e-7)  # Features may be fewer than they seem.
        cross = (features.T @ (wanted - wanted.mean(dim=0)) / n).double()
        weights = torch.cholesky_solve(cross, torch.linalg.cholesky(moments)).float()
        weights[-1] += wanted.mean(dim=0)
        _set_head(model, weights)


def _design(model: "SmallModel", pixels: "Tensor", answers: "Tensor") -> tuple["Tensor", "Tensor"]:
    """Features with a last column of ones, and one-hot labels."""
    import torch

    features = torch.cat([model.embed(pixels), torch.ones(len(pixels), 1)], dim=1)
    return features, torch.nn.functional.one_hot(answers, model.head.out_features).float()


def _set_head(model: "SmallModel", weights: "Tensor") -> None:
    model.head.weight.copy_(weights[:-1].T)
    model.head.bias.copy_(weights[-1])


def _largest_eigenvalue(features: "Tensor") -> float:
    """Of the features' second moments, by the power method; it errs low by a percent at most."""
    import torch

    vector = torch.ones(features.shape[1]) / features.shape[1] ** 0.5
    size = 1.0
    for _ in range(20):
        vector = features.T @ (features @ vector) / len(features)
        size = float(vector.norm())
        vector /= size
    return size


def _fit_all(model: "SmallModel", pixels: "Tensor", answers: "Tensor", spec: ModelSpec) -> None:
    """Adam in batches; the rate rises for a fifth of the steps and falls as a cosine to zero."""
    import torch
    from torch.nn.functional import cross_entropy

    adam = _Adam(list(model.parameters()))
    rates = _rates(_PEAK_RATE[spec.family], -(-len(pixels) // BATCH) * spec.epochs)
    step = 0
    model.train()
    for _ in range(spec.epochs):
        order = torch.randperm(len(pixels))
        for batch in torch.split(order, BATCH):
            cross_entropy(model(pixels[batch]), answers[batch]).backward()  # type: ignore[no-untyped-call]
            adam.step(float(rates[step]))
            step += 1


class _Adam:
    """Adam (Kingma and Ba, 2015) on all parameters as one vector.

    For models this small one vector is faster than ``torch.optim``, which also loads the whole
    compiler at its first step (two seconds).
    """

    def __init__(self, parameters: "list[Parameter]") -> None:
        import torch

        with torch.no_grad():
            self.values = torch.cat([parameter.flatten() for parameter in parameters])
            self.gradient = torch.zeros_like(self.values)
            at = 0
            for parameter in parameters:
                part = slice(at, at + parameter.numel())
                parameter.data = self.values[part].view_as(parameter)
                parameter.grad = self.gradient[part].view_as(parameter)
                at += parameter.numel()
        self.mean = torch.zeros_like(self.values)
        self.square = torch.zeros_like(self.values)
        self.steps = 0

    def step(self, rate: float) -> None:
        """Move against the gradient, then forget it."""
        self.steps += 1
        self.mean.lerp_(self.gradient, 1 - 0.9)
        self.square.mul_(0.999).addcmul_(self.gradient, self.gradient, value=1 - 0.999)
        scale = (self.square / (1 - 0.999**self.steps)).sqrt_().add_(1e-8)
        self.values.addcdiv_(self.mean, scale, value=-rate / (1 - 0.9**self.steps))
        self.gradient.zero_()


def _rates(peak: float, steps: int) -> npt.NDArray[np.float64]:
    warm = max(1, steps // 5)
    rising = np.arange(1, warm + 1) / warm
    falling = 0.5 * (1 + np.cos(np.pi * np.arange(1, steps - warm + 1) / max(1, steps - warm)))
    return peak * np.concatenate([rising, falling])
