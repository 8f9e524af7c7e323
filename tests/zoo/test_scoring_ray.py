"""Ray's actors and hand-started workers end in the bytes of a local run."""

import hashlib
import os
import sys
from pathlib import Path

import pytest
from support.photo_folder import photo_folder

from replicate.base.errors import MissingError, UsageError
from replicate.base.executors import ray_session
from replicate.zoo import scoring_ray
from replicate.zoo.image_sets import folder_set
from replicate.zoo.prediction_files import read
from replicate.zoo.scoring import Arithmetic
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_ray import Scorer
from replicate.zoo.scoring_work import Work, run_job

TINY = "py:support.tiny_models:"
MODELS = (
    f"{TINY}build?seed=1", f"{TINY}build?seed=2&size=20", "py:support.deadly_model:build",
    f"{TINY}breaking",
)  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return folder_set(photo_folder(tmp_path_factory.mktemp("photos") / "v2", 30), "v2")


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory):
    """One Ray of two workers for all tests here; they find the modules that tests use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]))
        patch.setenv("DEADLY_MARK", str(tmp_path_factory.mktemp("deadly") / "mark"))
        with ray_session(2):
            yield


def _job(photos, output, **changes):
    return Job(
        **{"models": MODELS, "images": photos, "output": output, "most_images": 8, **changes}
    )


def _files(output):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.glob("v2/*.arrow"))
    }


def test_two_actors_end_in_the_bytes_of_a_local_run(photos, tmp_path, monkeypatch):
    """One model fails, and one kills the first actor that loads it: another does its unit."""
    mark = Path(os.environ["DEADLY_MARK"])
    mark.touch()  # it is deadly to actors alone
    run_job(_job(photos, tmp_path / "local"))
    monkeypatch.chdir(tmp_path)
    plan = scoring_ray._units

    def armed(*given):
        mark.unlink()
        return plan(*given)

    monkeypatch.setattr(scoring_ray, "_units", armed)
    told = []
    outcomes = run_job(
        _job(photos, Path("ray")), say=lambda *row: told.append(row), executor="ray", workers=2
    )
    assert mark.exists() and len(told) >= 4
    assert [o.reason for o in outcomes] == [None, None, None, "model_failed"]
    assert "planted" in outcomes[3].message
    assert all(read(o.path).counts[0] == 30 for o in outcomes[:3])
    assert _files(tmp_path / "ray") == _files(tmp_path / "local")
    again = run_job(_job(photos, tmp_path / "ray"), executor="ray", workers=2)
    assert [(o.done, o.path.name) for o in again[:3]] == [(0, o.path.name) for o in outcomes[:3]]


def test_an_actor_carries_on_where_parts_are_there_and_holds_its_models(photos, tmp_path):
    job = _job(photos, tmp_path / "out", models=MODELS[:2])
    work = Work(job, False, 1.0, lambda *_: None)
    models = [work.plan(name) for name in job.models]
    actor = Scorer(job, models)
    done = actor.score(MODELS[:2], 0, 8)
    assert [each.images for each in done] == [8, 8] and all(each.facts for each in done)
    assert all(model.ready is not None for model in models)
    loaded = [model.ready[0].module for model in models]
    assert [each.images for each in actor.score(MODELS[:2], 0, 8)] == [0, 0]
    actor.score(MODELS[:1], 8, 16)
    assert models[0].ready[0].module is loaded[0]


def test_what_ray_cannot_do_is_said(photos, tmp_path, monkeypatch):
    one = _job(photos, tmp_path, how=Arithmetic("cuda:1"))
    with pytest.raises(UsageError, match="one card"):
        run_job(one, executor="ray", workers=2)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingError, match=r"replicate-testsets\[ray\]|not installed"):
        run_job(_job(photos, tmp_path), executor="ray", workers=2)
