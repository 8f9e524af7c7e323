"""A model whose forward pass costs tens of milliseconds an image, on one thread."""

import torch
from torch import nn

from replicate.zoo.scheme_py import PythonModel
from replicate.zoo.views import View


def build() -> PythonModel:
    """Convolutions with the weights of a seed."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1), nn.ReLU()]
    for _ in range(6):
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()]
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 4))
    view = View((96, 96), "short", (96, 96), "bilinear")
    return PythonModel(module, view, outputs=tuple(f"class{i}" for i in range(4)))
