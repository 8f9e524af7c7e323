"""What the engine tells of itself while it works."""

import numpy as np
import pytest
from support.photo_folder import photo_folder

from replicate.zoo.image_sets import folder_set
from replicate.zoo.scoring_job import Job
from replicate.zoo.scoring_work import run_job

TINY = "py:support.tiny_models:"
MODELS = (f"{TINY}build?seed=1", f"{TINY}breaking", f"{TINY}build?seed=2&size=20")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return folder_set(photo_folder(tmp_path_factory.mktemp("photos") / "v2", 50), "v2")


def test_it_counts_images_once_a_model_up_to_the_end(images, tmp_path):
    told = []
    run_job(Job(MODELS, images, tmp_path, most_images=40), say=lambda *what: told.append(what))
    assert told[0] == ("decoding", 0, 150)
    done = np.array([each[1] for each in told])
    assert (np.diff(done) >= 0).all()
    # A batch, a whole shard, then the model that failed is no longer counted.
    assert (MODELS[0], 32, 150) in told and (MODELS[0], 40, 150) in told
    assert told[-1] == (MODELS[2], 100, 100)


def test_what_is_there_is_not_counted(images, tmp_path):
    run_job(Job(MODELS[:1], images, tmp_path))
    told = []
    run_job(Job((MODELS[0], MODELS[2]), images, tmp_path), say=lambda *what: told.append(what))
    assert told[0] == ("decoding", 0, 50) and told[-1] == (MODELS[2], 50, 50)
