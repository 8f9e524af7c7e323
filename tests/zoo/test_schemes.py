"""Models by scheme, with what the core alone has: functions, checkpoints, ONNX, other packages."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from support import tiny_models

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo import schemes
from replicate.zoo.loaded import module_digest
from replicate.zoo.scheme_hf import view_of
from replicate.zoo.schemes import ModelOptions, describe, expand_names, open_model

BUILD = "py:support.tiny_models:build"


def test_a_function_of_yours():
    model = open_model(f"{BUILD}?seed=3&classes=5")
    assert model.n_outputs == 5 and model.outputs == tuple(f"class{i}" for i in range(5))
    assert model.parameters == 48 * 5 + 5
    assert model.description.preprocessing.startswith("short28-bilinear-crop24x24@1+")
    again, other = open_model(f"{BUILD}?seed=3&classes=5"), open_model(f"{BUILD}?seed=4&classes=5")
    assert model.weights_digest == again.weights_digest != other.weights_digest
    before = torch.random.get_rng_state()
    describe(BUILD)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("name", "error", "word"),
    [
        ("py:support.tiny_models:raises", ItemError, "no such layer"),
        ("py:support.tiny_models:not_a_model", UsageError, "PythonModel"),
        ("py:support.tiny_models:bild", UsageError, "'build'"),
        ("py:support.nothing:build", MissingError, "no module"),
        ("py:support.tiny_models", UsageError, "module:function"),
        (f"{BUILD}?width=3", ItemError, "width"),
        ("tim:resnet50", UsageError, "timm:"),
        ("resnet50", UsageError, "scheme"),
        ("file:gone.safetensors?arch=py:support.tiny_models:build", MissingError, "no checkpoint"),
        ("onnx:gone.onnx", MissingError, "no ONNX file"),
        ("hf:./gone", MissingError, "no folder"),
    ],
)
def test_names_that_mean_no_model(name, error, word):
    with pytest.raises(error) as caught:
        open_model(name)
    assert word in f"{caught.value} {getattr(caught.value, 'hint', '')}"


def _checkpoint(tmp_path, kind):
    module = tiny_models.build(seed="9").module
    state = module.state_dict()
    if kind == "safetensors":
        save_file(state, tmp_path / "w.safetensors")
        return "w.safetensors", module
    wrapped = {
        "plain": state,
        "entry": {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}},
        "other": {"ours": state},
        "position": {f"layer{i}": v for i, v in enumerate(state.values())},
        "pickle": {"state_dict": state, "note": tiny_models.VIEW},
    }[kind]
    torch.save(wrapped, tmp_path / f"{kind}.pt")
    return f"{kind}.pt", module


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("safetensors", ""),
        ("plain", ""),
        ("entry", ""),
        ("other", "&key=ours"),
        ("position", "&match=position"),
    ],
)
def test_checkpoints(tmp_path, kind, more):
    path, module = _checkpoint(tmp_path, kind)
    model = open_model(f"file:{path}?arch={BUILD}{more}", ModelOptions(root=tmp_path))
    assert model.weights_digest == module_digest(module)
    assert model.description.view == tiny_models.VIEW and model.outputs is not None


def test_checkpoints_that_could_run_code_are_refused_unless_allowed(tmp_path):
    path, module = _checkpoint(tmp_path, "pickle")
    name = f"file:{path}?arch={BUILD}"
    with pytest.raises(UsageError, match="maker's code") as caught:
        open_model(name, ModelOptions(root=tmp_path))
    assert "--allow-pickle" in caught.value.hint
    trusted = ModelOptions(root=tmp_path, allow_pickle=True)
    assert open_model(name, trusted).weights_digest == module_digest(module)


def test_checkpoints_that_do_not_fit(tmp_path):
    path, _ = _checkpoint(tmp_path, "safetensors")
    options = ModelOptions(root=tmp_path)
    for query, error, word in (
        ("", UsageError, "arch="),
        (f"?arch={BUILD}?classes=9", ItemError, "does not fit"),
        (f"?arch={BUILD}&match=luck", UsageError, "match=position"),
        (f"?arch={BUILD}&colour=red", UsageError, "'colour'"),
        ("?arch=onnx:x", UsageError, "cannot be of the scheme"),
    ):
        with pytest.raises(error) as caught:
            open_model(f"file:{path}{query}", options)
        assert word in f"{caught.value} {getattr(caught.value, 'hint', '')}"
    (tmp_path / "noise.safetensors").write_bytes(b"\x00" * 64)
    (tmp_path / "noise.pt").write_bytes(b"not a checkpoint")
    for name in ("noise.safetensors", "noise.pt"):
        with pytest.raises((ItemError, UsageError)):
            open_model(f"file:{name}?arch={BUILD}", options)


def _graph(path, classes=4):
    """The same model as an ONNX graph: grid means and a linear layer."""
    module = tiny_models.build(seed="9").module
    weight = module.head.weight.detach().numpy().T.copy()
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[6, 6], strides=[6, 6]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 24, 24])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])],
        [
            numpy_helper.from_array(weight, "w"),
            numpy_helper.from_array(module.head.bias.detach().numpy(), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return module


CARD = {
    "size": [24, 24],
    "resize": 28,
    "filter": "bilinear",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "classes": ["class0", "class1", "class2", "class3"],
}


def test_an_onnx_file_gives_what_the_module_gives(tmp_path):
    module = _graph(tmp_path / "m.onnx")
    options = ModelOptions(root=tmp_path)
    with pytest.raises(MissingError, match="no card") as caught:
        open_model("onnx:m.onnx", options)
    assert '"size"' in caught.value.hint
    (tmp_path / "m.json").write_text(json.dumps(CARD))
    model = open_model("onnx:m.onnx", options)
    assert model.description.view == tiny_models.VIEW and not model.half
    batch = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 3, 24, 24)).astype("f4"))
    with torch.inference_mode():
        ours, theirs = model.module(batch), module.eval()(batch)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [{"filter": "cubic"}, {"mean": [1]}, {"size": "big"}, {"resize": None}, {"std": ["a", 1, 1]}],
)
def test_wrong_cards(tmp_path, change):
    _graph(tmp_path / "m.onnx")
    (tmp_path / "m.json").write_text(json.dumps({**CARD, **change}))
    with pytest.raises(UsageError, match="is wrong"):
        open_model("onnx:m.onnx", ModelOptions(root=tmp_path))
    (tmp_path / "m.json").write_text(json.dumps({**CARD, "classes": ["one"]}))
    with pytest.raises(ItemError, match="4 outputs for 1 classes"):
        open_model("onnx:m.onnx", ModelOptions(root=tmp_path))


def test_a_classifier_of_transformers_in_a_folder(tmp_path):
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=24, patch_size=8, id2label={0: "cat", 1: "dog", 2: "owl"},
    )  # fmt: skip
    network = ViTForImageClassification(config).eval()
    network.save_pretrained(tmp_path / "vit")
    (tmp_path / "vit" / "preprocessor_config.json").write_text(
        json.dumps({"do_resize": True, "size": {"height": 24, "width": 24}, "resample": 3,
                    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]})
    )  # fmt: skip
    model = open_model("hf:vit", ModelOptions(root=tmp_path))
    assert model.outputs == ("cat", "dog", "owl") and not model.description.exact
    assert model.description.preprocessing.endswith("+inexact")
    batch = torch.zeros(2, 3, 24, 24)
    with torch.inference_mode():
        assert torch.equal(model.module(batch), network(pixel_values=batch).logits)


@pytest.mark.parametrize(
    ("processor", "name"),
    [
        ({"size": 224, "resample": 2}, "squash224x224-bilinear-crop224x224-floor@1"),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224,
             "resample": 3},
            "short256-bicubic-crop224x224-floor@1",
        ),
        (
            {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3},
            "short256-bicubic-crop224x224-floor@1",
        ),
        (
            {"size": {"shortest_edge": 384}, "crop_pct": 0.875, "resample": 3},
            "squash384x384-bicubic-crop384x384-floor@1",
        ),
    ],
)  # fmt: skip
def test_views_of_image_processors(processor, name):
    assert view_of("x", processor)[0].name == name


def test_processors_that_no_view_says():
    for processor in (
        {"size": {"longest_edge": 9}},
        {"size": {"shortest_edge": 9}},
        {"resample": 0},
    ):
        with pytest.raises(UsageError):
            view_of("x", processor)


def test_schemes_of_other_packages(monkeypatch):
    class Entry:
        name, value = "museum", "museum_models:scheme"

        def load(self):
            return Museum()

    class Museum:
        def names(self):
            return ["old", "older"]

        def describe(self, rest, options):
            return describe(f"{BUILD}?seed=1", options)

    monkeypatch.setattr(schemes, "entry_points", lambda group: [Entry()])
    assert expand_names(["museum:ol*", "museum:older"]) == ["museum:old", "museum:older"]
    assert schemes.schemes()["museum"] == "brought by museum_models"
    assert describe("museum:old").family == "pooled"
    with pytest.raises(UsageError, match="There is no model"):
        expand_names(["museum:new*"])
