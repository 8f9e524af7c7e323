"""The signs of one image's DCT give the hashes of its flips and turns."""

import imagehash
import numpy as np
import pytest
from PIL import Image
from support.photos import photo_tiles

from replicate.base.resample import resize
from replicate.duplicates.hashing import low_frequencies, phash_image
from replicate.duplicates.search import distances
from replicate.duplicates.transforms import (
    NONE,
    TRANSFORMS,
    turned,
    turned_hashes,
)


def _low(image: Image.Image, side: int) -> np.ndarray:
    resized = resize(np.asarray(image.convert("L")), (4 * side, 4 * side))
    return low_frequencies(resized[None], side)


def _by_pillow(image: Image.Image, name: str) -> Image.Image:
    return image.transpose(getattr(Image.Transpose, name.upper()))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_pixels_turn_as_pillow_turns_them(name: str) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = np.asarray(_by_pillow(Image.fromarray(pixels), name))
    assert np.array_equal(turned(pixels, name), expected)
    assert turned(pixels, NONE) is pixels


@pytest.mark.parametrize("bits", [64, 256])
def test_hashes_of_turned_photos_come_from_the_photo_alone(bits: int) -> None:
    apart = []
    for image in photo_tiles()[:40]:
        low = _low(image, int(bits**0.5))
        made = turned_hashes(low)[0]
        real = np.concatenate([phash_image(_by_pillow(image, name), bits) for name in TRANSFORMS])
        apart += distances(made, real).tolist()
    # Pillow rounds between its two passes, which turn with the picture: a bit may tip over.
    assert max(apart) <= 4
    assert np.mean(np.array(apart) == 0) > 0.7


def test_low_frequencies_are_those_that_imagehash_hashes() -> None:
    for image in photo_tiles()[:20]:
        low = _low(image, 8)[0]
        expected = imagehash.phash(image).hash
        assert np.array_equal(low > np.median(low), expected)
