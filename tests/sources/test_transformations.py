"""Transformations of photographs: sizes, determinism, and what applying them again changes."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from replicate.base.errors import ItemError, UsageError
from replicate.base.images import decode, encode_png
from replicate.pipeline.keys import key_table
from replicate.sources.prepare import find, names, prepare
from replicate.sources.transformations import FAMILIES, KERNELS

LOSSLESS = st.sampled_from(
    ("png@1", "grey@1", "identity@1", "resize-32x32@1", "resize-7x40-box@1", "shorter-24@1",
     "shorter-9-lanczos@1", "longer-20@1", "longer-500-hamming@1", "crop-8x6@1", "crop-1x1@1")
)  # fmt: skip


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """Files of pictures, grey or in colour, of odd shapes, as PNG or JPEG."""
    width, height = draw(st.integers(8, 60)), draw(st.integers(8, 60))
    seed, colour = draw(st.integers(0, 2**32 - 1)), draw(st.booleans())
    shape = (height, width, 3) if colour else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    if draw(st.booleans()):
        return encode_png(pixels)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "JPEG", quality=draw(st.integers(5, 100)))
    return target.getvalue()


@settings(deadline=None, max_examples=40)
@given(pictures(), LOSSLESS)
def test_applied_again_they_change_nothing(data: bytes, name: str):
    once = prepare(data, [name])
    assert prepare(data, [name]) == once
    assert prepare(once, [name]) == once


@settings(deadline=None, max_examples=40)
@given(pictures(), st.integers(1, 80), st.integers(1, 80), st.sampled_from([None, *KERNELS]))
def test_sizes_are_those_of_the_name(data: bytes, width: int, height: int, kernel: str | None):
    end = f"-{kernel}@1" if kernel else "@1"
    before = decode(data)
    assert decode(prepare(data, [f"resize-{width}x{height}{end}"])).size == (width, height)
    shorter = decode(prepare(data, [f"shorter-{width}{end}"]))
    assert min(shorter.size) == width
    assert abs(shorter.width * before.height - shorter.height * before.width) <= max(before.size)
    longer = decode(prepare(data, [f"longer-{width}{end}"]))
    assert max(longer.size) == min(width, max(before.size))
    if before.width >= width and before.height >= height:
        cut = np.asarray(decode(prepare(data, [f"crop-{width}x{height}@1"])))
        left, top = (before.width - width) // 2, (before.height - height) // 2
        assert np.array_equal(cut, np.asarray(before)[top : top + height, left : left + width])
    else:
        with pytest.raises(ItemError) as caught:
            prepare(data, [f"crop-{width}x{height}@1"])
        assert caught.value.reason == "too_small"


@settings(deadline=None, max_examples=30)
@given(pictures(), st.integers(1, 100), st.booleans())
def test_jpeg_is_of_one_quality_whatever_came(data: bytes, quality: int, full: bool):
    name = f"jpeg-q{quality}{'-444' if full else ''}@1"
    file = Image.open(io.BytesIO(prepare(data, [name])))
    expected = io.BytesIO()
    Image.new(file.mode, (8, 8)).save(expected, "JPEG", quality=quality)
    assert file.quantization == Image.open(expected).quantization
    assert file.format == "JPEG" and file.size == decode(data).size
    assert prepare(data, [name]) == prepare(prepare(data, ["png@1"]), [name])


def test_a_resize_to_32_by_32_is_pillows():
    pixels = np.random.default_rng(3).integers(0, 256, (75, 100, 3), dtype=np.uint8)
    found = np.asarray(decode(prepare(encode_png(pixels), ["resize-32x32@1"])))
    wanted = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(found, np.asarray(wanted))


def test_every_example_is_found_and_said_in_the_list_of_keys():
    (meaning,) = [row.meaning for row in key_table() if row.key == "prepare.steps"]
    for name in names():
        assert callable(find(name))
        assert name in meaning, name
    assert {example for _, example, _ in FAMILIES} <= set(names())


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resize-32@1", "resize-32x32@1"),
        ("resize-32x32", "resize-32x32@1"),
        ("resize-0x32@1", "resize-32x32@1"),
        ("resize-32x32-nearest@1", "resize-32x32@1"),
        ("resize-99999x2@1", "resize-32x32@1"),
        ("jpeg-q0@1", "jpeg-q95@1"),
        ("jpeg-q101@1", "jpeg-q95@1"),
        ("jpeg-95@1", "jpeg-q95@1"),
        ("png@2", "png@1"),
    ],
)
def test_a_name_that_is_nearly_right(name: str, near: str):
    with pytest.raises(UsageError) as caught:
        find(name)
    assert f"Did you mean {near!r}" in caught.value.hint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that brings transformations."""
    (tmp_path / "paddings.py").write_text("def pad(data):\n    return data + b'.'\n")
    info = tmp_path / "paddings-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paddings\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[replicate.transformations]\n"
        "pad@3 = paddings:pad\ngone@1 = paddings:gone\npad = paddings:pad\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "paddings", raising=False)
    return tmp_path


def test_a_package_brings_a_transformation(package: Path):
    assert prepare(b"x", ["pad@3", "pad@3"]) == b"x.."
    assert "pad@3" in names()
    with pytest.raises(UsageError, match="cannot be loaded"):
        find("gone@1")
    with pytest.raises(UsageError, match="name@version"):
        find("pad")
