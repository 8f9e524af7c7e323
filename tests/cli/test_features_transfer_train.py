"""`replicate features`, `transfer`, `train` on folders of images."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from support.photo_folder import photo_folder

from replicate.zoo.feature_files import read_features
from replicate.zoo.pixels import reference_rgb
from replicate.zoo.schemes import open_model
from replicate.zoo.tensors import standardised
from replicate.zoo.views import cut

TINY = "py:support.tiny_models:"


@pytest.fixture
def photos(tmp_path):
    return photo_folder(tmp_path / "photos", 40)


def test_features_are_the_input_of_the_last_layer(run, photos, tmp_path):
    name = f"{TINY}build?seed=1"
    words = ("features", "--models", name, "--data", photos, "--output", tmp_path / "f")
    code, value, err = run(*words)
    assert code == 0, err
    found = read_features(tmp_path / value["models"][0]["path"])
    model = open_model(name)
    assert found.values.shape == (40, 48) and value["models"][0]["width"] == 48
    data = (photos / found.names[7]).read_bytes()
    view = cut(reference_rgb(data), model.description.view)[None]
    with torch.inference_mode():
        batch = standardised(view, model.description.mean, model.description.std)
        expected = model.module.pool(batch).flatten(1)[0]
    np.testing.assert_allclose(found.values[7], expected.numpy(), rtol=1e-5)
    before = (tmp_path / value["models"][0]["path"]).stat().st_mtime_ns
    run(*words)
    assert (tmp_path / value["models"][0]["path"]).stat().st_mtime_ns == before


def test_what_fails_is_said(run, photos, tmp_path):
    (photos / "class0" / "photo0000.jpg").write_bytes(b"broken")
    words = ("features", "--models", f"{TINY}raises", "--models", f"{TINY}build",
             "--data", photos, "--output", tmp_path / "f")  # fmt: skip
    code, value, _ = run(*words)
    assert code == 3
    assert "no such layer" in value["models"][0]["reason"]
    assert value["models"][1]["failed_images"] == 1
    values = read_features(tmp_path / value["models"][1]["path"]).values
    assert np.isnan(values).all(axis=1).sum() == 1


def _coloured(folder, n, shift=0):
    """Classes that differ in colour, so that there is something to learn."""
    rng = np.random.default_rng(shift)
    for i in range(n):
        target = folder / f"class{i % 3}" / f"{i:03d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 120, (30, 30, 3))
        pixels[..., i % 3] += 60
        Image.fromarray(pixels.astype(np.uint8)).save(target)
    return folder


def test_transfer_learns_what_the_features_hold(run, tmp_path):
    train, test = _coloured(tmp_path / "a", 60), _coloured(tmp_path / "b", 30, 5)
    words = ("transfer", "--models", f"{TINY}build", "--train", train, "--test", test,
             "--output", tmp_path / "f", "--folds", 3)  # fmt: skip
    code, value, err = run(*words)
    assert code == 0, err
    row = value["models"][0]
    assert row["accuracy"] > 0.9 and row["n"] == 30 and row["ci"][0] < row["accuracy"]
    assert (
        row["mean_per_class"] == pytest.approx(row["accuracy"]) and row["average_precision"] > 0.9
    )
    assert run(*words)[1] == value
    assert "top-1" in run(*words, as_json=False)[1]
    (test / "zebra").mkdir()
    (test / "class0" / "000.png").rename(test / "zebra" / "000.png")
    code, _, err = run(*words)
    assert code == 2 and "zebra" in err


def test_a_testbed_trains_tests_and_carries_on(run, tmp_path):
    train, test = _coloured(tmp_path / "a", 60), _coloured(tmp_path / "b", 30, 5)
    words = ("train", "--train", train, "--test", f"own={train}", "--test", f"b={test}",
             "--models", "small:linear-*", "--size", 8, "--output", tmp_path / "bed")  # fmt: skip
    code, value, err = run(*words)
    assert code == 0, err
    assert value["n_train"] == 60 and value["classes"] == ["class0", "class1", "class2"]
    assert {row["test_set"] for row in value["models"]} == {"own", "b"}
    assert all(row["n"] in (30, 60) for row in value["models"])
    weights = {p: p.stat().st_mtime_ns for p in (tmp_path / "bed" / "models").iterdir()}
    assert run(*words)[1] == value
    assert weights == {p: p.stat().st_mtime_ns for p in (tmp_path / "bed" / "models").iterdir()}
    with (tmp_path / "bed" / "scores.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == len(value["models"])
    code, found, err = run("analyze", tmp_path / "bed" / "scores.csv", "--original", "own",
                           "--trained-on", tmp_path / "bed" / "trained_on.csv",
                           "--resamples", 50)  # fmt: skip
    assert code == 0, err
    assert found["cross_sets"]["trained"] == ["a"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--models", "timm:resnet50"), "scheme small:"),
        (("--size", 200), "4 to 96"),
        (("--test", "x"), "NAME=DIR"),
        (("--test", "x=gone"), "no folder"),
    ],
)
def test_a_testbed_says_what_it_cannot_do(run, tmp_path, more, word):
    train = _coloured(tmp_path / "a", 9)
    words = ("train", "--train", train, "--test", f"own={train}", "--output", tmp_path / "bed")
    code, _, err = run(*words, *more)
    assert code == 2 and word in err, err


def test_fine_tuning_stands_beside_the_probe_and_is_kept(run, tmp_path):
    train, test = _coloured(tmp_path / "a", 60), _coloured(tmp_path / "b", 30, 5)
    (test / "class0" / "000.png").write_bytes(b"broken")
    words = ("transfer", "--models", "py:support.tuned_models:normed", "--train", train, "--test",
             test, "--output", tmp_path / "f", "--folds", 3, "--fine-tune", "--epochs", 3,
             "--rate", 0.05, "--seed", 4)  # fmt: skip
    code, value, err = run(*words)
    assert code == 0, err
    row = value["models"][0]["fine_tuned"]
    assert row["accuracy"] > 0.9 and row["n"] == 29 and row["n_train"] == 60
    assert row["recipe"]["seed"] == 4 and row["rate"] == 0.05 and row["failed_images"] == 1
    assert "3 of 3 epochs" in err
    code, again, err = run(*words)
    assert again == value and "epochs" not in err
    assert not list((tmp_path / "f" / "fine-tuned" / ".work").glob("*"))
    assert "fine-tuned (rate 0.05): top-1" in run(*words, as_json=False)[1]
