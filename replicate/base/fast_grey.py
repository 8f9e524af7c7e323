"""The grey values of image files, at the speed of the JPEG decoder.

`grey_values` gives what `images.grey(images.decode(data))` gives, to the bit: a plain JPEG is
decoded by libjpeg-turbo directly, with the pixels made grey in a compiled loop. `luma_values`
takes a JPEG's own brightness, without ever making colours: faster, and up to a few grey levels
different where colours were cut off. Whatever is no plain JPEG (other formats, CMYK, a turned
photo, several pictures in a file, a damaged file) goes the careful way in both.
"""

import functools
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.images import MAX_PIXELS, decode, grey

Pixels = npt.NDArray[np.uint8]

_TURNED = (b"Exif\x00\x00", b"iff:Orientation")  # where an image may say that it must be turned
_ORIENTATION = 0x0112
_SCAN, _FILL = 0xDA, 0xFF  # markers
_SEVERAL = b"MPF\x00"  # several pictures in a file


def grey_values(data: bytes) -> Pixels:
    """The grey values of an image file, upright: shape (height, width).

    Raises:
        ItemError: As `images.decode`.
    """
    if _plain_jpeg(data) and _decodes_as_pillow():
        decoded = _turbo(data, "RGBX")
        if decoded is not None:
            return _to_grey(decoded) if decoded.ndim == 3 else decoded
    return grey(decode(data))


def luma_values(data: bytes) -> Pixels:
    """The brightness of an image file, upright: a JPEG's own, else the grey values.

    Args:
        data: The file's bytes.

    Returns:
        Shape (height, width).

    Raises:
        ItemError: As `images.decode`.
    """
    if _plain_jpeg(data):
        decoded = _turbo(data, "GRAY")
        if decoded is not None:
            return decoded
    return grey(decode(data))


def _plain_jpeg(data: bytes) -> bool:
    if data[:3] != b"\xff\xd8\xff":
        return False
    header = _header(data)
    if _SEVERAL in header:
        return False
    if not any(mark in header for mark in _TURNED):
        return True
    try:
        turn = Image.open(io.BytesIO(data)).getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return bool(turn == 1)


def _header(data: bytes) -> bytes:
    """What comes before a JPEG's picture: all segments up to the start of its scan."""
    place = 2
    while data[place : place + 1] == b"\xff" and place + 4 <= len(data):
        marker = data[place + 1]
        if marker == _SCAN:
            break
        if marker == _FILL:
            place += 1
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return data[:place]


def _turbo(data: bytes, colours: str) -> Pixels | None:
    """A JPEG decoded by libjpeg-turbo; grey ones as shape (h, w), None if it is not for us."""
    import simplejpeg

    try:
        height, width, kind, _ = simplejpeg.decode_jpeg_header(data)
        if height * width > MAX_PIXELS or kind not in ("YCbCr", "Gray"):
            return None
        wanted = "GRAY" if kind == "Gray" else colours
        decoded: Pixels = simplejpeg.decode_jpeg(data, wanted)
    except ValueError:  # damaged: Pillow knows how badly
        return None
    return decoded[:, :, 0] if wanted == "GRAY" else decoded


def _to_grey(pixels: Pixels) -> Pixels:
    from replicate.base.resample_kernels import grey_of

    made = np.empty(pixels.shape[:2], np.uint8)
    grey_of(pixels.reshape(len(pixels), -1).view(np.uint32), made)
    return made


@functools.cache
def _decodes_as_pillow() -> bool:
    """Whether simplejpeg's decoder and Pillow's give the same grey values, tried on noise."""
    values = np.arange(3 * 43 * 59, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    noise = Image.fromarray((values >> np.uint64(56)).astype(np.uint8).reshape(43, 59, 3))
    for quality in (30, 95):
        for subsampling in (0, 1, 2):
            buffer = io.BytesIO()
            noise.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
            decoded = _turbo(buffer.getvalue(), "RGBX")
            if decoded is None or not np.array_equal(
                _to_grey(decoded), grey(decode(buffer.getvalue()))
            ):
                return False
    return True
