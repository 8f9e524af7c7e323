"""The engine beside timm's loaders and a bare forward pass (run with --benchmark-only, extra zoo).

CPU seconds of the whole process, all threads, after imports, building the models included: what
a zoo costs on this machine.
The same five best classes are asserted before anything is reported.
"""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.photos import imagenet_photos

from replicate.zoo.image_sets import folder_set
from replicate.zoo.machine import usable_threads
from replicate.zoo.pixels import reference_rgb
from replicate.zoo.prediction_files import read
from replicate.zoo.schemes import open_model
from replicate.zoo.scoring_job import Job, run_job
from replicate.zoo.tensors import standardised
from replicate.zoo.views import cut

ARCHES = (
    "lcnet_050", "lcnet_075", "lcnet_100", "mobilenetv3_small_050", "mobilenetv3_small_100",
    "mobilenetv2_050", "tf_efficientnet_lite0", "tf_efficientnet_lite1", "resnet10t",
    "ghostnet_050",
)  # fmt: skip
N = 500
MODELS = tuple(f"py:support.timm_models:build?arch={arch}" for arch in ARCHES)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """JPEGs of 500×375 pixels, cut from real photographs."""
    folder = tmp_path_factory.mktemp("photos") / "set"
    folder.mkdir()
    sources = [Image.open(path).convert("RGB") for path, _ in imagenet_photos()]
    rng = np.random.default_rng(0)
    for i in range(N):
        image = sources[i % len(sources)]
        share = rng.uniform(0.6, 1)
        width, height = int(image.width * share), int(image.height * share)
        x, y = rng.integers(0, image.width - width + 1), rng.integers(0, image.height - height + 1)
        part = image.crop((int(x), int(y), int(x) + width, int(y) + height))
        part.resize((500, 375), Image.Resampling.BICUBIC).save(folder / f"{i:04d}.jpg", quality=92)
    return folder


def _bare(photos):
    """Forward passes alone, over batches that are ready in memory."""
    import torch

    best, spent = {}, 0.0
    files = sorted(photos.glob("*.jpg"))
    pixels = [reference_rgb(file.read_bytes()) for file in files]
    torch.set_num_threads(usable_threads())
    for name in MODELS:
        start = time.process_time()
        model = open_model(name)
        spent += time.process_time() - start
        description = model.description
        views = np.stack([cut(image, description.view) for image in pixels])
        batches = [standardised(views[at : at + 32], description.mean, description.std)
                   for at in range(0, N, 32)]  # fmt: skip
        start = time.process_time()
        with torch.inference_mode():
            logits = torch.cat([model.module(batch) for batch in batches])
        spent += time.process_time() - start
        best[name] = logits.topk(5).indices.numpy()
    return spent, best


def _loaders(photos):
    """timm's own data set, transform and loader, one model after the other in one process."""
    import torch
    from timm.data import create_dataset, create_transform, resolve_data_config

    best, spent = {}, 0.0
    import timm

    for name, arch in zip(MODELS, ARCHES, strict=True):
        start = time.process_time()
        model = open_model(name)
        config = timm.get_pretrained_cfg(arch).to_dict()
        transform = create_transform(
            **resolve_data_config(pretrained_cfg=config, use_test_size=True), is_training=False
        )
        dataset = create_dataset("", root=str(photos.parent), transform=transform)
        loader = torch.utils.data.DataLoader(dataset, batch_size=32)
        with torch.inference_mode():
            logits = torch.cat([model.module(batch) for batch, _ in loader])
        spent += time.process_time() - start
        best[name] = logits.topk(5).indices.numpy()
    return spent, best


def _ours(photos, output):
    images = folder_set(photos, "set")
    start = time.process_time()
    outcomes = run_job(Job(MODELS, images, output))
    spent = time.process_time() - start
    return spent, {o.model: read(o.path).scored.classes for o in outcomes}


@pytest.mark.zoo
@pytest.mark.timeout(3600)
def test_the_engine_beside_timms_loaders(benchmark, photos, tmp_path):
    _ours_warm = run_job(Job(MODELS[:1], folder_set(photos, "set"), tmp_path / "warm"))
    assert _ours_warm[0].reason is None
    bare, best = _bare(photos)
    loaders, theirs = _loaders(photos)
    ours, found = benchmark.pedantic(_ours, args=(photos, tmp_path / "out"), rounds=1)
    for name in MODELS:
        np.testing.assert_array_equal(theirs[name], best[name])
        np.testing.assert_array_equal(found[name], best[name])
    views = len({open_model(name).description.view for name in MODELS})
    print(f"\n{len(MODELS)} models, {N} JPEGs, {views} distinct views; CPU seconds")
    for label, spent in (("timm's loaders", loaders), ("the engine", ours), ("bare", bare)):
        print(f"  {label:16} {spent:7.1f}   bare / total {bare / spent:.2f}")
    benchmark.extra_info.update(bare=bare, loaders=loaders, ours=ours)
    assert bare / ours >= 0.8
    assert loaders / ours >= 2


TINY = tuple(f"py:support.tiny_models:build?seed={i}&size={20 + 4 * (i % 3)}" for i in range(200))


@pytest.mark.timeout(3600)
def test_two_hundred_tiny_models_on_four_sets(benchmark, tmp_path):
    import resource

    from support.photo_folder import photo_folder

    sets = [
        folder_set(photo_folder(tmp_path / name, 2000, seed=i), name,
                   known=tmp_path / f"{name}.json")
        for i, name in enumerate("abcd")
    ]  # fmt: skip
    run_job(Job(TINY[:3], sets[0], tmp_path / "warm"))
    peaks, times = [], []
    for images in sets:
        start = time.monotonic()
        outcomes = run_job(Job(TINY, images, tmp_path / "out"))
        times.append(time.monotonic() - start)
        assert all(outcome.reason is None for outcome in outcomes)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    def again():
        start = time.monotonic()
        for name in "abcd":
            images = folder_set(tmp_path / name, name, known=tmp_path / f"{name}.json")
            assert all(o.done == 0 for o in run_job(Job(TINY, images, tmp_path / "out")))
        return time.monotonic() - start

    repeated = benchmark.pedantic(again, rounds=1)
    print(f"\nseconds a set {[round(t, 1) for t in times]}, peak MiB {[round(p) for p in peaks]}, "
          f"finished zoo again {repeated:.2f} s")  # fmt: skip
    assert peaks[-1] <= 1.1 * peaks[0] + 20
    assert repeated < 8  # four sets; 2 s each
