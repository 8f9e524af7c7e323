"""Models that exist only as published predictions take part like scored ones."""

import json
import shutil

import numpy as np
import pytest
from support.photo_folder import photo_folder

from replicate.base.errors import MissingError, UsageError
from replicate.zoo.image_sets import folder_set
from replicate.zoo.prediction_files import read
from replicate.zoo.scheme_predictions import files_of
from replicate.zoo.schemes import expand_names, open_model
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_work import run_job

N, CLASSES = 120, 4
MODELS = {"alexnet": 0.6, "resnet_50": 0.7, "vgg16": 0.8, "vit-b": 0.9}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return folder_set(photo_folder(tmp_path_factory.mktemp("p") / "v2", N, CLASSES), "v2")


@pytest.fixture(scope="module")
def labels(photos):
    return np.array([int(name[5:]) for name in photos.class_ids])


def _values(labels, accuracy, seed, k=1):
    rng = np.random.default_rng(seed)
    right = rng.random(len(labels)) < accuracy
    first = np.where(right, labels, (labels + rng.integers(1, CLASSES, len(labels))) % CLASSES)
    return np.stack([(first + i) % CLASSES for i in range(k)], axis=1)


@pytest.fixture
def folder(tmp_path, labels):
    """FOLDER/original and FOLDER/v2_predictions, with names spelled differently."""
    for name, style in (("original", str), ("v2_predictions", str.upper)):
        (tmp_path / "pub" / name).mkdir(parents=True)
        for i, (model, accuracy) in enumerate(MODELS.items()):
            np.save(tmp_path / "pub" / name / f"{style(model)}.npy", _values(labels, accuracy, i))
    np.save(tmp_path / "pub" / "original_labels.npy", labels)
    return tmp_path / "pub"


def _run(photos, folder, output, *patterns, **changes):
    names = tuple(expand_names([f"predictions:{folder}{each}" for each in patterns or ("",)]))
    outcomes = run_job(Job(names, photos, output, **changes))
    return {outcome.model.rpartition("/")[2]: outcome for outcome in outcomes}


def test_every_item_is_kept_as_it_was_published(photos, folder, labels, tmp_path):
    outcomes = _run(photos, folder, tmp_path / "out")
    assert list(outcomes) == sorted(MODELS)
    for i, (model, accuracy) in enumerate(MODELS.items()):
        found = read(outcomes[model].path)
        values = _values(labels, accuracy, i)[:, 0]
        assert found.items == photos.items and found.labels.tolist() == labels.tolist()
        names = np.array(found.header["classes"])[found.scored.classes[:, 0]]
        assert names.tolist() == [f"class{c}" for c in values]
        assert found.counts == (N, int((values == labels).sum()))
        assert found.header["depends_on"]["preprocessing"] == "published"
        assert np.isnan(found.scored.scores).all()
        assert any(model.upper() in note for note in outcomes[model].notes)
    again = _run(photos, folder, tmp_path / "out")
    assert [o.done for o in again.values()] == [0] * 4
    assert [o.path for o in again.values()] == [o.path for o in outcomes.values()]


def test_what_is_really_out_there_is_left_out_and_repaired_on_request(
    photos, folder, labels, tmp_path
):
    v2 = folder / "v2_predictions"
    np.save(v2 / "VGG16.npy", _values(labels, 0.8, 2, k=3)[:, ::-1])
    np.save(v2 / "ALEXNET.npy", _values(labels, 0.6, 0) + 1)
    np.save(v2 / "VIT-B.npy", _values(labels, 0.9, 3)[:-1])
    outcomes = _run(photos, folder, tmp_path / "out")
    assert {name: o.reason for name, o in outcomes.items()} == {
        "alexnet": "off_by_one", "vgg16": "worst_first", "vit-b": "wrong_length",
        "resnet_50": None,
    }  # fmt: skip
    assert "--repair columns" in outcomes["vgg16"].message and "%" in outcomes["vgg16"].message
    assert "119" in outcomes["vit-b"].message
    mended = _run(photos, folder, tmp_path / "out", repair=("columns", "offset"))
    assert {n for n, o in mended.items() if o.path} == {"alexnet", "vgg16", "resnet_50"}
    found = read(mended["vgg16"].path)
    assert found.counts[1] == int((_values(labels, 0.8, 2)[:, 0] == labels).sum())
    assert found.header["depends_on"]["preprocessing"] == "published+repaired-worst_first"
    assert any("repaired" in note for note in mended["vgg16"].notes)
    # What was repaired on request is not taken for what was published.
    assert _run(photos, folder, tmp_path / "out")["vgg16"].reason == "worst_first"


def test_a_table_by_image_name_of_class_names(photos, labels, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    values = _values(labels, 0.7, 1)[:, 0]
    order = np.random.default_rng(0).permutation(N)
    rows = [f"{photos.items[at].rpartition('/')[2]},class{values[at]}" for at in order]
    (flat / "table.csv").write_text("\n".join(["image,prediction", *rows]))
    np.save(flat / "numbers.npy", _values(labels, 0.9, 5))
    outcomes = _run(photos, flat, tmp_path / "out")
    assert read(outcomes["table"].path).counts[1] == int((values == labels).sum())
    assert read(outcomes["numbers"].path).counts[0] == N


def test_our_own_files_are_published_predictions_too(photos, tmp_path):
    tiny = run_job(Job(("py:support.tiny_models:build",), photos, tmp_path / "scored"))[0]
    (tmp_path / "flat").mkdir()
    shutil.copy(tiny.path, tmp_path / "flat" / "ours.arrow")
    (ours,) = _run(photos, tmp_path / "flat", tmp_path / "out").values()
    assert ours.model.endswith("flat/py:support.tiny_models:build")
    assert read(ours.path).counts == read(tiny.path).counts
    assert read(ours.path).scored.classes.tolist() == read(tiny.path).scored.classes.tolist()


def test_numbers_mean_other_classes_by_a_class_map(photos, labels, tmp_path):
    mapping = {str(10 + i): f"class{i // 2}" for i in range(8)}
    (tmp_path / "pub").mkdir()
    rng = np.random.default_rng(3)
    np.save(tmp_path / "pub" / "m.npy", 10 + 2 * labels + rng.integers(0, 2, N))
    found = _run(photos, tmp_path / "pub", tmp_path / "out", class_map=mapping)["m"]
    assert read(found.path).counts == (N, N)


def test_names_wildcards_and_what_is_not_there(folder, tmp_path, monkeypatch, photos):
    monkeypatch.chdir(folder.parent)
    assert expand_names(["predictions:pub/v*"]) == [
        "predictions:pub/vgg16", "predictions:pub/vit-b",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="vgg19") as error:
        expand_names(["predictions:pub/vgg19"])
    assert "predictions:pub/vgg16" in error.value.hint
    with pytest.raises(MissingError, match="no folder of predictions"):
        expand_names(["predictions:gone/x"])
    files = files_of("predictions:pub/vgg16", tmp_path)
    assert {name: (f.n, f.columns) for name, f in files.items()} == {
        "original": (N, 1), "v2": (N, 1),
    }  # fmt: skip
    (folder / "v2_predictions" / "VGG16.npy").write_bytes(b"broken")
    assert files_of("predictions:pub/vgg16", tmp_path)["v2"].problem
    with pytest.raises(Exception, match="only as predictions"):
        open_model("predictions:pub/vgg16")
    other = run_job(Job(("predictions:pub/vgg16",), _named(photos, "v3"), tmp_path / "o"))[0]
    assert other.reason == "no_predictions" and "original, v2" in other.message


def _named(photos, name):
    return folder_set(photos.root, name)


def test_one_file_of_many_models(photos, labels, tmp_path):
    many = {
        model: _values(labels, share, i)[:, 0] for i, (model, share) in enumerate(MODELS.items())
    }
    (tmp_path / "all.json").write_text(json.dumps({m: v.tolist() for m, v in many.items()}))
    outcomes = _run(photos, tmp_path / "all.json", tmp_path / "out")
    for model, outcome in outcomes.items():
        assert read(outcome.path).counts[1] == int((many[model] == labels).sum())
    assert len({outcome.path for outcome in outcomes.values()}) == len(MODELS)


def test_only_classes_of_the_set_compete_where_that_is_asked_for(photos, labels, tmp_path):
    (tmp_path / "pub").mkdir()
    other = np.where(np.arange(N) % 5 == 0, 7, labels)  # a class that the set does not have
    np.save(tmp_path / "pub" / "two.npy", np.stack([other, (labels + (other == labels)) % 4], 1))
    np.save(tmp_path / "pub" / "one.npy", np.where(np.arange(N) % 5 == 1, 7, labels))
    plain = _run(photos, tmp_path / "pub", tmp_path / "out")
    assert read(plain["two"].path).counts == (N, N - N // 5)
    found = _run(photos, tmp_path / "pub", tmp_path / "out", restrict=True)
    assert read(found["two"].path).counts == (N, N)
    assert found["one"].reason == "class_map" and "24 of 120" in found["one"].message


def test_a_list_of_classes_may_be_longer_than_the_labels(photos, labels, tmp_path):
    (tmp_path / "pub").mkdir()
    for i, model in enumerate(MODELS):
        words = np.array([f"class{c}" for c in _values(labels, 0.8, i)[:, 0]])
        words[i] = "zebra" if i == 0 else words[i]  # a class that this set has no image of
        (tmp_path / "pub" / f"{model}.txt").write_text("\n".join(words))
    outcomes = _run(photos, tmp_path / "pub", tmp_path / "out")
    assert all(outcome.reason is None for outcome in outcomes.values())
    found = read(outcomes["alexnet"].path)
    assert found.header["classes"][found.scored.classes[0, 0]] == "zebra"
