"""Zero-shot models of open_clip with random weights: beside its own classifier, and in a study."""

import json

import numpy as np
import pytest
from stages.scoring_others import others_study, rows, tally_of

from replicate.study import open_study
from replicate.zoo.prediction_files import read
from replicate.zoo.schemes import ModelOptions, open_model
from replicate.zoo.tensors import standardised

pytestmark = pytest.mark.zoo
NAME = "open_clip:replicate-tiny/random"
SIZE = 32
CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": SIZE, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
TEMPLATES = ("a photo of {}.", "{} on paper")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small architecture in open_clip's registries, its weights in Hugging Face's cache."""
    import huggingface_hub.constants
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("open_clip")
    (folder / "replicate-tiny.json").write_text(json.dumps(CONFIG))
    snapshot = folder / "hub" / "models--nobody--replicate-tiny" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    patch = pytest.MonkeyPatch()
    patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder / "hub"))
    open_clip.add_model_config(folder / "replicate-tiny.json")
    where = {"random": {"hf_hub": "nobody/replicate-tiny/"}}
    patch.setitem(open_clip.pretrained._PRETRAINED, "replicate-tiny", where)
    torch.manual_seed(0)
    network = open_clip.create_model("replicate-tiny")
    save_file(network.state_dict(), snapshot / "open_clip_model.safetensors")
    yield network.eval()
    patch.undo()


def test_scores_are_those_of_open_clips_own_classifier(tiny):
    import open_clip
    import torch

    names = ("a zero", "a one", "a two")
    options = ModelOptions(class_names=names, class_ids=("0", "1", "2"), templates=TEMPLATES)
    model = open_model(NAME, options)
    views = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    batch = standardised(views, model.description.mean, model.description.std)
    head = open_clip.build_zero_shot_classifier(
        tiny, open_clip.get_tokenizer("replicate-tiny"), names,
        [lambda name, template=template: template.format(name) for template in TEMPLATES],
    )  # fmt: skip
    with torch.inference_mode():
        own = tiny.logit_scale.exp() * tiny.encode_image(batch, normalize=True) @ head
        ours = model.module(batch)
    torch.testing.assert_close(ours, own, rtol=1e-5, atol=1e-5)
    assert model.description.outputs == ("0", "1", "2")


def test_a_study_says_what_its_classes_are_called(tiny, tmp_path):
    keys = 'class_names = { "3" = "a three" }\ntemplates = ["a photo of {}.", "{} on paper"]'
    study = others_study(tmp_path / "study", (NAME,), keys)
    tally = tally_of(study)
    assert not tally.failed and tally.done == 3
    found = {row.set_name: row for row in rows(study)}
    assert all(0 <= row.correct <= row.n and row.status == "ok" for row in found.values())
    kept = read(study.root / found["original"].path)
    assert tuple(kept.header["classes"]) == tuple("0123456789")
    assert len(np.unique(kept.scored.scores[:, 0])) > 10  # pictures are told apart
    assert tally_of(study).skipped == 3
    # Other words are another classifier: all is scored anew.
    file = study.root / "pipeline.toml"
    file.write_text(file.read_text().replace("a three", "the third digit"))
    study.close()
    again = open_study(tmp_path / "study")
    assert tally_of(again).done == 3
    assert {row.path for row in rows(again)}.isdisjoint({row.path for row in found.values()})
