"""A calibration says what is found after each edit, and cuts so that no different pair is sure."""

import pytest
from support.photos import photo_tiles

from replicate.base.errors import UsageError
from replicate.duplicates.edits import EDITS
from replicate.duplicates.trials import Trial, trial


@pytest.fixture(scope="module")
def found() -> Trial:
    return trial(photo_tiles()[:160:8], radius=10)


def test_light_edits_are_found_heavy_ones_less_and_flips_through_the_signs(found: Trial) -> None:
    recall = {name: edited.recall(10) for name, edited in found.edits.items()}
    assert set(recall) == set(EDITS)
    for name in ("resized to 1/2", "grey", "flipped", "quarter turn"):
        assert recall[name] >= 0.95, name
        assert found.edits[name].verdicts.get("sure", 0) >= 0.9 * found.n, name
    assert recall["crop 20 %"] < recall["crop 10 %"] < recall["crop 5 %"]


def test_no_different_pair_is_sure(found: Trial) -> None:
    assert found.n_different == 20 * 19 // 2
    assert "sure" not in found.mistakes
    assert (found.different[1:] >= found.different[:-1]).all()


def test_figures_are_json_values(found: Trial) -> None:
    value = found.as_dict()
    assert len(value["edits"]["grey"]["recall_by_radius"]) == len(value["false_matches_by_radius"])
    assert value["edits"]["grey"]["recall"] == found.edits["grey"].recall(10)


def test_one_image_is_too_few() -> None:
    with pytest.raises(UsageError, match="two different images"):
        trial(photo_tiles()[:1], radius=10)
