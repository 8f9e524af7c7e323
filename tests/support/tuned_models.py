"""A small model with all that makes training harder to repeat: normalisation and dropout."""

import torch
from torch import nn

from replicate.zoo.scheme_py import PythonModel
from support.tiny_models import VIEW


class Normed(nn.Module):
    """A convolution, normalisation over the batch, dropout, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU())
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(8, 4)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Scores of a batch."""
        return self.head(self.drop(self.body(batch).mean((2, 3))))


def normed() -> PythonModel:
    """The model with the weights of a seed."""
    torch.manual_seed(3)
    return PythonModel(Normed(), VIEW, outputs=tuple(f"class{i}" for i in range(4)))
