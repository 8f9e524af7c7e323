"""A study's score stage killed at any moment, and with workers beside it: the same files."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from stages.scoring import context_of, make_study
from stages.scoring_others import GOOD, ONNX, WORSE, digest, files, others_study, tally_of

from replicate.base.errors import MissingError
from replicate.stages import score_others
from replicate.stages.score import score
from replicate.stages.score_jobs import work_beside
from replicate.study import open_study


def _killed_after(study, written):
    """The stage in a copy of this process that kills itself after so many files or rows."""
    study.close()
    process = os.fork()
    if process == 0:
        left = [written]

        def then_die(function):
            def done(*args, **keywords):
                value = function(*args, **keywords)
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return value

            return done

        try:  # nothing may bring the copy back into the tests
            Path.replace = then_die(Path.replace)  # every file that appears whole
            score_others.store = then_die(score_others.store)
            score(context_of(open_study(study.root)))
        finally:
            os._exit(0)
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    study = others_study(tmp_path_factory.mktemp("whole") / "study", (GOOD, WORSE, ONNX))
    tally_of(study)
    return study


@pytest.mark.parametrize("written", [2, 7, 13, 21, 30])
def test_killed_and_carried_on_ends_in_the_same_files(whole, tmp_path, monkeypatch, written):
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)  # threads outlive no fork
    study = others_study(tmp_path / "study", (GOOD, WORSE, ONNX))
    process = _killed_after(study, written)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1])
    tally = tally_of(study)
    assert tally.done + tally.skipped == 9 and not tally.failed
    assert files(study) == files(whole)
    assert digest(study) == digest(whole)
    assert tally_of(study).skipped == 9


def _worker(root, ready):
    ready.set()
    for _ in work_beside(open_study(root), 1.0, lambda *_: None):
        pass


def test_workers_join_a_study_and_the_files_are_the_same(whole, tmp_path, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(score_others, "_POLL", 0.05)
    study = others_study(tmp_path / "study", (GOOD, WORSE, ONNX))
    study.close()
    fork = multiprocessing.get_context("fork")
    ready = fork.Event()
    lost = fork.Process(target=_worker, args=(study.root, ready))
    lost.start()
    ready.wait()
    os.kill(lost.pid, signal.SIGKILL)  # perhaps with a lease
    workers = [fork.Process(target=_worker, args=(study.root, ready)) for _ in "ab"]
    for worker in workers:
        worker.start()
    tally = tally_of(study, shared=True)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert (tally.done, tally.skipped, dict(tally.failed)) == (9, 0, {})
    assert files(study) == files(whole) and digest(study) == digest(whole)
    with pytest.raises(MissingError, match="small: alone"):
        _worker(make_study(tmp_path / "small").root, ready)
