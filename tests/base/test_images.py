"""Decoding what strangers made: whole, odd, broken, animated and gigantic images."""

import json
import resource
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.image_files import (
    BLUE,
    GREEN,
    HEIGHT,
    RED,
    UPRIGHT,
    WHITE,
    WIDTH,
    bombs,
    corners,
    grey_files,
    saved,
    scene,
    several_frames,
    whole_files,
)

from replicate.base.errors import ItemError
from replicate.base.images import decode

WHOLE, GREY, SEVERAL, BOMBS = whole_files(), grey_files(), several_frames(), bombs()
REASONS = {"empty", "not_an_image", "animated", "too_large", "too_small", "truncated"}
SEEDS = [*WHOLE.values(), *GREY.values(), *SEVERAL.values(), *BOMBS.values()]


def reason(data: bytes, **limits: int) -> str | None:
    try:
        decode(data, **limits)
    except ItemError as error:
        assert str(error) != error.reason, "a person is told nothing"
        return error.reason
    return None


@pytest.mark.parametrize("kind", WHOLE)
def test_every_kind_of_colour_image_shows_the_same(kind: str):
    image = decode(WHOLE[kind])
    assert image.mode == "RGB"
    assert corners(image) == UPRIGHT
    assert image.info == {}


@pytest.mark.parametrize("kind", GREY)
def test_every_kind_of_grey_image_shows_the_same(kind: str):
    image = decode(GREY[kind])
    pixels = np.asarray(image.convert("L"))
    assert pixels.shape == (HEIGHT, WIDTH)
    assert np.abs(pixels[:, : WIDTH // 2 - 1].astype(int)).max() < 6
    assert pixels[:, WIDTH // 2 + 1 :].min() > 249


@pytest.mark.parametrize("kind", SEVERAL)
def test_animations_and_several_pages_are_refused(kind: str):
    assert reason(SEVERAL[kind]) == "animated"


def turned(orientation: int, kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(scene(), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))


# Where the corners of the stored picture are seen; EXIF 2.3, table 6.
SEEN = {
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],
    3: [WHITE, BLUE, GREEN, RED],
    4: [BLUE, WHITE, RED, GREEN],
    5: [RED, BLUE, GREEN, WHITE],
    6: [BLUE, RED, WHITE, GREEN],
    7: [WHITE, GREEN, BLUE, RED],
    8: [GREEN, WHITE, RED, BLUE],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", SEEN)
def test_every_exif_rotation_is_undone(kind: str, orientation: int):
    image = decode(turned(orientation, kind))
    assert corners(image) == SEEN[orientation]
    assert image.size == ((WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" * 9])
def test_broken_metadata_harms_no_image(exif: bytes):
    assert corners(decode(saved(scene(), "JPEG", quality=95, exif=exif))) == UPRIGHT
    assert corners(decode(turned(9, "JPEG"))) == UPRIGHT


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "bmp", "ppm", "jpeg2000"])
def test_half_a_file_is_refused(kind: str):
    data = WHOLE[kind]
    assert reason(data[: len(data) // 2]) in {"truncated", "not_an_image"}
    assert reason(data[: len(data) * 2 // 3]) in {"truncated", "not_an_image"}


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", "empty"),
        (b"\xff\xd8\xff", "not_an_image"),
        (b"<html>no such photo</html>", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "not_an_image"),
        (saved(Image.new("F", (20, 20)), "TIFF"), "not_an_image"),
        (b"P6\n0 9\n255\n", "not_an_image"),
    ],
)
def test_what_is_no_image_has_its_reason(data: bytes, wanted: str):
    assert reason(data) == wanted


def test_tiny_images_are_refused_where_that_is_asked():
    assert reason(WHOLE["png"], min_side=HEIGHT) is None
    assert reason(WHOLE["png"], min_side=HEIGHT + 1) == "too_small"
    assert reason(saved(scene(1, 1), "GIF"), min_side=2) == "too_small"


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_are_refused(kind: str):
    assert reason(BOMBS[kind]) == "too_large"


def test_bombs_are_refused_before_they_take_memory(tmp_path: Path):
    for kind, data in BOMBS.items():
        (tmp_path / kind).write_bytes(data)
    program = """
import json, resource, sys
from pathlib import Path
from replicate.base.errors import ItemError
from replicate.base.images import decode
paths = sorted(Path(sys.argv[1]).iterdir())
from PIL import Image
Image.init()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reasons = []
for path in paths:
    try:
        decode(path.read_bytes())
    except ItemError as error:
        reasons.append(error.reason)
print(json.dumps([reasons, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""
    limit = (2 << 30, 2 << 30)  # of address space: what is set aside unused counts as well
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )
    reasons, kilobytes = json.loads(answer.stdout)
    assert reasons == ["too_large"] * len(BOMBS)
    assert kilobytes < 20_000, "each of these claims 800 MB of pixels"


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=6),
    st.integers(0, 2**16) | st.none(),
)
@example(WHOLE["tiff-lzw"], [(4, 8)], None)
def test_flipped_and_cut_bytes_are_an_image_or_have_a_reason(data, flips, end):
    changed = bytearray(data)
    for place, value in flips:
        changed[place % len(changed)] = value
    if end is not None:
        del changed[end % len(changed) :]
    assert reason(bytes(changed), max_pixels=4_000_000) in REASONS | {None}


HEADS = [b"", *{data[:size] for data in WHOLE.values() for size in (4, 12, 40)}]


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(HEADS), st.binary(max_size=200))
def test_random_bytes_are_an_image_or_have_a_reason(head: bytes, tail: bytes):
    assert reason(head + tail, max_pixels=4_000_000) in REASONS | {None}


def test_decoding_in_threads_leaves_the_filters_of_warnings_alone():
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [reason(data) for data in SEEDS]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
