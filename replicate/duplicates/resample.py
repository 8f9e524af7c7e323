"""Pillow's Lanczos resize of many equal-sized grey images at once, to the bit.

Pillow resizes 8-bit images in two passes, rows first; each pass multiplies by coefficients that
are rounded to 22 binary digits and rounds its sum to 8 bits. All sums stay below 2^53, so the
same integers come out of two matrix products in double precision, for a whole stack of small
images at a time. One image by one, Pillow's own call would cost more than its work.
"""

import functools
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

_PRECISION = 22
_LANCZOS_SUPPORT = 3.0


def _lanczos(x: float) -> float:
    if not -_LANCZOS_SUPPORT <= x < _LANCZOS_SUPPORT:
        return 0.0
    if x == 0.0:
        return 1.0
    near, far = x * math.pi, x * math.pi / _LANCZOS_SUPPORT
    return (math.sin(near) / near) * (math.sin(far) / far)


@functools.lru_cache(maxsize=64)
def _coefficients(source: int, target: int) -> npt.NDArray[np.float64]:
    """What each source pixel gives to each target pixel, times 2^22: shape (target, source)."""
    matrix = np.zeros((target, source))
    scale = source / target
    stretch = max(scale, 1.0)
    support = _LANCZOS_SUPPORT * stretch
    for row in range(target):
        centre = (row + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), source)
        weights = [_lanczos((x - centre + 0.5) / stretch) for x in range(first, last)]
        total = sum(weights)
        for x, weight in zip(range(first, last), weights, strict=True):
            fixed = weight / total * (1 << _PRECISION)
            matrix[row, x] = int(fixed - 0.5) if fixed < 0 else int(fixed + 0.5)
    return matrix


def _round8(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    half = float(1 << (_PRECISION - 1))
    return np.clip(np.floor((sums + half) / float(1 << _PRECISION)), 0.0, 255.0)


def lanczos(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Resize grey images to squares as ``Image.resize((size, size), LANCZOS)`` does.

    Args:
        pixels: Grey images, shape (n, height, width), neither side above twice the other (Pillow
            changes the order of the passes for tall images).
        size: The side of the result, in pixels.

    Returns:
        Shape (n, size, size).
    """
    _, height, width = pixels.shape
    across = _round8(pixels.astype(np.float64) @ _coefficients(width, size).T)
    down = _round8(_coefficients(height, size) @ across)
    return down.astype(np.uint8)


@functools.lru_cache(maxsize=64)
def agrees_with_pillow(height: int, width: int, size: int) -> bool:
    """Whether ``lanczos`` gives what the installed Pillow gives, for images of that shape.

    Checked on noise and on black-and-white patterns, whose sums overshoot on both sides.
    """
    if max(height, width) > 2 * min(height, width):
        return False
    values = np.arange(6 * height * width, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    noise = (values >> np.uint64(56)).astype(np.uint8).reshape(6, height, width)
    trial = np.concatenate([noise, np.where(noise > 127, 255, 0).astype(np.uint8)])
    expected = np.stack(
        [
            np.asarray(Image.fromarray(one).resize((size, size), Image.Resampling.LANCZOS))
            for one in trial
        ]
    )
    return bool(np.array_equal(lanczos(trial, size), expected))
