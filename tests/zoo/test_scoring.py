"""The engine: views once, models in turn, kept, resumed, failing one by one."""

import hashlib
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch
from support.photo_folder import photo_folder

from replicate.base.errors import MissingError, UsageError
from replicate.zoo.image_sets import folder_set
from replicate.zoo.leases import lease
from replicate.zoo.pixels import reference_rgb
from replicate.zoo.prediction_files import read
from replicate.zoo.schemes import open_model
from replicate.zoo.scoring import Arithmetic
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_work import run_job
from replicate.zoo.tensors import standardised
from replicate.zoo.views import cut

TINY = "py:support.tiny_models:"
MODELS = (f"{TINY}build?seed=1", f"{TINY}build?seed=2&size=20", f"{TINY}greedy")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder(tmp_path_factory.mktemp("photos") / "v2", 50)


def _job(photos, output, **changes):
    images = folder_set(photos, "v2")
    return Job(
        **{"models": MODELS, "images": images, "output": output, "most_images": 20, **changes}
    )


def _files(output):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.glob("v2/*.arrow"))
    }


def test_predictions_are_those_of_the_plain_way(photos, tmp_path):
    outcomes = run_job(_job(photos, tmp_path))
    assert [outcome.reason for outcome in outcomes] == [None] * 3
    for outcome in outcomes:
        model, found = open_model(outcome.model), read(outcome.path)
        description = model.description
        for at in (0, 19, 20, 49):  # the last shard is short
            data = (photos / found.items[at]).read_bytes()
            view = cut(reference_rgb(data), description.view)[None]
            with torch.inference_mode():
                logits = model.module(standardised(view, description.mean, description.std))[0]
            assert found.scored.classes[at, 0] == int(logits.argmax())
            np.testing.assert_allclose(found.scored.scores[at, 0], logits.max(), rtol=1e-5)
            np.testing.assert_allclose(found.scored.log_sum_exp[at], logits.logsumexp(0), rtol=1e-5)
        expected = [int(item[5]) for item in found.items]  # class3/photo…
        assert found.labels.tolist() == expected
        assert found.header["depends_on"]["weights"] == model.weights_digest
    assert not list((tmp_path / ".work" / "v2").glob(".views-*"))
    assert not list((tmp_path / ".work" / "v2" / "parts").glob("*"))


def test_run_again_it_does_nothing_and_new_models_alone(photos, tmp_path):
    run_job(_job(photos, tmp_path, models=MODELS[:2]))
    before = _files(tmp_path)
    outcomes = run_job(_job(photos, tmp_path))
    assert [outcome.done for outcome in outcomes] == [0, 0, 50]
    assert before.items() <= _files(tmp_path).items() and len(_files(tmp_path)) == 3
    begun = time.monotonic()
    assert [outcome.done for outcome in run_job(_job(photos, tmp_path))] == [0, 0, 0]
    assert time.monotonic() - begun < 5


def test_other_arithmetic_other_maps_and_other_images_are_other_files(photos, tmp_path):
    one = MODELS[:1]
    plain = run_job(_job(photos, tmp_path, models=one))[0].path
    half = run_job(_job(photos, tmp_path, models=one, how=Arithmetic(precision="bf16")))[0].path
    pairs = {f"class{i}": f"class{i // 2}" for i in range(4)}
    images = _two_classes(photos, tmp_path)
    mapped = run_job(_job(photos, tmp_path, models=one, class_map=pairs, images=images))
    assert len({plain, half, mapped[0].path}) == 3
    assert read(half).header["depends_on"]["precision"] == "bf16"
    assert read(mapped[0].path).header["classes"] == ["class0", "class1"]


def _two_classes(photos, tmp_path):
    table = tmp_path / "two.csv"
    items = [p.relative_to(photos).as_posix() for p in sorted(photos.glob("*/*.jpg"))]
    table.write_text("path,class\n" + "".join(f"{i},class{int(i[5]) // 2}\n" for i in items))
    return folder_set(photos, "v2", table)


def test_every_model_fails_by_itself(photos, tmp_path):
    bad = ("raises", "breaking", "nowhere", "not_a_model", "build?classes=3")
    models = (*(TINY + name for name in bad), "tim:x", MODELS[0])
    outcomes = run_job(_job(photos, tmp_path, models=models))
    reasons = [outcome.reason for outcome in outcomes]
    assert reasons == [
        "bad_model", "model_failed", "not_finite", "not_here", "class_map", "not_here", None,
    ]  # fmt: skip
    assert "planted" in outcomes[1].message and "timm:" in outcomes[5].message
    assert len(_files(tmp_path)) == 1
    again = run_job(_job(photos, tmp_path, models=models[1:2]))
    assert again[0].reason == "model_failed"
    assert run_job(_job(photos, tmp_path, models=models[1:2], retry=True))[0].reason


def test_memory_that_runs_out_halves_the_batch(photos, tmp_path, monkeypatch):
    from support import tiny_models

    found = run_job(_job(photos, tmp_path, models=MODELS[2:]))[0]
    assert found.reason is None and read(found.path).counts[0] == 50
    monkeypatch.setattr(tiny_models.Greedy, "most", 0)
    worse = run_job(_job(photos, tmp_path / "b", models=MODELS[2:]))[0]
    assert worse.reason == "bad_model"  # not even one black image


def test_an_image_that_cannot_be_read_is_left_out_of_all_models_alike(tmp_path):
    photos = photo_folder(tmp_path / "v2", 24)
    (photos / "class1" / "photo0001.jpg").write_bytes(b"\xff\xd8\xff broken")
    whole = (photos / "class2" / "photo0002.jpg").read_bytes()
    (photos / "class2" / "photo0002.jpg").write_bytes(whole[: len(whole) // 2])
    outcomes = run_job(_job(photos, tmp_path / "out"))
    for outcome in outcomes:
        found = read(outcome.path)
        assert found.counts[0] == 22
        assert found.header["failed_images"] == {
            "class1/photo0001.jpg": "not_an_image", "class2/photo0002.jpg": "truncated",
        }  # fmt: skip


def _run(photos, output, ready, shared):
    ready.set()
    run_job(_job(photos, output, most_images=7), shared, lifetime=1.0)


def test_killed_at_any_moment_and_carried_on_it_ends_in_the_same_files(photos, tmp_path):
    run_job(_job(photos, tmp_path / "whole", most_images=7))
    context = multiprocessing.get_context("fork")
    kills = 0
    for attempt in range(40):
        ready = context.Event()
        child = context.Process(target=_run, args=(photos, tmp_path / "killed", ready, False))
        child.start()
        ready.wait()
        child.join(0.02 + 0.013 * attempt)  # a little later each time
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.join()
        if child.exitcode == 0:
            break
    assert kills >= 3
    assert _files(tmp_path / "killed") == _files(tmp_path / "whole")
    run_job(_job(photos, tmp_path / "killed", most_images=7))
    assert not list((tmp_path / "killed" / ".work" / "v2").glob(".views-*"))


def test_workers_share_a_folder_and_end_in_the_same_files(photos, tmp_path):
    run_job(_job(photos, tmp_path / "whole", most_images=7))
    context = multiprocessing.get_context("fork")
    output = tmp_path / "shared"
    lost = context.Process(target=_run, args=(photos, output, context.Event(), True))
    lost.start()
    time.sleep(0.15)
    os.kill(lost.pid, signal.SIGKILL)  # a worker that is lost with its lease
    lost.join()
    workers = [
        context.Process(target=_run, args=(photos, output, context.Event(), True)) for _ in "ab"
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    for _ in range(30):  # what the lost one held is free after its lifetime
        if all(o.path for o in run_job(_job(photos, output, most_images=7), True, lifetime=1.0)):
            break
        time.sleep(0.2)
    assert _files(output) == _files(tmp_path / "whole")
    assert not list((output / ".work" / "v2" / "leases").glob("*.lease"))


def test_a_lease_is_held_by_one_and_taken_over_from_the_lost(tmp_path):
    with lease(tmp_path, "unit", 60) as ours:
        assert ours
        with lease(tmp_path, "unit", 60) as theirs:
            assert not theirs
        os.utime(tmp_path / "unit.lease", (1, 1))  # not touched for long
        with lease(tmp_path, "unit", 60) as taken:
            assert taken
    with lease(tmp_path, "unit", 60) as again:
        assert again
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_no_sets(tmp_path):
    with pytest.raises(MissingError, match="no folder"):
        folder_set(tmp_path / "gone", "x")
    with pytest.raises(MissingError, match="no images"):
        folder_set(tmp_path, "x")
    photo_folder(tmp_path / "p", 4)
    (tmp_path / "p" / "class0" / "up").symlink_to(tmp_path / "p")  # a loop
    assert len(folder_set(tmp_path / "p", "x").items) == 4
    (tmp_path / "t.csv").write_text("path,class\nclass0/photo0000.jpg,a\nclass0/gone.jpg,a\n")
    with pytest.raises(UsageError, match="not in"):
        folder_set(tmp_path / "p", "x", tmp_path / "t.csv")
    flat = tmp_path / "flat"
    flat.mkdir()
    (tmp_path / "p" / "class0" / "photo0000.jpg").rename(flat / "a.jpg")
    assert folder_set(flat, "x").class_ids is None


def test_digests_are_remembered_until_a_file_changes(tmp_path):
    photos = photo_folder(tmp_path / "p", 4)
    known = tmp_path / "files.json"
    first = folder_set(photos, "x", known=known)
    assert folder_set(photos, "x", known=known).digest == first.digest
    (photos / "class0" / "photo0000.jpg").write_bytes(b"another")
    assert folder_set(photos, "x", known=known).digest != first.digest
    known.write_text("{ damaged")
    assert folder_set(photos, "x", known=known).digest != first.digest
