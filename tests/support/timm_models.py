"""timm's architectures with random weights, for the scheme ``py:`` (nothing is fetched)."""

from replicate.zoo.extras import require
from replicate.zoo.scheme_py import PythonModel
from replicate.zoo.scheme_timm import description_of


def build(arch: str) -> PythonModel:
    """An architecture with the view and scaling of its own configuration."""
    timm, torch = require("timm"), require("torch")
    torch.manual_seed(0)
    module = timm.create_model(arch, pretrained=False)
    found = description_of(arch, timm.get_pretrained_cfg(arch), None, None)
    return PythonModel(module, found.view, found.mean, found.std, family=found.family)
