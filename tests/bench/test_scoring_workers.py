"""Two workers beside one: Ray's actors, and processes that share a folder by leases.

The model is heavy, so that its forward passes are the work; each worker has one thread. Times are
of the work alone: hand-started workers wait for each other once they are warm; of Ray's
run, in which actors start and load torch, the seconds a unit takes from the first that is done.
"""

import hashlib
import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest
from support.photo_folder import photo_folder

from replicate.base.executors import ray_session
from replicate.zoo.image_sets import folder_set
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_work import run_job

MODEL = "py:support.heavy_model:build"
N = 120
TURNS = 3  # the least of so many


def _job(photos, output):
    return Job((MODEL,), folder_set(photos, "set"), output, most_images=10)


def _digest(output):
    (path,) = output.glob("set/*.arrow")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _worker(photos, output, ready, go):
    os.setsid()  # as if started by hand: Linux shares its time out between sessions first
    # What a worker that was started before has loaded: libraries, compiled loops, the model.
    warm = output.parent / f"warm-{os.getpid()}"
    run_job(_job(photo_folder(warm / "photos", 4), warm / "output"))
    job = _job(photos, output)
    ready.release()
    go.wait()
    run_job(job, shared=True)


def _by_hand(photos, output, workers):
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    crew = [
        context.Process(target=_worker, args=(photos, output, ready, go)) for _ in range(workers)
    ]
    for process in crew:
        process.start()
    for _ in crew:
        ready.acquire()
    begun = time.perf_counter()
    go.set()
    for process in crew:
        process.join()
        assert process.exitcode == 0
    return time.perf_counter() - begun


def _by_ray(photos, output, workers):
    ends = []
    with ray_session(workers):
        run_job(
            _job(photos, output), say=lambda *_: ends.append(time.perf_counter()),
            executor="ray", workers=workers,
        )  # fmt: skip
    # The first two units of two workers begin and end together: count from when all are at work.
    return (ends[-1] - ends[workers - 1]) / (len(ends) - workers) * len(ends)


def test_two_workers_beside_one(benchmark, tmp_path, monkeypatch):
    tests = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([tests, *sys.path]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    photos = photo_folder(tmp_path / "photos", N)
    run_job(_job(photos, tmp_path / "local"))
    rows, digests = [], {_digest(tmp_path / "local")}
    for name, way in (("started by hand", _by_hand), ("Ray", _by_ray)):
        times = {1: [], 2: []}
        for turn in range(TURNS):  # in turns, for the machine may have other things to do
            for workers, seconds in times.items():
                output = tmp_path / f"{way.__name__}{workers}-{turn}"
                seconds.append(way(photos, output, workers))
                digests.add(_digest(output))
        one, two = (min(seconds) for seconds in times.values())
        rows.append((name, one, two, one / two))
    print(f"\n{N} images, one heavy model: seconds\n{'workers':16}     one     two   ratio")
    for name, one, two, ratio in rows:
        print(f"{name:16}{one:8.1f}{two:8.1f}{ratio:8.2f}")
    benchmark.pedantic(lambda: None, rounds=1)
    assert len(digests) == 1  # the same bytes whoever did it
    if len(os.sched_getaffinity(0)) < 2:
        pytest.fail("two workers need two cores")
    assert all(ratio >= 1.5 for *_, ratio in rows)
