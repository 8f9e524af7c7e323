"""Views and scaling beside the transforms of timm, torchvision and open_clip."""

import io
from importlib import import_module

import numpy as np
import pytest
from PIL import Image
from support.photos import odd_files

from replicate.base.errors import MissingError, UsageError
from replicate.zoo import schemes
from replicate.zoo.pixels import odd_image, reference_rgb
from replicate.zoo.schemes import ModelOptions, describe, expand_names, open_model
from replicate.zoo.tensors import standardised
from replicate.zoo.views import centre_view, cut, cut_odd

pytestmark = pytest.mark.zoo
FILES = odd_files()


def _view(data, description):
    view = description.view
    if view.late and (odd := odd_image(data)) is not None:
        return cut_odd(odd, view)
    return cut(reference_rgb(data), view)


def _same(description, transform, data, convert=True):
    """Our view and scaling are the library's transform, to the bit."""
    image = Image.open(io.BytesIO(data))
    expected = transform(image.convert("RGB") if convert else image)
    ours = standardised(_view(data, description)[None], description.mean, description.std)[0]
    np.testing.assert_array_equal(ours.numpy(), expected.numpy())


def _timm_names():
    """One configuration for each distinct view of timm's, the small ones."""
    import timm

    found = {}
    for name in timm.list_pretrained():
        described = describe(f"timm:{name}")
        if max(described.view.size) <= 288:
            found.setdefault(described.preprocessing, name)
    return found


def test_every_view_of_timm_is_its_own_to_the_bit():
    from timm.data import create_transform, resolve_data_config

    timm = import_module("timm")
    names = _timm_names()
    assert len(names) > 30
    modes = set()
    for name in names.values():
        config = timm.get_pretrained_cfg(name).to_dict()
        transform = create_transform(
            **resolve_data_config(pretrained_cfg=config, use_test_size=True), is_training=False
        )
        described = describe(f"timm:{name}")
        modes.add(described.view.mode)
        for kind in ("plain", "tall", "tiny", "palette", "deep"):
            _same(described, transform, FILES[kind])
    assert {"short", "squash"} <= modes


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(224, 224), (160, 208)])
def test_views_that_no_configuration_has_yet(mode, size):
    from timm.data import create_transform

    mean, std = (0.1, 0.5, 0.9), (0.2, 0.3, 0.4)
    transform = create_transform((3, *size), interpolation="bicubic", crop_pct=0.9, mean=mean,
                                 std=std, crop_mode=mode)  # fmt: skip
    view = centre_view(size, 0.9, "bicubic", mode, mean)
    for kind in ("plain", "portrait", "tall", "wide", "tiny"):
        expected = transform(Image.open(io.BytesIO(FILES[kind])).convert("RGB"))
        ours = standardised(cut(reference_rgb(FILES[kind]), view)[None], mean, std)[0]
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())


@pytest.mark.parametrize("kind", FILES)
def test_torchvision_and_the_usual_views_on_odd_files(kind):
    from timm.data import create_transform, resolve_data_config

    models = import_module("torchvision").models
    for name in (
        "resnet50@IMAGENET1K_V2",
        "vit_b_16@IMAGENET1K_V1",
        "efficientnet_b1@IMAGENET1K_V2",
    ):
        model, _, tag = name.partition("@")
        preset = models.get_model_weights(model)[tag].transforms()
        _same(describe(f"torchvision:{name}"), preset, FILES[kind])
    config = import_module("timm").get_pretrained_cfg("resnet50.a1_in1k").to_dict()
    transform = create_transform(**resolve_data_config(pretrained_cfg=config, use_test_size=True))
    _same(describe("timm:resnet50.a1_in1k"), transform, FILES[kind])


@pytest.mark.parametrize("kind", FILES)
def test_open_clip_converts_late(kind):
    open_clip = import_module("open_clip")
    for name in ("ViT-B-32/laion2b_s34b_b79k", "ViT-B-16-SigLIP/webli"):
        model, _, tag = name.partition("/")
        config = open_clip.get_pretrained_cfg(model, tag)
        size = open_clip.get_model_config(model)["vision_cfg"]["image_size"]
        keys = ("mean", "std", "interpolation", "resize_mode")
        transform = open_clip.image_transform(
            size, is_train=False, **{key: config.get(key) for key in keys}
        )
        _same(describe(f"open_clip:{name}"), transform, FILES[kind], convert=False)


def test_models_without_weights_are_told_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("timm:resnet18.a1_in1k", "torchvision:resnet18@IMAGENET1K_V1"):
        with pytest.raises(MissingError, match="not on this machine"):
            open_model(name)
    options = ModelOptions(class_ids=("a", "b"), class_names=("cat", "dog"))
    with pytest.raises(MissingError, match="not on this machine"):
        open_model("open_clip:ViT-B-32/laion2b_s34b_b79k", options)
    with pytest.raises(UsageError, match="names of the classes"):
        open_model("open_clip:ViT-B-32/laion2b_s34b_b79k")


def test_wildcards_and_the_nearest_names():
    names = expand_names(["timm:resnet50.a*_in1k", "torchvision:resnet18@*"])
    assert "timm:resnet50.a1_in1k" in names and "torchvision:resnet18@IMAGENET1K_V1" in names
    for wrong, near in (
        ("timm:resnet50.a1_in2k", "timm:resnet50.a1_in1k"),
        ("torchvision:resnet5@X", "torchvision:resnet50@"),
        ("open_clip:ViT-B-32/laion3b", "open_clip:ViT-B-32"),
    ):
        with pytest.raises(UsageError) as caught:
            describe(wrong)
        assert near in caught.value.hint
    with pytest.raises(UsageError, match="There is no model"):
        expand_names(["timm:resnot*"])
    assert set(schemes.OURS) <= set(schemes.schemes())
