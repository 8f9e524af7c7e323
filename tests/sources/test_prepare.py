import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from replicate.base.errors import ItemError, UsageError
from replicate.base.images import decode, encode_png, grey
from replicate.sources import digit_normalisation as dn
from replicate.sources.digits import grey_to_counts, load_digits, packed
from replicate.sources.display import display_copy
from replicate.sources.prepare import find, names, prepare, register

STEP = ["digits-8x8@1"]


def enlarged(pixels: np.ndarray, factor: int, kernel=Image.Resampling.BICUBIC) -> np.ndarray:
    height, width = pixels.shape
    return np.asarray(Image.fromarray(pixels).resize((width * factor, height * factor), kernel))


def ink_of(data: bytes) -> np.ndarray:
    return grey_to_counts(grey(decode(data))).astype(float)


@pytest.fixture(scope="module")
def candidates() -> np.ndarray:
    """Ink counts of 300 MNIST digits as photos would show them, prepared: (300, 8, 8)."""
    images, _ = packed("mnist")
    return np.array([ink_of(prepare(encode_png(enlarged(x, 3)), STEP)) for x in images[::17]])


def test_prepared_digits_have_the_ink_statistics_of_the_training_set(candidates):
    train = packed("optdigits")[0][:3823].astype(float)
    assert candidates.mean() == pytest.approx(train.mean(), abs=0.1)
    columns = candidates.mean(axis=(0, 1)) - train.mean(axis=(0, 1))
    rows = candidates.mean(axis=(0, 2)) - train.mean(axis=(0, 2))
    assert np.abs(columns).max() < 1.0
    assert np.abs(rows).max() < 1.0
    active = [(x.max(axis=1) > 0).sum(axis=1).mean() for x in (candidates, train)]
    assert active[0] == pytest.approx(active[1], abs=0.25)
    ink = [np.quantile(x.mean(axis=(1, 2)), [0.05, 0.95]) for x in (candidates, train)]
    assert np.abs(ink[0] - ink[1]).max() < 0.4


def test_an_8x8_digit_is_taken_as_it_is():
    for image in load_digits("original")[:50]:
        assert np.array_equal(ink_of(prepare(image.data, STEP)), ink_of(image.data))
        assert prepare(prepare(image.data, STEP), STEP) == prepare(image.data, STEP)


@pytest.mark.parametrize("kernel", [0, 1, 2, 3])
@pytest.mark.parametrize("factor", [4, 7])
def test_an_enlarged_8x8_digit_is_shrunk_back(kernel: int, factor: int):
    for image in load_digits("original")[:40:4]:
        small = grey(decode(image.data))
        large = enlarged(small, factor, Image.Resampling(kernel))
        moved = np.vstack([large[:1], large[:-1]])
        buffer = io.BytesIO()
        Image.fromarray((moved * 0.93).astype(np.uint8)).save(buffer, "JPEG", quality=80)
        back = ink_of(prepare(buffer.getvalue(), STEP))
        assert np.sqrt(((back - ink_of(image.data)) ** 2).sum()) < 9
        if small.max() == 255 and small.min() == 0:
            again = ink_of(prepare(encode_png(large), STEP))
            assert np.abs(again - ink_of(image.data)).max() <= 2


def test_a_photo_of_handwriting_is_not_taken_for_an_enlarged_digit(candidates):
    # A normalised digit has 1,024 pixels of ink or none, so its ink sums to a whole bitmap.
    assert set(np.unique(candidates)) <= set(range(17))
    assert np.abs(candidates.sum(axis=(1, 2)) - dn.INK_TARGET).mean() < 40


def test_polarity_margin_and_size_do_not_matter_much():
    digit = packed("mnist")[0][4]
    base = ink_of(prepare(encode_png(enlarged(digit, 3)), STEP))
    for other in (
        255 - enlarged(digit, 3),
        np.pad(enlarged(digit, 3), 9),
        enlarged(digit, 2),
        (enlarged(digit, 3) * 0.6 + 40).astype(np.uint8),
    ):
        assert np.abs(ink_of(prepare(encode_png(other), STEP)) - base).mean() < 1.0


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_one_grey_has_no_ink(value: int):
    with pytest.raises(ItemError) as caught:
        prepare(encode_png(np.full((60, 40), value, dtype=np.uint8)), STEP)
    assert caught.value.reason == "no_ink"


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
def test_any_picture_gives_a_digit_or_a_reason(pixels: np.ndarray):
    try:
        prepared = prepare(encode_png(pixels), STEP)
    except ItemError as error:
        assert error.reason == "no_ink"
    else:
        picture = grey(decode(prepared))
        assert picture.shape == (8, 8)
        assert set(picture.ravel().tolist()) <= {round(v * 255 / 16) for v in range(17)}


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.uint8, (9, 11), elements=st.sampled_from([3, 40, 41, 90, 130, 200, 250])).filter(
        lambda x: x.min() != x.max()
    )
)
def test_otsus_threshold_is_the_best_of_all(pixels: np.ndarray):
    def between(t: int) -> float:
        low, high = pixels[pixels <= t], pixels[pixels > t]
        if not len(low) or not len(high):
            return 0.0
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    assert between(dn.otsu(pixels)) == pytest.approx(max(between(t) for t in range(256)))


def test_the_slant_goes_and_the_ink_stays():
    bitmap = np.zeros((32, 32), dtype=bool)
    for y in range(32):
        bitmap[y, 20 - y // 4 : 24 - y // 4] = True
    straight = dn.upright(bitmap)
    assert straight.sum() == bitmap.sum()
    assert (straight.any(axis=0)).sum() <= 5


@pytest.mark.parametrize("data", [b"", b"GIF89a nonsense", b"\x89PNG\r\n\x1a\n"])
@pytest.mark.parametrize("steps", [["identity@1"], STEP])
def test_what_is_no_image_has_a_reason(data: bytes, steps: list[str]):
    with pytest.raises(ItemError):
        prepare(data, steps)


def test_an_unknown_transformation_names_the_nearest():
    assert {"digits-8x8@1", "identity@1"} <= set(names())
    with pytest.raises(UsageError) as caught:
        find("digits-8x8")
    assert "digits-8x8@1" in caught.value.hint
    with pytest.raises(UsageError):
        register("identity@1", find("identity@1"))
    with pytest.raises(UsageError):
        register("nameless", find("identity@1"))


def test_identity_keeps_the_bytes():
    data = load_digits("original")[0].data
    assert prepare(data, ["identity@1"]) == data


def test_display_copies_are_alike_and_tell_nothing():
    digit = load_digits("original")[0].data
    photo = prepare(encode_png(enlarged(packed("mnist")[0][0], 3)), STEP)
    for data in (digit, photo):
        copy = Image.open(io.BytesIO(display_copy(data, 96)))
        assert copy.size == (96, 96)
        assert copy.mode == "L"
        assert copy.info == {}
    assert display_copy(digit, 96) == display_copy(digit, 96)


def test_a_display_copy_prepares_back_to_the_image_it_was_made_from():
    for image in load_digits("original")[:20]:
        back = prepare(display_copy(image.data, 96), STEP)
        assert np.abs(ink_of(back) - ink_of(image.data)).max() <= 2


def test_a_display_copy_keeps_aspect_and_colour():
    red = np.zeros((30, 60, 3), dtype=np.uint8)
    red[..., 0] = 200
    copy = Image.open(io.BytesIO(display_copy(encode_png(red), 96)))
    assert copy.size == (96, 48)
    assert copy.mode == "RGB"
    greyish = np.repeat(np.full((8, 8, 1), 70, dtype=np.uint8), 3, axis=2)
    assert Image.open(io.BytesIO(display_copy(encode_png(greyish), 96))).mode == "L"
