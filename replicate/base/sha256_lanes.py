"""SHA-256 of many short texts at once, for random numbers by the million.

One text after the other goes through the same steps, whatever it says; so a step is done for 64
texts at a time, which the compiler turns into vector instructions. The digests are hashlib's
(FIPS 180-4), several times as fast as calls to it. Import it late: it is compiled code.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from replicate.base.compiled import compiled

Codes = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Firsts = npt.NDArray[np.uint64]

_LANES = 64  # texts at a time: their schedule and state stay in the processor's nearest cache
_BLOCK = 64  # bytes that a step of SHA-256 takes
_ENDING = 9  # bytes behind a text: one mark, and its length


def _roots(root: int, count: int) -> list[int]:
    """The first 32 bits of the fractional parts of the first primes' square or cube roots."""
    found: list[int] = []
    primes: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in primes):
            primes.append(number)
            low, high = 0, number << 32  # of the root, times 2^32; whole numbers are exact
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if middle**root <= number << 32 * root else (low, middle)
            found.append(low & 0xFFFFFFFF)
        number += 1
    return found


_START = np.array(_roots(2, 8), np.uint32)
_ROUND = np.array(_roots(3, 64), np.uint32)


def first_words(
    start: bytes, columns: Sequence[npt.NDArray[np.str_]], places: Sequence[Index]
) -> Firsts:
    """The first 8 bytes of the SHA-256 of each row's texts, joined by the byte 0x1f.

    Args:
        start: What every text begins with.
        columns: The different texts of each column, two columns or more. Rows that follow each
            other and share the first column's text are the faster for it.
        places: For each column, which of its texts each row has, shape (rows,).

    Returns:
        Shape (rows,), big-endian numbers.
    """
    codes = [np.ascontiguousarray(texts).view(np.uint32) for texts in columns]
    codes = [code.reshape(len(texts), -1) for code, texts in zip(codes, columns, strict=True)]
    wide = len(start) + sum(4 * code.shape[1] + 1 for code in codes)
    text = np.zeros((_LANES, -(-(wide + _ENDING) // _BLOCK) * _BLOCK), np.uint8)
    text[:, : len(start)] = np.frombuffer(start, np.uint8)
    out = np.empty(len(places[0]), np.uint64)
    rows = tuple(np.ascontiguousarray(place, np.int64) for place in places)
    _fill(len(start), tuple(codes), rows, text, _ROUND, _START, out)
    return out


@compiled
def _fill(
    head: int,
    columns: tuple[Codes, ...],
    places: tuple[Index, ...],
    text: Bytes,
    constants: Codes,
    begin: Codes,
    out: Firsts,
) -> None:
    """The rows, so many at a time; ``text`` (lanes, bytes) has room for the longest."""
    words = text.view(np.uint32)
    blocks = np.zeros(_LANES, np.int64)
    held = np.full(_LANES, -1)  # what a lane's text begins with: mostly the row before has it too
    held_to = np.zeros(_LANES, np.int64)
    ends = np.zeros(_LANES, np.int64)
    schedule = np.zeros(64 * _LANES, np.uint32)
    state = np.zeros(8 * _LANES, np.uint32)
    work = np.zeros(8 * _LANES, np.uint32)
    for first in range(0, len(out), _LANES):
        rows = min(_LANES, len(out) - first)
        most = 0
        for lane in range(rows):
            mine = places[0][first + lane]
            if held[lane] != mine:
                held[lane] = mine
                held_to[lane] = _append(text, lane, head, columns[0], mine)
            ends[lane] = held_to[lane]
        for column, place in zip(columns[1:], places[1:]):  # noqa: B905 - numba knows no strict
            for lane in range(rows):
                ends[lane] = _append(text, lane, ends[lane], column, place[first + lane])
        for lane in range(rows):
            blocks[lane] = _end(text, lane, ends[lane] - 1)
            most = max(most, blocks[lane])
        for part in range(8):
            for lane in range(_LANES):
                state[part * _LANES + lane] = begin[part]
        for block in range(most):
            for lane in range(rows):
                for word in range(16):
                    schedule[word * _LANES + lane] = _swapped(words[lane, 16 * block + word])
            _step(schedule, state, work, constants)
            for lane in range(rows):
                if blocks[lane] == block + 1:
                    high = np.uint64(state[lane]) << np.uint64(32)
                    out[first + lane] = high | np.uint64(state[_LANES + lane])


@compiled
def _append(text: Bytes, lane: int, at: int, column: Codes, place: int) -> int:
    """Write a text as UTF-8, and the byte 0x1f behind it; where the next one goes."""
    length = column.shape[1]
    highest = np.uint32(0)
    start = np.uint64(at)
    # Unsigned from end to end: the compiler need not think of places counted from an array's end.
    for i in range(start, np.uint64(at + length)):
        code = column[place, i - start]
        highest = np.uint32(highest | code)
        text[lane, i] = code
    while length and column[place, length - 1] == 0:
        length -= 1
    if highest < 0x80:
        at += length
    else:
        for i in range(length):
            at = _utf8(text, lane, at, column[place, i])
    text[lane, at] = 0x1F
    return at + 1


@compiled
def _end(text: Bytes, lane: int, at: int) -> int:
    """Close a text of so many bytes with its mark and length; how many blocks it takes."""
    used = (at + _ENDING + _BLOCK - 1) // _BLOCK
    text[lane, at] = 0x80
    for i in range(np.uint64(at + 1), np.uint64(used * _BLOCK)):
        text[lane, i] = 0
    for i in range(4):
        text[lane, used * _BLOCK - 1 - i] = (8 * at >> (8 * i)) & 0xFF
    return used


@compiled
def _swapped(value: np.uint32) -> np.uint32:
    value = np.uint32((value >> np.uint32(16)) | (value << np.uint32(16)))
    one, other = np.uint32(0x00FF00FF), np.uint32(0xFF00FF00)
    return np.uint32(((value >> np.uint32(8)) & one) | ((value << np.uint32(8)) & other))


@compiled
def _utf8(text: Bytes, lane: int, at: int, code: np.uint32) -> int:
    """Write one code point; where the next one goes."""
    if code < 0x80:
        text[lane, at] = code
        return at + 1
    more = 1 if code < 0x800 else 2 if code < 0x10000 else 3
    lead = 0xC0 if more == 1 else 0xE0 if more == 2 else 0xF0
    text[lane, at] = lead | (code >> (6 * more))
    for i in range(more):
        text[lane, at + 1 + i] = 0x80 | ((code >> (6 * (more - 1 - i))) & 0x3F)
    return at + 1 + more


@compiled
def _turn(value: np.uint32, bits: int) -> np.uint32:
    return np.uint32((value >> np.uint32(bits)) | (value << np.uint32(32 - bits)))


@compiled
def _round(
    a: np.uint32, b: np.uint32, c: np.uint32, d: np.uint32,
    e: np.uint32, f: np.uint32, g: np.uint32, h: np.uint32,
    k: np.uint32, w: np.uint32,
) -> tuple[np.uint32, np.uint32]:  # fmt: skip
    """What takes the place of d, and of h; every sum is cut to 32 bits, so that it stays narrow."""
    one = np.uint32(h + (_turn(e, 6) ^ _turn(e, 11) ^ _turn(e, 25)))
    one = np.uint32(np.uint32(one + ((e & f) ^ (~e & g))) + np.uint32(k + w))
    two = np.uint32((a & b) ^ (a & c) ^ (b & c))
    two = np.uint32(two + (_turn(a, 2) ^ _turn(a, 13) ^ _turn(a, 22)))
    return np.uint32(d + one), np.uint32(one + two)


@compiled
def _step(w: Codes, state: Codes, t: Codes, k: Codes) -> None:
    """One block of every lane; the first 16 rows of ``w`` are its words (FIPS 180-4, 6.2.2).

    Arrays are flat: so the compiler sees how far apart what it reads and writes is.
    """
    for i in range(16 * _LANES, 64 * _LANES):
        x, y = w[i - 15 * _LANES], w[i - 2 * _LANES]
        low = np.uint32(_turn(x, 7) ^ _turn(x, 18) ^ (x >> np.uint32(3)))
        high = np.uint32(_turn(y, 17) ^ _turn(y, 19) ^ (y >> np.uint32(10)))
        low = np.uint32(w[i - 16 * _LANES] + low)
        w[i] = np.uint32(low + np.uint32(w[i - 7 * _LANES] + high))
    for i in range(8 * _LANES):
        t[i] = state[i]
    for i in range(0, 64, 8):
        for x in range(_LANES):  # after eight rounds each value is in its own place again
            a, b, c, d = t[x], t[_LANES + x], t[2 * _LANES + x], t[3 * _LANES + x]
            e, f = t[4 * _LANES + x], t[5 * _LANES + x]
            g, h = t[6 * _LANES + x], t[7 * _LANES + x]
            at = i * _LANES + x
            d, h = _round(a, b, c, d, e, f, g, h, k[i], w[at])
            c, g = _round(h, a, b, c, d, e, f, g, k[i + 1], w[at + _LANES])
            b, f = _round(g, h, a, b, c, d, e, f, k[i + 2], w[at + 2 * _LANES])
            a, e = _round(f, g, h, a, b, c, d, e, k[i + 3], w[at + 3 * _LANES])
            h, d = _round(e, f, g, h, a, b, c, d, k[i + 4], w[at + 4 * _LANES])
            g, c = _round(d, e, f, g, h, a, b, c, k[i + 5], w[at + 5 * _LANES])
            f, b = _round(c, d, e, f, g, h, a, b, k[i + 6], w[at + 6 * _LANES])
            e, a = _round(b, c, d, e, f, g, h, a, k[i + 7], w[at + 7 * _LANES])
            t[x], t[_LANES + x], t[2 * _LANES + x], t[3 * _LANES + x] = a, b, c, d
            t[4 * _LANES + x], t[5 * _LANES + x] = e, f
            t[6 * _LANES + x], t[7 * _LANES + x] = g, h
    for i in range(8 * _LANES):
        state[i] = np.uint32(state[i] + t[i])
