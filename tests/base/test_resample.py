"""Our resize is the installed Pillow's, to the bit; where it is not, Pillow does the work."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from replicate.base import resample
from replicate.base.resample import resize, resize_stack
from replicate.base.resample_weights import COMPILE_FROM, FILTERS, axis

KINDS = ("noise", "two-level", "flat", "black", "white", "smooth", "stripes")


def picture(shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, shape, dtype=np.uint8)
    if kind == "two-level":
        return np.where(pixels > 127, 255, 0).astype(np.uint8)
    if kind in ("flat", "black", "white"):
        return np.full(shape, {"flat": pixels.flat[0], "black": 0, "white": 255}[kind], np.uint8)
    if kind == "smooth":
        return np.sort(np.sort(pixels, axis=0), axis=1)
    if kind == "stripes":
        return np.broadcast_to(pixels[:1], shape).copy()
    return pixels


def pillow(pixels, size, name, box=None, crop=None) -> np.ndarray:
    image = Image.fromarray(pixels).resize(size, Image.Resampling[name.upper()], box)
    return np.asarray(image if crop is None else image.crop(crop))


side = st.one_of(st.integers(1, 12), st.integers(1, 90), st.integers(120, 400))


@settings(max_examples=150, deadline=None)
@given(
    height=side,
    width=side,
    size=st.tuples(side, side),
    name=st.sampled_from(FILTERS),
    kind=st.sampled_from(KINDS),
    colour=st.booleans(),
    data=st.data(),
)
def test_resize_is_pillows(height, width, size, name, kind, colour, data) -> None:
    pixels = picture((height, width, 3) if colour else (height, width), kind, height * 401 + width)
    part = st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32))
    box = crop = None
    if data.draw(st.booleans(), "has a box"):
        whole = data.draw(st.booleans(), "box of whole pixels")
        (left, right), (top, below) = (sorted(data.draw(part)) for _ in range(2))
        box = (left * width, top * height, right * width, below * height)
        box = tuple(float(round(edge)) for edge in box) if whole else box
        if box[2] <= box[0] or box[3] <= box[1]:
            box = None
    if data.draw(st.booleans(), "has a crop"):
        x0, y0 = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
        x1 = data.draw(st.integers(x0 + 1, size[0]))
        crop = (x0, y0, x1, data.draw(st.integers(y0 + 1, size[1])))
    made = resize(pixels, size, name, box, crop)
    assert np.array_equal(made, pillow(pixels, size, name, box, crop))


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((375, 500), (32, 32)),
        ((500, 100), (32, 32)),  # tall: Pillow 13 goes down first
        ((201, 100), (50, 100)),
        ((200, 100), (50, 100)),
        ((100, 500), (64, 64)),
        ((3000, 40), (32, 32)),  # slender: left to Pillow
        ((40, 3000), (32, 32)),
        ((1, 1), (32, 32)),
        ((2, 700), (32, 32)),
        ((64, 64), (64, 64)),
        ((33, 65), (65, 33)),
        ((8, 8), (224, 224)),
        ((1300, 1100), (7, 3)),
    ],
)
def test_sizes_at_the_edges(shape, size, name) -> None:
    for colour in ((), (3,)):
        pixels = picture((*shape, *colour), "two-level", 5)
        assert np.array_equal(resize(pixels, size, name), pillow(pixels, size, name))


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 72),
    width=st.integers(1, 72),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    name=st.sampled_from(FILTERS),
    kind=st.sampled_from(KINDS),
)
def test_stacks_are_pillows(height, width, size, name, kind) -> None:
    pixels = np.stack([picture((height, width), kind, seed) for seed in range(3)])
    expected = [pillow(one, size, name) for one in pixels]
    assert np.array_equal(resize_stack(pixels, size, name), expected)


def test_the_result_is_never_the_array_that_was_handed_in() -> None:
    pixels = picture((20, 30), "noise", 1)
    for box in (None, (0, 0, 30, 20)):
        made = resize(pixels, (30, 20), "lanczos", box)
        made[:] = 0
        assert pixels.any()


def test_views_and_reversed_rows_are_fine() -> None:
    pixels = picture((90, 80, 3), "noise", 2)
    for view in (pixels[::-1], pixels[:, ::2], pixels[..., ::-1], pixels[5:50, 7:60, 1]):
        expected = pillow(np.ascontiguousarray(view), (32, 32), "bicubic")
        assert np.array_equal(resize(view, (32, 32), "bicubic"), expected)


def test_weights_add_up_and_compiled_ones_are_the_plain_ones() -> None:
    for source, target in ((500, 32), (500, 341), (300, 900)):
        for name in FILTERS:
            made = axis(source, 3.5, source - 20.25, target, name, 1, target - 1)
            assert abs(made.weights.sum(axis=1) - 2**22).max() < 200
            assert (made.first >= 0).all()
            assert (made.first + made.count <= source).all()
    from replicate.base import resample_weights

    plain = [np.zeros(40, np.int64), np.zeros(40, np.int64), np.zeros((40, 200), np.int32)]
    resample_weights.fill(500, 0.0, 500 / 40, 0, FILTERS.index("lanczos"), 3.0, *plain)
    whole = axis(500, 0.0, 500.0, 40, "lanczos", 0, 40)
    assert np.array_equal(plain[0], whole.first)
    assert np.array_equal(plain[2][:, : whole.weights.shape[1]], whole.weights)


def test_another_pillow_does_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """If our sums are not the installed Pillow's, Pillow is asked."""
    pixels = picture((60, 50), "noise", 3)
    asked = []
    real = resample._by_pillow

    def wrong(*arguments):
        return 255 - real(*arguments)

    def noted(*arguments):
        asked.append(arguments)
        return wrong(*arguments)

    resample._order_of_passes.cache_clear()
    monkeypatch.setattr(resample, "_by_pillow", wrong)
    try:
        assert resample._order_of_passes(resample._compiled, True) is None
        monkeypatch.setattr(resample, "_by_pillow", noted)
        expected = 255 - pillow(pixels, (20, 20), "box", None, (1, 2, 9, 8))
        assert np.array_equal(resize(pixels, (20, 20), "box", None, (1, 2, 9, 8)), expected)
        assert resize_stack(pixels[None], (20, 20)).shape == (1, 20, 20)
        assert asked
    finally:
        resample._order_of_passes.cache_clear()


def test_an_older_pillow_that_always_passes_across_first_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def older(pixels, size, filter, box, crop):
        across = np.asarray(
            Image.fromarray(pixels).resize((size[0], len(pixels)), Image.Resampling[filter.upper()])
        )
        return np.asarray(Image.fromarray(across).resize(size, Image.Resampling[filter.upper()]))

    resample._order_of_passes.cache_clear()
    monkeypatch.setattr(resample, "_by_pillow", older)
    try:
        pixels = picture((300, 40), "noise", 4)
        for way in (resample._compiled, resample._by_products):
            assert resample._order_of_passes(way, True) == "across"
        assert resample._order_of_passes(resample._by_products, False) == "across"
        assert np.array_equal(resize(pixels, (32, 32)), older(pixels, (32, 32), "lanczos", 0, 0))
    finally:
        resample._order_of_passes.cache_clear()


@pytest.mark.parametrize(("side", "loaded"), [(COMPILE_FROM, False), (COMPILE_FROM + 1, True)])
def test_only_large_stacks_load_the_compiler(side: int, loaded: bool) -> None:
    script = (
        "import sys, numpy as np\n"
        "from replicate.base.resample import resize_stack\n"
        f"resize_stack(np.zeros((2, {side}, 40), np.uint8), (32, 32))\n"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (str(loaded), "")


@pytest.mark.parametrize(
    "arguments",
    [
        {"pixels": np.zeros((0, 4), np.uint8)},
        {"pixels": np.zeros((4, 4, 4), np.uint8)},
        {"pixels": np.zeros((4, 4))},
        {"size": (0, 3)},
        {"filter": "nearest"},
        {"box": (0, 0, 5, 4)},
        {"box": (2, 0, 2, 4)},
        {"crop": (0, 0, 4, 3)},
        {"crop": (-1, 0, 2, 2)},
    ],
)
def test_what_cannot_be_resized_is_refused(arguments) -> None:
    with pytest.raises(ValueError, match=r"image|filter|box|crop"):
        resize(**{"pixels": np.zeros((4, 4), np.uint8), "size": (3, 3), **arguments})
    with pytest.raises(ValueError, match="stack"):
        resize_stack(np.zeros((4, 4), np.uint8), (3, 3))
