"""The extra `zoo` in the environment that has it: the packages fit each other."""

import pytest

pytestmark = pytest.mark.zoo


def test_torchvision_fits_torch() -> None:
    import torch
    import torchvision

    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.1, 0.0, 2.0, 2.0], [5.0, 5.0, 6.0, 6.0]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    # A torchvision built for another torch lacks its compiled operators.
    assert torchvision.ops.nms(boxes, scores, 0.5).tolist() == [0, 2]


def test_timm_and_open_clip_build_models_without_a_download() -> None:
    import open_clip
    import timm
    import torch

    model = timm.create_model("resnet10t", pretrained=False, num_classes=10).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 10)
    assert "ViT-B-32" in open_clip.list_models()
