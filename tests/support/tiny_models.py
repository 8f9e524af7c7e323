"""Small models for tests, as a user writes them for the scheme ``py:``."""

import torch
from torch import nn

from replicate.zoo.scheme_py import PythonModel
from replicate.zoo.views import View

VIEW = View((24, 24), "short", (28, 28), "bilinear")


class Pooled(nn.Module):
    """Mean colours of a grid, then a linear layer."""

    def __init__(self, classes: int, grid: int = 4) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.head = nn.Linear(3 * grid * grid, classes)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Scores of a batch."""
        return self.head(self.pool(batch).flatten(1))


def build(seed: str = "0", classes: str = "4", size: str = "24") -> PythonModel:
    """A model whose weights are those of a seed."""
    torch.manual_seed(int(seed))
    view = View((int(size),) * 2, "short", (int(size) + 4,) * 2, "bilinear")
    outputs = tuple(f"class{i}" for i in range(int(classes)))
    return PythonModel(Pooled(int(classes)), view, outputs=outputs, family="pooled")


def raises() -> PythonModel:
    """A model that cannot be built."""
    raise RuntimeError("no such layer")


def not_a_model() -> str:
    """What is no model at all."""
    return "model"


class Greedy(Pooled):
    """A model that needs too much memory for more than a few images at once."""

    most = 8

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Scores of a batch, if it is small."""
        if len(batch) > self.most:
            raise torch.OutOfMemoryError("out of memory (planted)")
        return super().forward(batch)


def greedy(classes: str = "4") -> PythonModel:
    """A model that runs out of memory above eight images."""
    torch.manual_seed(5)
    outputs = tuple(f"class{i}" for i in range(int(classes)))
    return PythonModel(Greedy(int(classes)), VIEW, outputs=outputs, family="greedy")


class Breaking(Pooled):
    """A model that raises on real images, not on zeros."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Raises once there is anything to see."""
        if bool(batch.abs().sum() > 0):
            raise RuntimeError("a shape that does not fit (planted)")
        return super().forward(batch)


def breaking() -> PythonModel:
    """A model that fails while it scores."""
    return PythonModel(Breaking(4), VIEW, outputs=tuple(f"class{i}" for i in range(4)))


def nowhere() -> PythonModel:
    """A model whose scores are not numbers."""
    model = Pooled(4)
    with torch.no_grad():
        model.head.bias.fill_(float("nan"))
    return PythonModel(model, VIEW, outputs=tuple(f"class{i}" for i in range(4)))
