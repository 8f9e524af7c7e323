"""The engine beside timm's loaders and bare forward passes (run with --benchmark-only, extra zoo).

Every way has a process of its own, so that none inherits another's memory or settings: in one
process the heap of glibc (before 2.38) grows by gigabytes, for aligned blocks leave holes that
others cannot fill. Figures are processor seconds of all threads, building the models included.
The same five best classes are asserted before anything is reported.
"""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.photo_folder import photo_folder
from support.photos import imagenet_photos
from support.zoo_ways import ARCHES

from replicate.zoo.image_sets import folder_set
from replicate.zoo.scoring_job import Job, Outcome
from replicate.zoo.scoring_work import run_job

N = 500
ROUNDS = 2
MOST_MIB = 2500


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


def _go(way: str, photos: Path, out: Path) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """One way in a process: what it says, the seconds of the whole process, and what it found."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "support.zoo_ways", way, str(photos), str(out)]
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with np.load(out) as found:
        return json.loads(done.stdout) | {"whole": whole}, dict(found)


@pytest.mark.zoo
@pytest.mark.timeout(3600)
def test_the_engine_beside_timms_loaders(benchmark, photos, tmp_path):
    ways = ("bare", "bare, kept", "loaders", "engine")
    spent = {way: float("inf") for way in ways}
    most = dict.fromkeys(ways, 0.0)
    found = {}

    def rounds():
        for number in range(ROUNDS):  # in turn, so that a busy machine slows all alike
            for way in ways:
                out = tmp_path / f"{number}-{way}.npz"
                said, found[way] = _go(way, photos, out)
                spent[way] = min(spent[way], said["seconds"])
                most[way] = max(most[way], said["mib"])

    benchmark.pedantic(rounds, rounds=1)
    alone = [_go(arch, photos, tmp_path / f"{arch}.npz") for arch in ARCHES]
    one_each = sum(said["whole"] for said, _ in alone)
    for arch, (_, best) in zip(ARCHES, alone, strict=True):
        for other in (best, *(found[way] for way in ways)):
            np.testing.assert_array_equal(other[arch], found["bare"][arch])

    print(f"\n{len(ARCHES)} models, {N} JPEGs; processor seconds, bare / total, most MiB")
    rows = {
        "a process a model": (one_each, max(said["mib"] for said, _ in alone)),
        "loaders, one process": (spent["loaders"], most["loaders"]),
        "the engine": (spent["engine"], most["engine"]),
        "bare": (spent["bare"], most["bare"]),
        "bare, memory kept": (spent["bare, kept"], most["bare, kept"]),
    }
    for label, (seconds, mib) in rows.items():
        print(f"  {label:22} {seconds:7.1f}   {spent['bare, kept'] / seconds:.2f}   {mib:6.0f}")
    benchmark.extra_info.update({label: seconds for label, (seconds, _) in rows.items()})
    assert spent["bare, kept"] / spent["engine"] >= 0.8
    assert spent["loaders"] / spent["engine"] >= 2
    assert one_each / spent["engine"] >= 4
    assert most["engine"] <= MOST_MIB


TINY = tuple(f"py:support.tiny_models:build?seed={i}&size={20 + 4 * (i % 3)}" for i in range(200))


def _score_tiny(folder: Path, name: str, output: Path) -> list[Outcome]:
    images = folder_set(folder / name, name, known=folder / f"{name}.json")
    return run_job(Job(TINY, images, output))


@pytest.mark.timeout(3600)
def test_two_hundred_tiny_models_on_four_sets(benchmark, tmp_path):
    for seed, name in enumerate("abcd"):
        photo_folder(tmp_path / name, 2000, seed=seed)
    output = tmp_path / "out"
    peaks, times = [], []
    for name in "abc":
        start = time.monotonic()
        outcomes = _score_tiny(tmp_path, name, output)
        times.append(time.monotonic() - start)
        assert all(outcome.reason is None for outcome in outcomes)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    context = multiprocessing.get_context("fork")
    child = context.Process(target=_score_tiny, args=(tmp_path, "d", output))
    child.start()
    while len(list(output.glob(".work/d/parts/*/*.npz"))) < 50:
        child.join(0.05)
        assert child.is_alive()
    child.kill()
    child.join()
    outcomes = _score_tiny(tmp_path, "d", output)
    assert all(outcome.path for outcome in outcomes)
    resumed = sum(outcome.done > 0 for outcome in outcomes)
    assert 0 < resumed <= 150
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    again = []

    def finished():
        for name in "abcd":
            start = time.process_time()
            assert all(outcome.done == 0 for outcome in _score_tiny(tmp_path, name, output))
            again.append(time.process_time() - start)

    benchmark.pedantic(finished, rounds=1)
    print(f"\nseconds a set {[round(t, 1) for t in times]}, after a kill {resumed} models more, "
          f"peak MiB {[round(p) for p in peaks]}, a finished set again "
          f"{[round(t, 2) for t in again]} s of the processor")  # fmt: skip
    assert peaks[-1] <= 1.1 * peaks[0] + 20
    assert max(again) < 2
