"""The fast way to grey values gives the careful way's, to the bit, whatever the file."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.photos import photo_files, photo_tiles

from replicate.base import fast_grey
from replicate.base.errors import ItemError
from replicate.base.fast_grey import grey_values, luma_values
from replicate.base.images import decode, grey


def saved(image: Image.Image, kind: str = "JPEG", **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def careful(data: bytes) -> np.ndarray:
    return grey(decode(data))


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = np.random.default_rng(width).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What libjpeg-turbo was asked to decode."""
    asked: list[str] = []
    real = fast_grey._turbo
    fast_grey._decodes_as_pillow()

    def turbo(data: bytes, colours: str):
        asked.append(colours)
        return real(data, colours)

    monkeypatch.setattr(fast_grey, "_turbo", turbo)
    return asked


def test_here_simplejpeg_decodes_as_pillow_does() -> None:
    assert fast_grey._decodes_as_pillow()


def test_real_photos_are_grey_as_pillow_makes_them(counted) -> None:
    files = [path.read_bytes() for path in photo_files() if path.suffix == ".jpg"]
    tiles = [saved(tile, quality=88) for tile in photo_tiles()[::40]]
    for data in (*files, *tiles):
        assert np.array_equal(grey_values(data), careful(data))
    assert len(counted) == len(files) + len(tiles) > 25


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    progressive=st.booleans(),
    mode=st.sampled_from(["RGB", "L"]),
)
def test_any_jpeg(width, height, quality, subsampling, progressive, mode) -> None:
    how = {} if mode == "L" else {"subsampling": subsampling}
    data = saved(noise(width, height, mode), quality=quality, progressive=progressive, **how)
    assert np.array_equal(grey_values(data), careful(data))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_photo_that_says_it_lies_on_its_side_is_turned(orientation: int, counted) -> None:
    image = noise(40, 20)
    exif = image.getexif()
    exif[0x0112] = orientation
    data = saved(image, exif=exif)
    for made in (grey_values(data), luma_values(data)):
        assert made.shape == ((40, 20) if orientation == 6 else (20, 40))
    assert np.array_equal(grey_values(data), careful(data))
    assert bool(counted) == (orientation == 1)


def test_a_turn_is_found_behind_other_segments(counted) -> None:
    image = noise(40, 20)
    exif = image.getexif()
    exif[0x0112] = 8
    turned = saved(image, exif=exif, icc_profile=b"p" * 150_000, comment=b"\xff\xda Exif" * 9)
    sidecar = b'<x:xmpmeta><rdf tiff:Orientation="6"/></x:xmpmeta>'
    by_xmp = saved(image, xmp=sidecar, icc_profile=b"p" * 70_000)
    for data in (turned, by_xmp):
        assert grey_values(data).shape == (40, 20)
        assert np.array_equal(grey_values(data), careful(data))
    assert not counted


def test_several_pictures_in_a_file_go_the_careful_way(counted) -> None:
    several = saved(noise(40, 20), "MPO", save_all=True, append_images=[noise(40, 20)])
    try:
        expected = careful(several)
    except ItemError as error:
        with pytest.raises(ItemError, match=str(error)):
            grey_values(several)
    else:
        assert np.array_equal(grey_values(several), expected)
    assert not counted


def test_what_is_no_plain_jpeg_goes_the_careful_way(counted) -> None:
    picture = noise(30, 20)
    for data in (
        saved(picture, "PNG"),
        saved(picture.convert("RGBA"), "PNG"),
        saved(picture.convert("P"), "GIF"),
        saved(picture, "WEBP", lossless=True),
    ):
        assert np.array_equal(grey_values(data), careful(data))
        assert np.array_equal(luma_values(data), careful(data))
    assert not counted
    cmyk = saved(picture.convert("CMYK"))
    assert np.array_equal(grey_values(cmyk), careful(cmyk))


def test_damaged_files_fail_with_the_careful_ways_reason() -> None:
    good = saved(noise(90, 80))
    for data in (b"", b"\xff\xd8\xff", good[:200], good[: len(good) // 2], b"text"):
        with pytest.raises(ItemError) as expected:
            decode(data)
        for way in (grey_values, luma_values):
            with pytest.raises(ItemError) as caught:
                way(data)
            assert caught.value.reason == expected.value.reason


def test_another_decoder_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fast_grey._turbo

    def other(data: bytes, colours: str):
        made = real(data, colours)
        return None if made is None else made ^ 1

    monkeypatch.setattr(fast_grey, "_turbo", other)
    fast_grey._decodes_as_pillow.cache_clear()
    try:
        assert not fast_grey._decodes_as_pillow()
        data = saved(noise(50, 50))
        assert np.array_equal(grey_values(data), careful(data))
    finally:
        fast_grey._decodes_as_pillow.cache_clear()


def test_luma_is_close_to_grey_on_photos() -> None:
    for tile in photo_tiles()[::60]:
        data = saved(tile, quality=90)
        apart = luma_values(data).astype(int) - careful(data)
        assert np.abs(apart).mean() < 1
