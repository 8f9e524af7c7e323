"""A calibration says what is found after each edit, and cuts so that no different pair is sure."""

import pytest
from PIL import ImageEnhance, ImageOps
from support.photos import photo_tiles

from replicate.base.errors import UsageError
from replicate.duplicates.edits import EDITS
from replicate.duplicates.trials import Trial, trial


@pytest.fixture(scope="module")
def found() -> Trial:
    return trial(photo_tiles()[:160:8], radius=10, transforms=True)


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


def test_with_flips_different_images_are_held_against_each_other_in_every_position() -> None:
    """A square and a darkened mirror image of it, said to be different, keep the cuts strict."""
    tiles = photo_tiles()[:40:8]
    tiles = [*tiles, ImageEnhance.Brightness(ImageOps.mirror(tiles[0])).enhance(0.8)]
    plain, turned = (trial(tiles, radius=10, transforms=on) for on in (False, True))
    assert plain.different[10] == 0 and turned.different[10] == 1
    assert turned.cuts.sure_bits < plain.cuts.sure_bits
    assert turned.cuts.sure_moved < plain.cuts.sure_moved
    assert "sure" not in turned.mistakes
    assert turned.edits["flipped"].recall(10) == 1.0 and plain.edits["flipped"].recall(10) == 0.0
    assert plain.as_dict()["transforms"] is False and turned.as_dict()["transforms"] is True


def test_one_image_is_too_few() -> None:
    with pytest.raises(UsageError, match="two different images"):
        trial(photo_tiles()[:1], radius=10)
