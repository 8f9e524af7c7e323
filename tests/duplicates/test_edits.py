"""Planted near-duplicates are the same picture, but not the same pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from replicate.duplicates.edits import posted_again
from replicate.duplicates.hashing import phash_image
from replicate.duplicates.search import distances


def gradient(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return ((np.sin(x / 9) * np.cos(y / 17 + x / 31) + 1) * 110).astype(np.uint8)


@pytest.mark.parametrize("seed", range(6))
def test_a_photo_keeps_its_hash_nearly(seed: int) -> None:
    pixels = gradient(150, 200)
    again = Image.open(io.BytesIO(posted_again(pixels, np.random.default_rng(seed))))
    assert again.format == "JPEG"
    apart = distances(phash_image(Image.fromarray(pixels)), phash_image(again))
    assert apart[0] <= 10


def test_small_pictures_are_enlarged_and_colour_is_kept() -> None:
    small = Image.open(io.BytesIO(posted_again(gradient(8, 8), np.random.default_rng(0))))
    assert small.mode == "L"
    assert 32 <= small.width == small.height <= 64
    colour = np.stack([gradient(80, 90)] * 3, axis=2)
    again = Image.open(io.BytesIO(posted_again(colour, np.random.default_rng(1))))
    assert again.mode == "RGB"
    assert 40 <= again.height <= 120


def test_choices_come_from_the_generator_alone() -> None:
    first, second, third = (
        posted_again(gradient(8, 8), np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    assert first == second != third
