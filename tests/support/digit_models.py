"""Models of digits for tests, as a user writes them: the nearest mean image wins."""

import functools
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from torch import nn

from replicate.base.files import write_json
from replicate.zoo.scheme_py import PythonModel
from replicate.zoo.views import View

VIEW = View((8, 8), "squash", (8, 8), "bilinear")
DIGITS = tuple("0123456789")


@functools.cache
def _means() -> np.ndarray:
    """The mean image of each digit, in [0, 1]: shape (10, 64)."""
    data = load_digits()
    return np.stack([data.data[data.target == i].mean(axis=0) / 16 for i in range(10)])


def weights(blur: float = 0.0, order: str = "0123456789") -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of a linear layer on grey 8×8 images that finds the nearest mean.

    Args:
        blur: From 0 (the means) to 1 (noise).
        order: The digit of each output.
    """
    noise = np.random.default_rng(0).random((10, 64))
    means = ((1 - blur) * _means() + blur * noise)[[int(digit) for digit in order]]
    return means.astype(np.float32), (-(means**2).sum(axis=1) / 2).astype(np.float32)


class Nearest(nn.Module):
    """From (n, 3, 8, 8) in [0, 1] to one score a digit."""

    def __init__(self, blur: float = 0.0, order: str = "0123456789") -> None:
        super().__init__()
        weight, bias = weights(blur, order)
        self.head = nn.Linear(64, len(order))
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Scores of a batch."""
        return self.head(batch.mean(dim=1).flatten(1))


def nearest(blur: str = "0", order: str = "0123456789", known: str = "ids") -> PythonModel:
    """A classifier of digits.

    Args:
        blur: How bad it is, from 0 to 1.
        order: The digit of each output.
        known: What its outputs are known as: ``ids``, ``names`` or ``nothing``.
    """
    labels = {"ids": tuple(order), "names": tuple(f"The digit {i}, a sign" for i in order)}
    return PythonModel(
        Nearest(float(blur), order),
        VIEW,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        outputs=labels.get(known),
        family="nearest",
        card={"license": "MIT"},
    )


def breaking() -> PythonModel:
    """A model that fails on real images, not on black ones."""
    made = nearest()

    class Breaking(Nearest):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            if bool(batch.sum() > 0):
                raise RuntimeError("a shape that does not fit (planted)")
            return super().forward(batch)

    return PythonModel(Breaking(), VIEW, made.mean, made.std, made.outputs)


def write_onnx(path: Path, blur: float = 0.0) -> None:
    """The same classifier as an ONNX file with its card."""
    weight, bias = weights(blur)
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["grey"], keepdims=0),
        helper.make_node("Flatten", ["grey"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "nearest",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [
            numpy_helper.from_array(np.array([1], np.int64), "axes"),
            numpy_helper.from_array(weight, "w"),
            numpy_helper.from_array(bias, "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, path)
    write_json(
        path.with_suffix(".json"),
        {"size": [8, 8], "resize": [8, 8], "mode": "squash", "filter": "bilinear",
         "mean": [0, 0, 0], "std": [1, 1, 1], "classes": list(DIGITS), "family": "nearest-onnx"},
    )  # fmt: skip
