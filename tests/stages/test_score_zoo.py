"""Models of timm and torchvision in a study, with random weights: nothing is fetched."""

from importlib import import_module

import pytest
from safetensors.torch import save_file
from sqlalchemy import select
from stages.scoring import context_of
from stages.scoring_others import changed, others_study, rows, tally_of

from replicate.stages.report import report
from replicate.store.tables import Model
from replicate.zoo.image_classes import imagenet_wnids
from replicate.zoo.scheme_torchvision import cached

pytestmark = pytest.mark.zoo


def test_wildcards_checkpoints_and_weights_that_are_not_here(tmp_path, monkeypatch):
    torch = import_module("torch")
    models, timm = import_module("torchvision.models"), import_module("timm")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    weights = cached(models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url)
    weights.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(models.squeezenet1_1().state_dict(), weights)
    names = ("torchvision:squeezenet1_*@IMAGENET1K_V1", "timm:resnet10t.c3_in1k",
             "file:r.safetensors?arch=timm:resnet10t.c3_in1k")  # fmt: skip
    study = others_study(tmp_path / "study", names, 'class_map = "map.csv"')
    save_file(timm.create_model("resnet10t", pretrained=False).state_dict(),
              study.root / "r.safetensors")  # fmt: skip
    pairs = zip(imagenet_wnids()[100:110], "0123456789", strict=True)
    (study.root / "map.csv").write_text("".join(f"{wnid},{digit}\n" for wnid, digit in pairs))
    tally = tally_of(study)
    assert (tally.done, dict(tally.failed)) == (6, {"not_here": 6})
    assert sum("The weights of" in note and "not on this machine" in note
               for note in tally.notes) == 2  # fmt: skip
    with study.session() as session:
        found = {row.name: row for row in session.scalars(select(Model))}
    here = "torchvision:squeezenet1_1@IMAGENET1K_V1"
    assert found[here].status == "ok" and found[here].family == "squeezenet"
    assert found[here].card["preprocessing"].startswith("rgb@1+short256-bilinear-crop224x224@1")
    assert found["torchvision:squeezenet1_0@IMAGENET1K_V1"].status == "failed"
    assert {row.preprocessing for row in rows(study) if row.model == names[2]} == {
        found[names[2]].card["preprocessing"]
    }
    report(context_of(study))
    page = (study.report_dir / "report.html").read_text()
    assert here in page and names[2] in page and "squeezenet1_0" in page
    study = changed(study.root, "", ("[report]", '[report]\ntitle = "Again"'))
    assert report(context_of(study)).tally.details["left_out"] == [
        f"{name} on {place}"
        for name in ("timm:resnet10t.c3_in1k", "torchvision:squeezenet1_0@IMAGENET1K_V1")
        for place in ("original", "test-rest", "top")
    ]
