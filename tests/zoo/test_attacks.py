"""Attacks stay within their budgets, do harm, and end in prediction files; pm-k by hand."""

import numpy as np
import pytest
import torch
from support.photo_folder import photo_folder

from replicate.base.errors import ItemError, UsageError
from replicate.zoo.attacks import Attack, _attackable, attack_model, perturbed, sample_of
from replicate.zoo.frames import across_time, read_groups
from replicate.zoo.image_sets import folder_set
from replicate.zoo.output_maps import output_map
from replicate.zoo.prediction_files import read
from replicate.zoo.schemes import open_model
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_work import run_job

TINY = "py:support.tiny_models:build?seed=1"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return folder_set(photo_folder(tmp_path_factory.mktemp("photos") / "set", 40), "set")


@pytest.fixture(scope="module")
def model():
    return open_model(TINY)


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 8 / 255), ("l2", 1.0)])
def test_changes_stay_within_the_budget_and_raise_the_loss(model, method, norm, epsilon):
    outputs = output_map(model.outputs, 4, model.outputs)
    torch.manual_seed(0)
    pixels, truth = torch.rand(8, 3, 24, 24), torch.arange(8) % 4
    with _attackable(model, outputs, "cpu") as attacked:
        changed = perturbed(attacked, Attack(method, norm, epsilon, 10), pixels, truth)
        moved = (changed - pixels).flatten(1)
        size = moved.abs().amax(1) if norm == "linf" else moved.norm(dim=1)
        assert float(size.max()) <= epsilon * 1.001 and float(size.min()) > epsilon / 10
        assert float(changed.min()) >= 0 and float(changed.max()) <= 1
        losses = [
            torch.nn.functional.cross_entropy(attacked(x), truth, reduction="none")
            for x in (pixels, changed)
        ]
        assert bool((losses[1] > losses[0]).all())
    if (method, norm) == ("fgsm", "linf"):  # by its formula
        mean, std = (torch.tensor(v)[:, None, None] for v in
                     (model.description.mean, model.description.std))  # fmt: skip
        x = pixels.clone().requires_grad_()
        torch.nn.functional.cross_entropy(model.module((x - mean) / std), truth).backward()
        expected = (pixels + epsilon * x.grad.sign()).clamp(0, 1)
        torch.testing.assert_close(changed, expected, atol=1e-6, rtol=0)


def test_predictions_of_attacked_images_are_kept_once(photos, model, tmp_path):
    sample = sample_of(photos, 24, 0)
    assert sample.name == "set-sample24" and len(sample.items) == 24
    assert sample_of(photos, 24, 0) == sample != sample_of(photos, 24, 1)
    assert sample_of(photos, 40, 0) is photos
    outputs = output_map(model.outputs, 4, sample.classes)
    attack = Attack("pgd", "linf", 16 / 255, 5)
    path, done = attack_model(model, outputs, sample, attack, tmp_path / "a")
    assert done == 24 and path.parent.name == "set-sample24-pgd5-linf-0.06275"
    found = read(path)
    (plain,) = run_job(Job((TINY,), sample, tmp_path / "plain"))
    assert found.items == read(plain.path).items
    assert found.counts[1] < read(plain.path).counts[1]
    assert found.header["attack"]["epsilon"] == pytest.approx(16 / 255)
    assert "pgd5-linf" in found.header["depends_on"]["preprocessing"]
    assert attack_model(model, outputs, sample, attack, tmp_path / "a") == (path, 0)
    other, _ = attack_model(model, outputs, sample, attack, tmp_path / "b")
    assert other.read_bytes() == path.read_bytes()


def test_what_cannot_be_attacked_is_said(photos, model, tmp_path):
    from dataclasses import replace

    outputs = output_map(model.outputs, 4, photos.classes)
    attack = Attack("fgsm", "l2", 0.5)
    with pytest.raises(ItemError, match="gradients"):
        attack_model(replace(model, half=False), outputs, photos, attack, tmp_path)
    with pytest.raises(UsageError, match="no attack"):
        Attack("pgd", "l3", 1)
    with pytest.raises(UsageError, match="outside of class folders"):
        sample_of(replace(photos, class_ids=None), 3, 0)


def test_frames_count_only_if_all_around_them_are_right(photos, tmp_path):
    (outcome,) = run_job(Job((TINY,), photos, tmp_path))
    found = read(outcome.path)
    right = dict(
        zip(found.items, (found.scored.classes[:, 0] == found.labels).tolist(), strict=True)
    )
    videos = [photos.items[:15], photos.items[15:33]]
    lines = ["item,video,frame,anchor"]
    for name, items in zip("ab", videos, strict=True):
        lines += [f"{item},{name},{2 * at},{int(at % 3 == 0)}" for at, item in enumerate(items)]
    table = tmp_path / "frames.csv"
    table.write_text("\n".join(lines))
    for k in (0, 1, 2, 5):
        judged = across_time(outcome.path, read_groups(table, k))
        expected = [
            all(right[items[i]] for i in range(len(items)) if abs(2 * i - 2 * at) <= k)
            for items in videos for at in range(0, len(items), 3)
        ]  # fmt: skip
        assert judged.all_right.tolist() == expected
        assert judged.anchor.tolist() == [right[item] for item in judged.items]
    assert judged.all_right.sum() < judged.anchor.sum()
    for text, word in (("item,video\na,b", "frame"), ("item,video,frame\na,b,x", "no number"),
                       ("item,video,frame\na,b,1\na,b,2", "twice"),
                       ("item,video,frame,anchor\na,b,1,0", "no anchor")):  # fmt: skip
        table.write_text(text)
        with pytest.raises(UsageError, match=word):
            read_groups(table, 1)
    table.write_text("item,video,frame\ngone.jpg,b,1\n")
    with pytest.raises(UsageError, match="gone"):
        across_time(outcome.path, read_groups(table, 1))
    assert np.asarray(judged.anchor).dtype == np.bool_
