"""Flips and quarter turns, found without hashing an image eight times.

A mirrored picture has the same DCT but for signs: flipping left to right turns the sign of every
coefficient whose horizontal frequency is odd, flipping top to bottom of those whose vertical one
is, and transposing the picture transposes the coefficients. So the low frequencies that one hash
is made of give the hashes of all eight positions.
"""

import numpy as np
import numpy.typing as npt

from replicate.duplicates.hashing import Words, pack_bits

NONE = "none"
# Pillow's names, in small letters: what to do to the candidate so that it lies on the reference.
TRANSFORMS = (
    "flip_left_right",
    "flip_top_bottom",
    "rotate_180",
    "transpose",
    "rotate_90",
    "rotate_270",
    "transverse",
)
# Whether the picture is transposed first; then whether it is flipped top to bottom, left to right.
_STEPS = {
    "flip_left_right": (False, False, True),
    "flip_top_bottom": (False, True, False),
    "rotate_180": (False, True, True),
    "transpose": (True, False, False),
    "rotate_90": (True, True, False),
    "rotate_270": (True, False, True),
    "transverse": (True, True, True),
}


def turned(pixels: npt.NDArray[np.uint8], transform: str) -> npt.NDArray[np.uint8]:
    """A picture flipped or turned, as ``Image.transpose`` does it.

    Args:
        pixels: Shape (height, width) or (height, width, colours).
        transform: ``none`` or one of ``TRANSFORMS``; turns are counter-clockwise.

    >>> turned(np.array([[1, 2], [3, 4]], dtype=np.uint8), "rotate_90").tolist()
    [[2, 4], [1, 3]]
    """
    if transform == NONE:
        return pixels
    transposed, down, across = _STEPS[transform]
    result = pixels.swapaxes(0, 1) if transposed else pixels
    result = result[::-1] if down else result
    return result[:, ::-1] if across else result


def turned_low(low: npt.NDArray[np.float64], transform: str) -> npt.NDArray[np.float64]:
    """The low frequencies of pictures that were flipped or turned.

    Args:
        low: Shape (n, side, side), vertical frequencies down.
        transform: ``none`` or one of ``TRANSFORMS``.
    """
    if transform == NONE:
        return low
    transposed, down, across = _STEPS[transform]
    sign = 1.0 - 2.0 * (np.arange(low.shape[1]) % 2)
    result = low.swapaxes(1, 2) if transposed else low
    result = result * sign[:, None] if down else result
    return result * sign if across else result


def turned_hashes(low: npt.NDArray[np.float64]) -> Words:
    """The pHashes of the seven other positions of pictures, in the order of ``TRANSFORMS``.

    Args:
        low: Shape (n, side, side), side 8 or 16.

    Returns:
        Shape (n, 7) for side 8, (n, 7, 4) for side 16.
    """
    flat = [turned_low(low, name).reshape(len(low), -1) for name in TRANSFORMS]
    hashes = [pack_bits(one > np.median(one, axis=1, keepdims=True)) for one in flat]
    return np.stack(hashes, axis=1)
