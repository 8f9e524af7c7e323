"""Display copies tell nothing of where an image came from."""

import io
from pathlib import Path

import foolbox
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from replicate.base.images import encode_png
from replicate.sources.display import display_copy, display_form

PHOTOS = sorted((Path(foolbox.__file__).parent / "data").glob("imagenet_*"))[:12]


def segments(data: bytes) -> list[tuple[int, bytes]]:
    """Marker and content of each segment of a JPEG before its pixels."""
    found, place = [], 2
    assert data[:2] == b"\xff\xd8"
    while data[place + 1] != 0xDA:
        marker, size = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        found.append((marker, data[place + 4 : place + 2 + size]))
        place += 2 + size
    return found


def chunks(data: bytes) -> list[bytes]:
    """The kinds of the chunks of a PNG."""
    found, place = [], 8
    while place < len(data):
        found.append(data[place + 4 : place + 8])
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return found


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.asarray(Image.open(PHOTOS[0]).convert("RGB").resize((240, 180)))


def files(pixels: np.ndarray) -> dict[str, bytes]:
    """One picture in files that differ in all but the pixels."""
    image = Image.fromarray(pixels)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F], exif[0x0132] = "A camera", "2014:05:01 10:00:00"
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody")
    ways: dict[str, tuple[str, dict[str, object]]] = {
        "plain": ("PNG", {}),
        "text": ("PNG", {"pnginfo": text, "dpi": (300, 300)}),
        "profile": ("PNG", {"icc_profile": srgb}),
        "exif": ("PNG", {"exif": exif.tobytes()}),
        "tiff": ("TIFF", {"compression": "tiff_lzw", "dpi": (72, 72)}),
        "bmp": ("BMP", {}),
        "webp": ("WEBP", {"lossless": True, "exif": exif.tobytes(), "xmp": b"<x:xmpmeta/>"}),
    }
    found = {}
    for name, (kind, options) in ways.items():
        target = io.BytesIO()
        image.save(target, kind, **options)
        found[name] = target.getvalue()
    return found


@pytest.mark.parametrize("format_", ["jpeg", "png"])
def test_the_same_pixels_give_the_same_bytes(pixels: np.ndarray, format_):
    copies = {
        name: display_copy(data, 200, format_, 90)
        for name, data in files(pixels).items()
        if name != "profile"  # converting sRGB to sRGB may move a value by one
    }
    assert len(set(copies.values())) == 1


def jpegs(pixels: np.ndarray) -> list[bytes]:
    exif = Image.Exif()
    exif[0x0110] = "A telephone"
    ways: list[dict[str, object]] = [
        {"quality": 60, "progressive": True},
        {"quality": 95, "subsampling": 0, "exif": exif.tobytes()},
        {"quality": 75, "optimize": True, "dpi": (240, 240), "comment": b"from a candidate"},
        {
            "quality": 85,
            "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        },
    ]
    found = []
    for options in ways:
        target = io.BytesIO()
        Image.fromarray(pixels).save(target, "JPEG", **options)
        found.append(target.getvalue())
    return [*found, *files(pixels).values()]


def test_every_jpeg_copy_has_the_same_header(pixels: np.ndarray):
    heads = [segments(display_copy(data, 200, "jpeg", 90)) for data in jpegs(pixels)]
    assert all(head == heads[0] for head in heads)
    markers = [marker for marker, _ in heads[0]]
    assert set(markers) == {0xE0, 0xDB, 0xC0, 0xC4}  # JFIF, quantisation, baseline, Huffman
    assert heads[0][0][1] == b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"  # no density
    for data in jpegs(pixels):
        copy = display_copy(data, 200, "jpeg", 90)
        assert not Image.open(io.BytesIO(copy)).getexif()
        for word in (b"camera", b"telephone", b"candidate", b"somebody", b"xmp", b"ICC_PROFILE"):
            assert word not in copy


def test_every_png_copy_has_pixels_only(pixels: np.ndarray):
    for data in jpegs(pixels):
        assert chunks(display_copy(data, 200, "png")) == [b"IHDR", b"IDAT", b"IEND"]


def test_sizes_of_files_do_not_tell_how_the_source_was_compressed():
    """The same photographs, once as originals have them, once as a site sends them."""
    sizes: dict[str, list[int]] = {"original": [], "candidate": []}
    raw: dict[str, list[int]] = {"original": [], "candidate": []}
    for path in PHOTOS:
        photo = Image.open(path).convert("RGB").resize((448, 448), Image.Resampling.LANCZOS)
        for name, options in (
            ("original", {"quality": 95, "subsampling": 0}),
            ("candidate", {"quality": 80, "progressive": True}),
        ):
            target = io.BytesIO()
            photo.save(target, "JPEG", **options)
            raw[name].append(len(target.getvalue()))
            sizes[name].append(len(display_copy(target.getvalue(), 320, "jpeg", 90)))
    told = np.mean(raw["candidate"]) / np.mean(raw["original"])
    left = np.mean(sizes["candidate"]) / np.mean(sizes["original"])
    assert told < 0.5
    assert left == pytest.approx(1.0, abs=0.05)


def test_colours_are_those_that_the_profile_means(pixels: np.ndarray):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A device whose red is what others call blue.
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    shown = {}
    for name, profile in (("own", srgb), ("swapped", swapped)):
        target = io.BytesIO()
        Image.fromarray(pixels).save(target, "PNG", icc_profile=profile)
        copy = display_copy(target.getvalue(), 240)
        shown[name] = np.asarray(Image.open(io.BytesIO(copy)), dtype=int)
    plain = np.asarray(Image.open(io.BytesIO(display_copy(encode_png(pixels), 240))), dtype=int)
    assert np.abs(plain - shown["own"]).max() <= 2
    assert np.abs(plain[..., ::-1] - shown["swapped"]).mean() < 2
    assert np.abs(plain - shown["swapped"]).mean() > 5
    broken = io.BytesIO()
    Image.fromarray(pixels).save(broken, "PNG", icc_profile=b"no profile at all")
    assert display_copy(broken.getvalue(), 240) == display_copy(encode_png(pixels), 240)


def test_a_profile_of_another_kind_is_left_alone(pixels: np.ndarray):
    """A profile for paper inks or Lab on an RGB file means nothing."""
    target = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.fromarray(pixels).save(target, "PNG", icc_profile=profile)
    assert display_copy(target.getvalue(), 240) == display_copy(encode_png(pixels), 240)


def test_jpeg_is_several_times_smaller():
    for path in PHOTOS[:4]:
        data = path.read_bytes()
        assert 3 * len(display_copy(data, 400, "jpeg", 90)) < len(display_copy(data, 400, "png"))


def test_forms_have_names():
    assert display_form(96, "png", 90) == "png-96"
    assert display_form(500, "jpeg", 90) == "jpeg-500-q90"
