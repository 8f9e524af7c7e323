"""Views against Pillow's own resize and crop; decoding against Pillow's convert."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from replicate.base.errors import ItemError
from replicate.zoo.pixels import reference_rgb
from replicate.zoo.views import View, centre_view, cut


def _picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, height // 9), max(2, width // 9), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def _by_pillow(pixels, view):
    """Resize and centre crop written out with Pillow, as torchvision does them."""
    image = Image.fromarray(pixels)
    height, width = view.resized(*pixels.shape[:2])
    if view.mode != "none":
        image = image.resize((width, height), Image.Resampling[view.filter.upper()])
    rows, columns = view.size
    if columns > width or rows > height:
        left, top = max((columns - width) // 2, 0), max((rows - height) // 2, 0)
        wide = Image.new("RGB", (max(columns, width), max(rows, height)), view.fill)
        wide.paste(image, (left, top))
        image, width, height = wide, *wide.size
    top, left = (
        (a - b) // 2 if view.floor else round((a - b) / 2)
        for a, b in ((height, rows), (width, columns))
    )
    return np.asarray(image.crop((left, top, left + columns, top + rows)))


VIEWS = [
    View((24, 24), "short", (28, 28), "bilinear"),
    View((24, 24), "short", (27, 27), "bicubic"),
    View((24, 20), "squash", (30, 26), "bicubic"),
    View((24, 24), "contain", (24, 24), "bicubic", (128, 4, 250)),
    View((24, 20), "cover", (27, 25), "bicubic"),
    View((24, 24), "short", (31, 31), "bicubic", floor=True),
    View((32, 32), "none", (32, 32), "bilinear"),
    View((40, 40), "short", (30, 30), "lanczos", (7, 7, 7)),
]


@settings(max_examples=80, deadline=None)
@given(st.integers(8, 140), st.integers(8, 140), st.sampled_from(VIEWS), st.integers(0, 9))
def test_views_are_pillows_to_the_bit(height, width, view, seed):
    pixels = _picture(height, width, seed)
    np.testing.assert_array_equal(cut(pixels, view), _by_pillow(pixels, view))


def test_names_tell_views_apart():
    assert len({view.name for view in VIEWS}) == len(VIEWS)
    assert centre_view((224, 224), 0.9, "bicubic", "squash").name == (
        "squash248x248-bicubic-crop224x224@1"
    )
    assert centre_view((224, 224), 1.0, "bicubic", "border").mode == "contain"
    with pytest.raises(ValueError, match="crop_mode"):
        centre_view((224, 224), 0.9, "bicubic", "other")
    with pytest.raises(ValueError, match="no such view"):
        View((1, 1), "none", (1, 1), "cubic")


def _saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _files():
    picture = Image.fromarray(_picture(61, 83))
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = picture.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(picture.size))
    yield "420", _saved(picture, "JPEG", quality=80)
    yield "444", _saved(picture, "JPEG", quality=95, subsampling=0)
    yield "progressive", _saved(picture, "JPEG", progressive=True)
    yield "grey", _saved(picture.convert("L"), "JPEG")
    yield "cmyk", _saved(picture.convert("CMYK"), "JPEG")
    yield "turned", _saved(picture, "JPEG", exif=exif)
    yield "png", _saved(picture, "PNG")
    yield "palette", _saved(picture.convert("P"), "PNG", transparency=3)
    yield "alpha", _saved(clear, "PNG")
    yield (
        "deep",
        _saved(Image.fromarray((np.arange(600) * 100).astype(np.uint16).reshape(20, 30)), "PNG"),
    )
    yield "gif", _saved(picture, "GIF")
    yield "webp", _saved(picture, "WEBP")


FILES = dict(_files())


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_those_of_the_reference_pipelines(name):
    expected = np.asarray(Image.open(io.BytesIO(FILES[name])).convert("RGB"))
    np.testing.assert_array_equal(reference_rgb(FILES[name]), expected)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_broken_files_have_a_reason(name, data):
    raw = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        pixels = reference_rgb(bytes(raw), max_pixels=10_000)
    except ItemError as error:
        assert error.reason in {"empty", "not_an_image", "too_large", "truncated"}
        return
    assert pixels.dtype == np.uint8 and pixels.shape[2:] == (3,)
    expected = np.asarray(Image.open(io.BytesIO(bytes(raw))).convert("RGB"))
    np.testing.assert_array_equal(pixels, expected)
