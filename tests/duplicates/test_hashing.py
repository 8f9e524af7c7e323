"""Hashes are imagehash's own, to the bit, and are never compared when made differently."""

import dataclasses

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from replicate.base.errors import UsageError
from replicate.duplicates.hashing import (
    HashInfo,
    current_info,
    pack_bits,
    phash_greys,
    phash_image,
    require_comparable,
)


def oracle(image: Image.Image, bits: int) -> list[int]:
    """imagehash's bits, read as binary numbers of 64 digits."""
    flags = imagehash.phash(image, hash_size=int(bits**0.5)).hash.ravel()
    text = "".join("1" if flag else "0" for flag in flags)
    return [int(text[i : i + 64], 2) for i in range(0, bits, 64)]


def digits(n: int) -> np.ndarray:
    return np.rint(load_digits().images[:n] * 255 / 16).astype(np.uint8)


@pytest.mark.parametrize("bits", [64, 256])
def test_stack_is_identical_to_imagehash_on_digits(bits: int) -> None:
    pixels = digits(400)
    hashes = phash_greys(pixels, bits).reshape(len(pixels), -1)
    expected = [oracle(Image.fromarray(one), bits) for one in pixels]
    assert hashes.tolist() == expected


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 72),
    width=st.integers(1, 72),
    bits=st.sampled_from([64, 256]),
    kind=st.sampled_from(["noise", "two-level", "flat", "smooth"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_stack_is_identical_to_imagehash_for_any_shape(
    height: int, width: int, bits: int, kind: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (3, height, width), dtype=np.uint8)
    if kind == "two-level":
        pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
    elif kind == "flat":
        pixels = np.full_like(pixels, pixels.flat[0])
    elif kind == "smooth":
        pixels = np.sort(np.sort(pixels, axis=1), axis=2)
    hashes = phash_greys(pixels, bits).reshape(3, -1).tolist()
    assert hashes == [oracle(Image.fromarray(one), bits) for one in pixels]


def test_large_colour_image_goes_through_imagehash() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    assert phash_image(image).tolist() == oracle(image, 64)
    assert phash_image(image, 256).tolist() == [oracle(image, 256)]


def test_mixed_sizes_keep_their_order() -> None:
    random = np.random.default_rng(1)
    images = [
        random.integers(0, 256, size, dtype=np.uint8)
        for size in [(8, 8), (90, 70), (8, 8), (28, 28), (90, 70)]
    ]
    assert phash_greys(images).tolist() == [oracle(Image.fromarray(i), 64)[0] for i in images]
    assert phash_greys([], 256).shape == (0, 4)


def test_first_bit_is_the_highest_of_the_first_word() -> None:
    flags = np.zeros((3, 256), dtype=bool)
    flags[0, 0] = flags[1, 64] = flags[2, 255] = True
    assert pack_bits(flags).tolist() == [[1 << 63, 0, 0, 0], [0, 1 << 63, 0, 0], [0, 0, 0, 1]]


def test_info_goes_through_json_and_compares_equal() -> None:
    info = current_info(256)
    assert HashInfo.from_dict(info.as_dict()) == info
    require_comparable(info, current_info(256))
    assert set(info.versions) == {"imagehash", "pillow", "scipy"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bits": 256}, "bits: 64 and 256"),
        ({"algorithm": "dhash"}, "algorithm: phash and dhash"),
        ({"decoder": "simplejpeg"}, "decoder: pillow and simplejpeg"),
        ({"versions": {"pillow": "0.1"}}, "pillow: "),
    ],
)
def test_mixed_hashes_are_refused(change: dict[str, object], named: str) -> None:
    here = current_info(64)
    with pytest.raises(UsageError, match=named):
        require_comparable(here, dataclasses.replace(here, **change))


def test_unknown_length_is_refused() -> None:
    for call in (lambda: current_info(128), lambda: phash_greys(digits(1), 63)):
        with pytest.raises(UsageError, match="is not known") as caught:
            call()
        assert caught.value.exit_code == 2
