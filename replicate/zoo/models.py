"""The small models: torch modules for grey images of any height and width.

This module imports torch: import it late, inside functions. Every model takes float32 images of
shape (n, 1, height, width) in [0, 1], standardises them by the mean and deviation of its training
images, and ends in a linear layer called ``head``.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from replicate.base.errors import UsageError
from replicate.zoo.names import ModelSpec

_NORM_GROUPS = 2


class SmallModel(nn.Module):
    """Standardise, find features, classify.

    Args:
        features: A module from (n, 1, height, width) to (n, width of the features).
        width: The width of the features.
        height_width: The size of the images that the model is for.
        n_classes: How many classes.
    """

    mean: Tensor
    deviation: Tensor
    input_size: Tensor

    def __init__(
        self, features: nn.Module, width: int, height_width: tuple[int, int], n_classes: int
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))
        self.register_buffer("input_size", torch.tensor(height_width, dtype=torch.int64))
        self.features = features
        self.head = nn.Linear(width, n_classes)

    def embed(self, images: Tensor) -> Tensor:
        """The features that the head sees, of shape (n, width)."""
        features: Tensor = self.features((images - self.mean) / self.deviation)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Scores before the softmax, of shape (n, n_classes)."""
        scores: Tensor = self.head(self.embed(images))
        return scores


class RandomFeatures(nn.Module):
    """A fixed random layer: max(0, xW + b), or the Fourier features of Rahimi and Recht (2007).

    Args:
        inputs: How many pixels.
        width: How many features.
        bandwidth: None for ReLU features; for Fourier features the standard deviation of the
            frequencies, the inverse length scale of the Gaussian kernel.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, inputs: int, width: int, bandwidth: float | None) -> None:
        super().__init__()
        self.fourier = bandwidth is not None
        scale = bandwidth if bandwidth is not None else 1 / math.sqrt(inputs)
        self.register_buffer("weight", torch.randn(inputs, width) * scale)
        bias = torch.rand(width) * 2 * math.pi if self.fourier else torch.randn(width)
        self.register_buffer("bias", bias)

    def forward(self, images: Tensor) -> Tensor:
        """Features of shape (n, width)."""
        projected = images.flatten(1) @ self.weight + self.bias
        return math.sqrt(2) * torch.cos(projected) if self.fourier else torch.relu(projected)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with group normalisation, added to their input.

    Group normalisation keeps no running averages, so that an image's scores never depend on the
    images beside it.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(_NORM_GROUPS, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(_NORM_GROUPS, outputs)
        same = inputs == outputs and stride == 1
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Maps of shape (n, outputs, height / stride, width / stride), rounded up."""
        inner = torch.relu(self.first_norm(self.first(images)))
        return torch.relu(self.second_norm(self.second(inner)) + self.skip(images))


class AttentionBlock(nn.Module):
    """A transformer block with the norms in front: attention, then a two-layer perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.from_heads = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens of shape (n, tokens, width), changed."""
        n, length, width = tokens.shape
        qkv = self.to_qkv(self.attention_norm(tokens))
        query, key, value = qkv.view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weights = (query * (self.heads / width) ** 0.5 @ key.transpose(-2, -1)).softmax(-1)
        mixed = (weights @ value).transpose(1, 2).reshape(n, length, width)
        tokens = tokens + self.from_heads(mixed)
        output: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return output


class Transformer(nn.Module):
    """A small vision transformer: 4×4 patches over the image, learned positions.

    The tokens are laid side by side for the head, not averaged: far fewer steps of training.
    """

    def __init__(self, height_width: tuple[int, int], depth: int, width: int) -> None:
        super().__init__()
        height, wide = height_width
        self.patch = (math.ceil(height / 4), math.ceil(wide / 4))
        # Right and bottom margins, so that the image is a whole number of patches.
        self.margin = (-wide % self.patch[1], -height % self.patch[0])
        length = math.ceil(height / self.patch[0]) * math.ceil(wide / self.patch[1])
        self.embed = nn.Linear(self.patch[0] * self.patch[1], width)
        self.positions = nn.Parameter(0.2 * torch.randn(1, length, width))
        heads = 4 if width % 4 == 0 else 1
        self.blocks = nn.Sequential(*(AttentionBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.width = length * width

    def forward(self, images: Tensor) -> Tensor:
        """Features of shape (n, tokens · width)."""
        padded = functional.pad(images, (0, self.margin[0], 0, self.margin[1]))
        patches = functional.unfold(padded, self.patch, stride=self.patch).transpose(1, 2)
        tokens = self.blocks(self.embed(patches) + self.positions)
        features: Tensor = self.norm(tokens).flatten(1)
        return features


def build(spec: ModelSpec, height_width: tuple[int, int], n_classes: int) -> SmallModel:
    """An untrained model; its random weights come from torch's global generator.

    Raises:
        UsageError: No such family.
    """
    features, width = _features(spec, height_width)
    return SmallModel(features, width, height_width, n_classes)


def _features(spec: ModelSpec, size: tuple[int, int]) -> tuple[nn.Module, int]:
    pixels = size[0] * size[1]
    width = int(spec.parameters.get("w", 0))
    depth = int(spec.parameters.get("d", 1))
    if spec.family == "linear":
        return nn.Flatten(), pixels
    if spec.family == "relu":
        return RandomFeatures(pixels, width, None), width
    if spec.family == "rff":
        return RandomFeatures(pixels, width, spec.parameters["g"]), width
    if spec.family == "mlp":
        return _perceptron(pixels, depth, width), width
    if spec.family == "cnn":
        return _convolutions(width, size)
    if spec.family == "resnet":
        width += width % _NORM_GROUPS
        half = math.ceil(size[0] / 2) * math.ceil(size[1] / 2)
        return _residual(width), 2 * width * half
    if spec.family == "vit":
        transformer = Transformer(size, depth, width)
        return transformer, transformer.width
    raise UsageError(f"No model family {spec.family!r}.")


def _perceptron(inputs: int, depth: int, width: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for level in range(depth):
        layers += [nn.Linear(inputs if level == 0 else width, width), nn.ReLU()]
    return nn.Sequential(*layers)


def _convolutions(width: int, size: tuple[int, int]) -> tuple[nn.Module, int]:
    layers = nn.Sequential(
        nn.Conv2d(1, width, 3, 1, 1),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(width, 2 * width, 3, 1, 1),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(),
    )
    return layers, 2 * width * math.ceil(size[0] / 4) * math.ceil(size[1] / 4)


def _residual(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 1, 1),
        ResidualBlock(width, width, 1),
        ResidualBlock(width, 2 * width, 2),
        nn.Flatten(),
    )
