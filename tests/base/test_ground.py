"""Errors, files, digests, randomness, images, packed data."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from replicate.base import errors, files, images
from replicate.base.digests import canonical_json, digest_rows, digest_value, sha256_file
from replicate.base.errors import ItemError, MissingError, ReplicateError
from replicate.base.randomness import stream, token, uniform
from replicate.base.resources import data_dir


def test_exit_codes_follow_the_contract() -> None:
    codes = {
        name: getattr(errors, name).exit_code
        for name in ("ReplicateError", "UsageError", "GuardError", "ItemError", "PipelineError")
    }
    assert codes == {
        "ReplicateError": 1,
        "UsageError": 2,
        "PipelineError": 2,
        "GuardError": 4,
        "ItemError": 3,
    }
    assert ReplicateError("what", "next").hint == "next"


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "a" / "file.txt"
    files.write_text(target, "old")
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_text("half of the new")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_blobs_are_named_by_content_and_kept_once(tmp_path: Path) -> None:
    store = files.BlobStore(tmp_path)
    digest = store.put(b"one")
    before = store.path(digest).stat().st_mtime_ns
    assert store.put(b"one") == digest
    assert store.path(digest).stat().st_mtime_ns == before
    assert store.get(digest) == b"one"
    assert sha256_file(store.path(digest)) == digest
    with pytest.raises(FileNotFoundError):
        store.get("0" * 64)


@given(st.lists(st.lists(st.integers() | st.text(), max_size=3), max_size=6), st.randoms())
def test_the_digest_of_rows_forgets_order_only(rows: list[list[int | str]], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert digest_rows(rows) == digest_rows(shuffled)
    assert digest_rows([*rows, ["one more"]]) != digest_rows(rows)


def test_canonical_json_refuses_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match=r"NaN|not JSON compliant"):
        canonical_json(float("nan"))
    assert digest_value([1, 2]) != digest_value([2, 1])


@given(st.integers(0, 2**31), st.text(max_size=10), st.text(max_size=10))
def test_streams_depend_on_seed_and_names_alone(seed: int, one: str, other: str) -> None:
    first = stream(seed, one).integers(0, 2**62, 4)
    assert np.array_equal(first, stream(seed, one).integers(0, 2**62, 4))
    assert 0 <= uniform(seed, one) < 1
    if one != other:
        assert not np.array_equal(first, stream(seed, other).integers(0, 2**62, 4))


def test_streams_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from replicate.base.randomness import stream, uniform;"
        "print(stream(1, 'a').integers(2**62), uniform(1, 'b'))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(outputs) == 1


def test_tokens_need_their_key() -> None:
    assert token(b"key", "a", 1) == token(b"key", "a", 1)
    assert token(b"key", "a") != token(b"other", "a")
    assert len(token(b"key", "a", length=12)) == 12


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html>no such photo</html>", "not_an_image"),
        (_bytes(Image.effect_noise((64, 64), 90), "JPEG")[:900], "truncated"),
        (_bytes(Image.effect_noise((64, 64), 90), "PNG")[:2000], "truncated"),
    ],
)
def test_bad_images_have_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ItemError) as caught:
        images.decode(data)
    assert caught.value.reason == reason


def test_bombs_and_animations_are_refused() -> None:
    with pytest.raises(ItemError) as caught:
        images.decode(_bytes(Image.new("L", (200, 200)), "PNG"), max_pixels=1000)
    assert caught.value.reason == "too_large"
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 200)]
    animated = _bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(ItemError) as caught:
        images.decode(animated)
    assert caught.value.reason == "animated"


def test_unusual_modes_become_grey_or_rgb() -> None:
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert images.decode(_bytes(clear, "PNG")).getpixel((0, 0)) == (255, 255, 255)
    assert images.decode(_bytes(Image.new("CMYK", (2, 2)), "JPEG")).mode == "RGB"
    assert images.decode(_bytes(Image.new("1", (2, 2)), "PNG")).mode == "L"
    sideways = Image.new("L", (4, 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert images.decode(_bytes(sideways, "JPEG", exif=exif)).size == (2, 4)


def test_png_holds_pixels_and_nothing_else() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    data = images.encode_png(pixels)
    assert np.array_equal(images.grey(images.decode(data)), pixels)
    assert data == images.encode_png(pixels)
    assert not Image.open(io.BytesIO(data)).info


def test_packed_data_is_found() -> None:
    for name in ("pipelines", "mturk_templates", "db"):
        assert data_dir(name).is_dir()
    with pytest.raises(MissingError):
        data_dir("no-such-folder")
