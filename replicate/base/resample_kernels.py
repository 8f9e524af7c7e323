"""The two passes of Pillow's resize, compiled. Imported late: numba takes a third of a second.

Each pass is a sum of whole rows, which the compiler turns into vector instructions. For the pass
along the rows the image is turned first, some rows at a time so that the turned block stays in
the cache, and 8×8 bytes at a time, which eight 64-bit integers hold.
"""

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from replicate.base import resample_weights
from replicate.base.compiled import compiled

Pixels = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Weights = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

_ROWS = 128  # turned at a time; a multiple of 8
_HALF = 1 << (resample_weights.PRECISION - 1)
_SHIFT = resample_weights.PRECISION
_BYTES = np.uint64(0x00FF00FF00FF00FF)
_PAIRS = np.uint64(0x0000FFFF0000FFFF)
_FOURS = np.uint64(0x00000000FFFFFFFF)

register_jitable(resample_weights.weight)
fill = compiled(resample_weights.fill)


@compiled
def sum_rows(source: Pixels, first: Ints, count: Ints, weights: Weights, out: Pixels) -> None:
    """Each row of the result is a weighted sum of rows of the source, rounded to 8 bits.

    Args:
        source: Shape (height, n), its rows whole.
        first: The first row that goes into each row of the result, shape (m,).
        count: How many rows do, shape (m,).
        weights: Times 2^22, shape (m, at least the largest count).
        out: Where the result goes, shape (m, n).
    """
    n = out.shape[1]
    total = np.empty(n, np.int32)
    for i in range(out.shape[0]):
        total[:] = _HALF
        row, last, k = first[i], first[i] + count[i], 0
        while row + 4 <= last:  # four rows at a time: the sums are loaded and stored less often
            a, b, c, d = weights[i, k], weights[i, k + 1], weights[i, k + 2], weights[i, k + 3]
            for x in range(n):
                total[x] += (
                    np.int32(source[row, x]) * a
                    + np.int32(source[row + 1, x]) * b
                    + np.int32(source[row + 2, x]) * c
                    + np.int32(source[row + 3, x]) * d
                )
            row += 4
            k += 4
        while row < last:
            a = weights[i, k]
            for x in range(n):
                total[x] += np.int32(source[row, x]) * a
            row += 1
            k += 1
        for x in range(n):
            out[i, x] = min(max(total[x] >> _SHIFT, 0), 255)


@compiled
def grey_of(source: npt.NDArray[np.uint32], out: Pixels) -> None:
    """Pillow's conversion to grey (ITU-R 601-2, 16 bits after the point) of RGBX pixels.

    Args:
        source: One pixel a word, red lowest, shape (height, width).
        out: Where the grey values go, of the same shape.
    """
    byte, eight, sixteen = np.uint32(255), np.uint32(8), np.uint32(16)
    for y in range(source.shape[0]):
        for x in range(source.shape[1]):
            pixel = source[y, x]
            total = (
                (pixel & byte) * np.uint32(19595)
                + ((pixel >> eight) & byte) * np.uint32(38470)
                + ((pixel >> sixteen) & byte) * np.uint32(7471)
                + np.uint32(0x8000)
            )
            out[y, x] = np.uint8(total >> sixteen)


@compiled
def _swap(a: np.uint64, b: np.uint64, mask: np.uint64, by: int) -> tuple[np.uint64, np.uint64]:
    shift = np.uint64(by)
    changed = ((a >> shift) ^ b) & mask
    return a ^ (changed << shift), b ^ changed


@compiled
def turn(
    source: Pixels, top: int, rows: int, left: int, columns: int, strip: Pixels, out: Words
) -> None:
    """Rows become columns, for a part of an image.

    Args:
        source: Shape (height, width).
        top: The first row.
        rows: How many rows.
        left: The first column.
        columns: How many columns.
        strip: Room for eight rows, shape (8, at least columns, a multiple of 8).
        out: Gets the bytes of the result, eight in a word, shape (columns or more, rows/8 or
            more); columns beyond are padding.
    """
    words = strip.view(np.uint64)
    for y in range(0, rows, 8):
        for r in range(min(8, rows - y)):
            # A row of its own: with two indices the compiler would look for negative ones.
            part = source[top + y + r][left : left + columns]
            for x in range(columns):
                strip[r, x] = part[x]
        for j in range((columns + 7) // 8):
            a, b, c, d = words[0, j], words[1, j], words[2, j], words[3, j]
            e, f, g, h = words[4, j], words[5, j], words[6, j], words[7, j]
            a, b = _swap(a, b, _BYTES, 8)
            c, d = _swap(c, d, _BYTES, 8)
            e, f = _swap(e, f, _BYTES, 8)
            g, h = _swap(g, h, _BYTES, 8)
            a, c = _swap(a, c, _PAIRS, 16)
            b, d = _swap(b, d, _PAIRS, 16)
            e, g = _swap(e, g, _PAIRS, 16)
            f, h = _swap(f, h, _PAIRS, 16)
            a, e = _swap(a, e, _FOURS, 32)
            b, f = _swap(b, f, _FOURS, 32)
            c, g = _swap(c, g, _FOURS, 32)
            d, h = _swap(d, h, _FOURS, 32)
            x, column = j * 8, y // 8
            out[x, column], out[x + 1, column], out[x + 2, column] = a, b, c
            out[x + 3, column], out[x + 4, column], out[x + 5, column] = d, e, f
            out[x + 6, column], out[x + 7, column] = g, h


@compiled
def sum_columns(
    source: Pixels, channels: int, start: int, stop: int, first: Ints, count: Ints,
    weights: Weights, out: Pixels,
) -> None:  # fmt: skip
    """Each column of the result is a weighted sum of columns of the source, rounded to 8 bits.

    Args:
        source: Shape (height, width · channels).
        channels: Bytes a pixel.
        start: The first column that is needed, in pixels.
        stop: The one after the last.
        first: The first column of the source for each column of the result, shape (m,).
        count: How many, shape (m,).
        weights: Times 2^22, shape (m, at least the largest count).
        out: Where the result goes, shape (height, m · channels).
    """
    height, taken, made = source.shape[0], (stop - start) * channels, out.shape[1]
    turned = np.empty(((taken + 7) // 8 * 8, _ROWS), np.uint8)
    sums = np.empty(((made + 7) // 8 * 8, _ROWS), np.uint8)
    back = np.empty((_ROWS, sums.shape[0]), np.uint8)
    strip = np.zeros((8, max(turned.shape[0], _ROWS)), np.uint8)
    # A pixel's channels are rows one below the other: together they are one long row.
    lines = turned.reshape(-1)[: taken * _ROWS].reshape(stop - start, channels * _ROWS)
    results = sums.reshape(-1)[: made * _ROWS].reshape(len(first), channels * _ROWS)
    begin = first - start
    for top in range(0, height, _ROWS):
        rows = min(_ROWS, height - top)
        turn(source, top, rows, start * channels, taken, strip, turned.view(np.uint64))
        sum_rows(lines, begin, count, weights, results)
        turn(sums, 0, made, 0, _ROWS, strip, back.view(np.uint64))
        for y in range(rows):
            row = back[y]
            for x in range(made):
                out[top + y, x] = row[x]
