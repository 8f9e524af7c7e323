"""The longer hash and the pixels confirm what the short hash proposes."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity
from support.photos import photo_tiles

from replicate.base.errors import ItemError, UsageError
from replicate.base.images import grey
from replicate.duplicates import evidence
from replicate.duplicates.evidence import Cuts, Look, Looks, compare, look
from replicate.duplicates.hashing import phash_image
from replicate.duplicates.transforms import TRANSFORMS


def _look(image: Image.Image) -> Look:
    return look(grey(image))


def _again(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.resize((150, 150)).save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def test_the_measures_are_those_of_scikit_image_and_imagehash() -> None:
    first, second = photo_tiles()[0], _again(photo_tiles()[0], 40)
    seen = compare(_look(first), _look(second), Cuts())
    size = (256, 256)
    one, two = (
        np.asarray(image.convert("L").resize(size, Image.Resampling.LANCZOS))
        for image in (first, second)
    )
    assert seen.ssim == pytest.approx(structural_similarity(one, two), abs=1e-6)
    plain = np.mean((one / 255 - two / 255) ** 2)
    assert seen.squared == pytest.approx(plain)
    bits = np.bitwise_count(phash_image(first, 256) ^ phash_image(second, 256)).sum()
    assert seen.distance256 == bits
    assert seen.verdict == "sure"


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_turned_image_lies_on_its_original(name: str) -> None:
    original = photo_tiles()[1]
    turned = original.transpose(getattr(Image.Transpose, name.upper()))
    back = {"rotate_90": "rotate_270", "rotate_270": "rotate_90"}.get(name, name)
    assert compare(_look(original), _look(turned).turned(back), Cuts()).verdict == "sure"
    assert compare(_look(original), _look(turned), Cuts()).verdict != "sure"


def test_different_photos_are_never_sure_and_mostly_different() -> None:
    looks = [_look(tile) for tile in photo_tiles()[:200:10]]
    verdicts = [
        compare(looks[i], looks[j], Cuts()).verdict for i in range(len(looks)) for j in range(i)
    ]
    assert "sure" not in verdicts
    assert verdicts.count("different") > 0.9 * len(verdicts)


def test_flat_images_are_unsure_unless_their_pixels_are_equal() -> None:
    noise = np.random.default_rng(0)
    sky = [
        Image.fromarray((120 + noise.integers(0, 2, (200, 200))).astype(np.uint8)) for _ in range(2)
    ]
    seen = compare(_look(sky[0]), _look(sky[1]), Cuts())
    assert seen.low_structure and seen.verdict == "unsure"
    assert compare(_look(sky[0]), _look(sky[0]), Cuts()).verdict == "sure"


def test_images_are_read_once_and_failures_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def read(name: str) -> np.ndarray:
        asked.append(name)
        if name == "bad":
            raise ItemError("truncated")
        return np.full((9, 9), 7, dtype=np.uint8)

    monkeypatch.setattr(evidence, "_KEPT", 2)
    looks = Looks(read)
    for name in ("a", "b", "a", "bad", "bad", "c", "a", "b"):
        looks.get(name)
    assert asked == ["a", "b", "bad", "c", "b"]
    assert looks.failed == {"bad": "truncated"}


def test_cuts_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UsageError, match="make no sense"):
        Cuts(sure_bits=100)
