"""Pillow's resize, to the bit, several times as fast.

Pillow resizes 8-bit images in two passes, each of which multiplies by weights rounded to 22
binary digits and rounds its sum to 8 bits. The same integers come out of compiled loops here
(`resize`), and for whole stacks of small images out of two matrix products (`resize_stack`: the
sums stay below 2^53). Both are tried beside the installed Pillow once a process; if they differ,
Pillow itself does the work.
"""

import functools
from collections.abc import Callable
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.resample_weights import COMPILE_FROM, FILTERS, PRECISION, Axis, axis

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
Window = tuple[int, int, int, int]
# steep: Pillow 13, which first goes down where the height loses more than twice as many pixels as
# the width; across: Pillow up to 12, which never does.
_Order = Literal["steep", "across"]
_ORDERS: tuple[_Order, ...] = ("steep", "across")
_SLENDER = 50  # images this many times as long as wide are Pillow's: 12.x has its own way there


def resize(
    pixels: Pixels,
    size: tuple[int, int],
    filter: str = "lanczos",
    box: Box | None = None,
    crop: Window | None = None,
) -> Pixels:
    """Resize an image as ``Image.resize(size, filter, box)`` does, to the bit.

    Args:
        pixels: Grey (height, width) or RGB (height, width, 3).
        size: Width and height of the result.
        filter: ``box``, ``bilinear``, ``hamming``, ``bicubic`` or ``lanczos``.
        box: The part of the image that is resized: left, top, right, bottom in pixels, fractions
            allowed. Left out: all of it.
        crop: The part of the result that is wanted: left, top, right, bottom. Nothing else is
            worked out.

    Returns:
        Of the shape that ``size`` or ``crop`` says, never the array that was handed in.

    Raises:
        ValueError: The image has another shape or type, or a size, box, crop or filter is wrong.
    """
    _check(pixels, size, filter, box, crop)
    height, width = pixels.shape[:2]
    slender = max(height, width) > _SLENDER * min(height, width)
    order = None if slender else _order_of_passes(_compiled, True)
    if order is None:
        return _by_pillow(pixels, size, filter, box, crop)
    return _compiled(pixels, size, filter, order, box, crop)


def resize_stack(pixels: Pixels, size: tuple[int, int], filter: str = "lanczos") -> Pixels:
    """Resize many small grey images of one size as ``Image.resize(size, filter)`` does.

    For images of up to about 64×64 pixels this takes less time than one call for each, and no
    compiler.

    Args:
        pixels: Shape (n, height, width).
        size: Width and height of the results.
        filter: As for `resize`.

    Returns:
        Shape (n, height, width) of the results.

    Raises:
        ValueError: As for `resize`.
    """
    if pixels.ndim != 3 or len(pixels) == 0:
        raise ValueError(f"not a stack of grey images: shape {pixels.shape}")
    _check(pixels[0], size, filter, None, None)
    height, width = pixels.shape[1:]
    slender = max(height, width) > _SLENDER * min(height, width)
    large = max(height, width) > COMPILE_FROM
    order = None if slender else _order_of_passes(_by_products, large)
    if order is None:
        return np.stack([_by_pillow(one, size, filter, None, None) for one in pixels])
    return _products(pixels, size, filter, order)


def _check(
    pixels: Pixels, size: tuple[int, int], filter: str, box: Box | None, crop: Window | None
) -> None:
    shape = pixels.shape
    if pixels.dtype != np.uint8 or shape[2:] not in ((), (3,)) or len(shape) < 2 or 0 in shape:
        raise ValueError(f"not a grey or RGB image of bytes: {pixels.dtype}, shape {shape}")
    if filter not in FILTERS:
        raise ValueError(f"filter {filter!r} is none of {', '.join(FILTERS)}")
    if min(size) < 1:
        raise ValueError(f"an image cannot be {size[0]}×{size[1]} pixels large")
    for what, part, within in (("box", box, shape[1::-1]), ("crop", crop, size)):
        if part is not None and not (
            0 <= part[0] < part[2] <= within[0] and 0 <= part[1] < part[3] <= within[1]
        ):
            raise ValueError(f"{what} {part} is not within {within[0]}×{within[1]} pixels")


def _by_pillow(
    pixels: Pixels, size: tuple[int, int], filter: str, box: Box | None, crop: Window | None
) -> Pixels:
    image = Image.fromarray(pixels).resize(size, Image.Resampling[filter.upper()], box)
    return np.array(image if crop is None else image.crop(crop))


def _axes(
    shape: tuple[int, ...],
    size: tuple[int, int],
    filter: str,
    box: Box | None,
    crop: Window | None,
) -> tuple[Axis | None, Axis | None]:
    """The weights down and across; None where that pass has nothing to do."""
    height, width = shape[:2]
    left, top, right, bottom = (0.0, 0.0, width, height) if box is None else box
    x0, y0, x1, y1 = (0, 0, *size) if crop is None else crop
    down = across = None
    if (top, bottom, height) != (0, size[1], size[1]) or (y0, y1) != (0, size[1]):
        down = axis(height, float(top), float(bottom), size[1], filter, y0, y1)
    if (left, right, width) != (0, size[0], size[0]) or (x0, x1) != (0, size[0]):
        across = axis(width, float(left), float(right), size[0], filter, x0, x1)
    return down, across


def _compiled(
    pixels: Pixels,
    size: tuple[int, int],
    filter: str,
    order: _Order,
    box: Box | None = None,
    crop: Window | None = None,
) -> Pixels:
    from replicate.base.resample_kernels import sum_columns, sum_rows

    down, across = _axes(pixels.shape, size, filter, box, crop)
    colours = pixels.shape[2:]
    channels = colours[0] if colours else 1
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1)

    def vertical(rows: Pixels, top: int) -> Pixels:
        if down is None:
            return rows
        out = np.empty((len(down.first), rows.shape[1]), np.uint8)
        sum_rows(rows, down.first - top, down.count, down.weights, out)
        return out

    def horizontal(rows: Pixels) -> Pixels:
        if across is None:
            return rows
        out = np.empty((len(rows), len(across.first) * channels), np.uint8)
        sum_columns(
            rows, channels, across.start, across.stop, across.first, across.count,
            across.weights, out,
        )  # fmt: skip
        return out

    if _down_first(order, pixels.shape[:2], size):
        rows = horizontal(vertical(rows, 0))
    elif down is None:
        rows = horizontal(rows)
    else:
        rows = vertical(horizontal(rows[down.start : down.stop]), down.start)
    result = cast(Pixels, rows.reshape((len(rows), -1, *colours)))
    return result.copy() if np.may_share_memory(result, pixels) else result


def _by_products(pixels: Pixels, size: tuple[int, int], filter: str, order: _Order) -> Pixels:
    one: Pixels = _products(pixels[None], size, filter, order)[0]
    return one


def _products(pixels: Pixels, size: tuple[int, int], filter: str, order: _Order) -> Pixels:
    height, width = pixels.shape[1:]
    down, across = _axes(pixels.shape[1:], size, filter, None, None)
    values = pixels.astype(np.float64)
    vertical_first = _down_first(order, (height, width), size)
    for vertical in (vertical_first, not vertical_first):
        if vertical and down is not None:
            values = _rounded(down.matrix(height) @ values)
        elif not vertical and across is not None:
            values = _rounded(values @ across.matrix(width).T)
    return values.astype(np.uint8)


def _rounded(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    half = float(1 << (PRECISION - 1))
    return np.clip(np.floor((sums + half) / float(1 << PRECISION)), 0.0, 255.0)


def _down_first(order: _Order, shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    lost = shape[0] - size[1]
    return order == "steep" and lost > 0 and lost > 2 * (shape[1] - size[0])


@functools.lru_cache(maxsize=8)
def _order_of_passes(way: Callable[..., Pixels], large: bool) -> _Order | None:
    """The order in which the installed Pillow passes; None if the way differs from it anyhow.

    Tried on noise and on black-and-white patterns, whose sums overshoot on both sides.

    Args:
        way: `_compiled` or `_by_products`.
        large: Try an image whose weights are compiled, too. Without it no compiler is loaded
            for the sake of this trial.
    """
    tall = COMPILE_FROM + 22 if large else COMPILE_FROM - 8
    shapes = [((31, 47), (9, 12)), ((60, 23), (16, 16)), ((11, 9), (14, 20)), ((tall, 40), (33, 7))]
    trials = [
        (one, size, name, _by_pillow(one, size, name, None, None))
        for shape, size in shapes
        for one in _trial(shape)
        for name in FILTERS
    ]
    for order in _ORDERS:
        if all(
            np.array_equal(way(one, size, name, order), expected)
            for one, size, name, expected in trials
        ):
            return order
    return None


def _trial(shape: tuple[int, int]) -> tuple[Pixels, Pixels]:
    values = np.arange(shape[0] * shape[1], dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    noise = (values >> np.uint64(56)).astype(np.uint8).reshape(shape)
    return noise, np.where(noise > 127, 255, 0).astype(np.uint8)
