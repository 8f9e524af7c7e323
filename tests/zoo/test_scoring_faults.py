"""A disk that is full, and kills at random moments: what is done stays, and the rest is made up."""

import hashlib
import multiprocessing
import os
import random
import resource
import signal
import sys
import time

import pytest
from support.photo_folder import photo_folder

from replicate.zoo.image_sets import folder_set
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_work import run_job
from replicate.zoo.view_cache import cut_views
from replicate.zoo.views import View

TINY = "py:support.tiny_models:"
MODELS = (f"{TINY}build?seed=1", f"{TINY}build?seed=2&size=20", f"{TINY}greedy")
FORK = multiprocessing.get_context("fork")
KILLS = 20


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return folder_set(photo_folder(tmp_path_factory.mktemp("photos") / "v2", 50), "v2")


def _files(output):
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*.arrow"))
    }


def _limited(images, output, size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        run_job(Job(MODELS, images, output, most_images=20))
    except OSError:
        os._exit(28)
    os._exit(0)


def test_a_disk_without_room_is_an_error_and_nothing_is_lost(images, tmp_path):
    run_job(Job(MODELS, images, tmp_path / "whole", most_images=20))
    ends = set()
    for size in (300, 2_000, 30_000, 40_000):  # notes, parts, views of 20 images, almost all
        child = FORK.Process(target=_limited, args=(images, tmp_path / "full", size))
        child.start()
        child.join()
        ends.add(child.exitcode)
        assert not list((tmp_path / "full").rglob(".views-*"))
        assert not _files(tmp_path / "full") or size == 40_000
    assert ends == {28, 0}
    run_job(Job(MODELS, images, tmp_path / "full", most_images=20))
    assert _files(tmp_path / "full") == _files(tmp_path / "whole")


@pytest.mark.skipif(sys.platform != "linux", reason="files are reserved where the system can")
def test_views_have_their_room_before_an_image_is_read(tmp_path):
    view = View((100, 100), "short", (100, 100), "bilinear")

    def read(_place):
        (folder,) = tmp_path.glob(".views-*")
        status = (folder / "0.npy").stat()
        assert 512 * status.st_blocks >= status.st_size >= 50 * 100 * 100 * 3
        raise OSError("gone")

    with cut_views(read, range(50), [view], tmp_path) as cache:
        assert set(cache.failed.values()) == {"file_missing"}


def _score(images, output, ready):
    ready.set()
    run_job(Job(MODELS, images, output, most_images=5))


@pytest.mark.full
@pytest.mark.timeout(900)
def test_twenty_kills_at_random_moments_and_the_same_files(images, tmp_path):
    start = time.monotonic()
    run_job(Job(MODELS, images, tmp_path / "whole", most_images=5))
    whole, kills, chance = time.monotonic() - start, 0, random.Random(7)
    output = tmp_path / "killed"
    while kills < KILLS:
        ready = FORK.Event()
        child = FORK.Process(target=_score, args=(images, output, ready))
        child.start()
        ready.wait()
        child.join(chance.uniform(0, whole))
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.join()
        if child.exitcode == 0:  # it was done: begin again in another folder, kills go on
            assert _files(output) == _files(tmp_path / "whole")
            output = tmp_path / f"killed{kills}"
    run_job(Job(MODELS, images, output, most_images=5))
    assert _files(output) == _files(tmp_path / "whole")
    assert not list(output.rglob(".views-*"))
