"""Corruptions beside scikit-image and plain sums; the folders that hold them."""

import json

import numpy as np
import pytest
import skimage.color
import skimage.filters
from PIL import Image
from support.photo_folder import photo_folder
from support.photos import imagenet_photos

from replicate.base.errors import UsageError
from replicate.zoo.corrupted_sets import Shift, make_shift
from replicate.zoo.corruptions import CORRUPTIONS, corrupt
from replicate.zoo.image_sets import folder_set
from replicate.zoo.pixels import reference_rgb


@pytest.fixture(scope="module")
def photo():
    image = Image.open(imagenet_photos()[3][0]).convert("RGB")
    return np.array(image.resize((96, 80)))


def _random(seed=0):
    return np.random.default_rng(seed)


def _bytes(values):
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_is_stronger_the_more_severe_and_the_same_by_the_same_seed(photo, kind):
    moved = []
    for severity in (1, 5):
        one = corrupt(photo, kind, severity, _random())
        assert one.shape == photo.shape and one.dtype == np.uint8
        assert np.array_equal(one, corrupt(photo, kind, severity, _random()))
        moved.append(np.abs(one.astype(int) - photo).mean())
    assert 0 < moved[0] < moved[1]
    grey = np.full((40, 50, 3), 128, np.uint8)
    assert corrupt(grey, kind, 3, _random()).shape == grey.shape


def test_blurs_and_colours_are_those_of_scikit_image(photo):
    expected = _bytes(skimage.filters.gaussian(photo / 255, sigma=3, channel_axis=-1))
    assert np.array_equal(corrupt(photo, "gaussian_blur", 3, _random()), expected)
    hsv = skimage.color.rgb2hsv(photo)
    hsv[..., 2] = np.clip(hsv[..., 2] + 0.3, 0, 1)
    found = corrupt(photo, "brightness", 3, _random()).astype(int)
    assert np.abs(found - _bytes(skimage.color.hsv2rgb(hsv))).max() <= 1
    hsv = skimage.color.rgb2hsv(photo)
    hsv[..., 1] = np.clip(hsv[..., 1] * 5 + 0.1, 0, 1)
    found = corrupt(photo, "saturate", 4, _random()).astype(int)
    assert np.abs(found - _bytes(skimage.color.hsv2rgb(hsv))).max() <= 1
    values = photo / 255
    expected = _bytes((values - values.mean((0, 1))) * 0.2 + values.mean((0, 1)))
    assert np.array_equal(corrupt(photo, "contrast", 3, _random()), expected)


def test_noise_has_the_spread_that_is_written():
    grey = np.full((200, 200, 3), 128, np.uint8)
    for kind, share in (("gaussian_noise", 0.18), ("speckle_noise", 0.35 * 128 / 255),
                        ("shot_noise", (128 / 255 / 12) ** 0.5)):  # fmt: skip
        found = corrupt(grey, kind, 3, _random()) / 255
        assert found.std() == pytest.approx(share, rel=0.04), kind
    found = corrupt(grey, "impulse_noise", 3, _random())
    assert (found != 128).mean() == pytest.approx(0.09, abs=0.005)
    assert (found == 255).mean() == pytest.approx((found == 0).mean(), abs=0.005)
    glass = corrupt(grey, "glass_blur", 5, _random())
    assert glass.min() >= 127  # pixels change places; none is made up


def test_motion_blur_is_a_weighted_sum_along_a_line():
    point = np.zeros((64, 64, 3), np.uint8)
    point[32, 32] = 255
    found = corrupt(point, "motion_blur", 1, _random(4))[..., 0] / 255
    angle = np.deg2rad(_random(4).uniform(-45, 45))
    weights = np.exp(-(np.arange(21) ** 2) / (2 * 9))
    expected = np.zeros((64, 64))
    for step, weight in enumerate(weights / weights.sum()):
        down = -int(np.ceil(step * np.sin(angle) - 0.5))
        right = -int(np.ceil(step * np.cos(angle) - 0.5))
        expected[32 + down, 32 + right] += weight
    np.testing.assert_allclose(found, expected, atol=1 / 255)


def test_folders_carry_on_where_they_were_and_are_the_same_by_two_workers(tmp_path):
    images = folder_set(photo_folder(tmp_path / "p", 6), "p")
    (tmp_path / "p" / "class0" / "photo0000.jpg").write_bytes(b"broken")
    shift = Shift("gaussian_noise", 2)
    made = make_shift(images, shift, tmp_path / "a", size=32)
    assert (made.n, made.done) == (5, 5)
    assert made.failed == {"class0/photo0000.jpg": "not_an_image"}
    files = {p.relative_to(made.folder): p for p in made.folder.rglob("*.png")}
    sizes = {reference_rgb(path.read_bytes()).shape for path in files.values()}
    assert len(files) == 5 and sizes == {(32, 32, 3)}
    again = make_shift(images, shift, tmp_path / "b", size=32, workers=2)
    for name, path in files.items():
        assert path.read_bytes() == (again.folder / name).read_bytes()
    next(iter(files.values())).unlink()
    assert make_shift(images, shift, tmp_path / "a", size=32).done == 1
    assert json.loads((made.folder / ".shift.json").read_text())["kind"] == "gaussian_noise"
    with pytest.raises(UsageError, match="otherwise"):
        make_shift(images, shift, tmp_path / "a", size=32, seed=1)
    (tmp_path / "p" / "class1" / "photo0001.png").write_bytes(b"x")
    with pytest.raises(UsageError, match="all be called"):
        make_shift(folder_set(tmp_path / "p", "p"), shift, tmp_path / "c", size=32)
