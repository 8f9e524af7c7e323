"""The weights of Pillow's resize: what each source pixel gives to each pixel of the result.

The operations are Pillow's (libImaging/Resample.c), in its order and its precision, so that the
rounded weights are the same integers.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Weights = npt.NDArray[np.int32]

PRECISION = 22  # binary digits after the point of a weight
_SUPPORT = {"box": 0.5, "bilinear": 1.0, "hamming": 1.0, "bicubic": 2.0, "lanczos": 3.0}
_CODE = {name: code for code, name in enumerate(_SUPPORT)}
FILTERS = tuple(_SUPPORT)
COMPILE_FROM = 128  # source pixels: with fewer, the compiler takes longer to load than the loop
_A, _B = float(np.float32(0.54)), float(np.float32(0.46))  # Pillow's Hamming window: C floats


@dataclass(frozen=True)
class Axis:
    """The weights along one axis, for some of the pixels of the result.

    Attributes:
        first: The first source pixel that goes into each, shape (n,).
        count: How many source pixels do, shape (n,).
        weights: Times 2^22, shape (n, largest count); 0 from ``count`` on.
    """

    first: Ints
    count: Ints
    weights: Weights

    @property
    def start(self) -> int:
        """The first source pixel that is needed at all."""
        return int(self.first[0])

    @property
    def stop(self) -> int:
        """The one after the last source pixel that is needed."""
        return int(self.first[-1] + self.count[-1])

    def matrix(self, source: int) -> npt.NDArray[np.float64]:
        """The weights as a matrix of shape (n, source)."""
        dense = np.zeros((len(self.first), source))
        for row, (first, count) in enumerate(zip(self.first, self.count, strict=True)):
            dense[row, first : first + count] = self.weights[row, :count]
        return dense


@functools.lru_cache(maxsize=512)
def axis(
    source: int, low: float, high: float, target: int, name: str, start: int, stop: int
) -> Axis:
    """The weights along one axis.

    Args:
        source: Pixels of the source.
        low: Where the part of the source that is resized begins, in pixels.
        high: Where it ends, in pixels, low < high ≤ source.
        target: Pixels of the whole result.
        name: One of `FILTERS`.
        start: The first pixel of the result that is wanted.
        stop: The one after the last, start < stop ≤ target.
    """
    span = float(np.float32(np.float32(high) - np.float32(low)))
    scale = span / target
    room = math.ceil(_SUPPORT[name] * max(scale, 1.0)) * 2 + 1
    first = np.zeros(stop - start, dtype=np.int64)
    count = np.zeros(stop - start, dtype=np.int64)
    weights = np.zeros((stop - start, room), dtype=np.int32)
    made = fill
    if source > COMPILE_FROM:
        from replicate.base.resample_kernels import fill as made
    made(
        source,
        float(np.float32(low)),
        scale,
        start,
        _CODE[name],
        _SUPPORT[name],
        first,
        count,
        weights,
    )
    used = np.ascontiguousarray(weights[:, : int(count.max())])
    for array in (first, count, used):
        array.setflags(write=False)
    return Axis(first, count, used)


def fill(
    source: int,
    low: float,
    scale: float,
    start: int,
    code: int,
    support: float,
    first: Ints,
    count: Ints,
    weights: Weights,
) -> None:
    """Work out the weights of pixels ``start`` onwards of the result; plain Python, compilable.

    Args:
        source: Pixels of the source.
        low: Where the resized part begins.
        scale: Source pixels a pixel of the result.
        start: The first wanted pixel of the result.
        code: Of the filter.
        support: Of the filter, in pixels of the result.
        first: Gets the first source pixel of each, shape (n,).
        count: Gets the number of source pixels of each, shape (n,).
        weights: Zeros; gets the weights, shape (n, room).
    """
    stretch = max(scale, 1.0)
    reach = support * stretch
    one = 1.0 / stretch
    raw = np.zeros(weights.shape[1])
    for i in range(weights.shape[0]):
        centre = low + (start + i + 0.5) * scale
        left = max(int(centre - reach + 0.5), 0)
        n = min(int(centre + reach + 0.5), source) - left
        total = 0.0
        for x in range(n):
            raw[x] = weight(code, (x + left - centre + 0.5) * one)
            total += raw[x]
        for x in range(n):
            share = raw[x] / total if total != 0.0 else raw[x]
            fixed = share * (1 << PRECISION)
            weights[i, x] = int(fixed - 0.5) if share < 0 else int(fixed + 0.5)
        first[i] = left
        count[i] = n


def weight(code: int, x: float) -> float:
    """The height of a filter at x, in pixels from its middle; plain Python, compilable.

    >>> weight(FILTERS.index("bilinear"), 0.25), weight(FILTERS.index("lanczos"), 3.0)
    (0.75, 0.0)
    """
    if code == 0:
        return 1.0 if -0.5 < x <= 0.5 else 0.0
    if code == 4:
        if x == 0.0:
            return 1.0
        if not -3.0 <= x < 3.0:
            return 0.0
        wide, narrow = x / 3.0 * math.pi, x * math.pi
        return math.sin(narrow) / narrow * (math.sin(wide) / wide)
    x = abs(x)
    if code == 3:
        if x < 1.0:
            return (1.5 * x - 2.5) * x * x + 1.0
        return (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5 if x < 2.0 else 0.0
    if x >= 1.0:
        return 0.0
    if code == 1:
        return 1.0 - x
    turn = x * math.pi
    return 1.0 if x == 0.0 else math.sin(turn) / turn * (_A + _B * math.cos(turn))
