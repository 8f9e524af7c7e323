"""Decoding images that strangers made, and encoding images so that nothing tells them apart."""

import io
import struct
import warnings
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from replicate.base.errors import ItemError

MAX_PIXELS = 80_000_000


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a whole still image, upright, as ``L`` (grey) or ``RGB``.

    EXIF rotation is applied; transparency is laid over white; CMYK and palettes become RGB.

    Args:
        data: The file's bytes.
        max_pixels: More pixels than this are refused before they are decoded.

    Raises:
        ItemError: With reason ``empty``, ``not_an_image``, ``animated``, ``too_large`` or
            ``truncated``.
    """
    if not data:
        raise ItemError("empty", "the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError, OSError) as error:
        raise ItemError("not_an_image", f"not an image that Pillow can read: {error}") from error
    if image.width * image.height > max_pixels:
        raise ItemError("too_large", f"{image.width}×{image.height} pixels")
    if getattr(image, "n_frames", 1) > 1:
        raise ItemError("animated", "the image has several frames")
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise ItemError("truncated", f"the image cannot be decoded whole: {error}") from error
    return _flat(ImageOps.exif_transpose(image))


def _flat(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "RGB"):
        return image
    if image.mode in ("1", "I;16", "I", "F"):
        return image.convert("L")
    if image.mode in ("LA", "RGBA", "PA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        ground.alpha_composite(layered)
        return ground.convert("RGB")
    return image.convert("RGB")


def grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    """The grey values of an image: shape (height, width), 0 black to 255 white."""
    return np.asarray(image.convert("L"), dtype=np.uint8)


def encode_png(pixels: npt.NDArray[np.uint8], level: int = 3) -> bytes:
    """A PNG without any metadata, of grey (h, w) or RGB (h, w, 3) pixels.

    Written here and not by Pillow, for millions of small images: four times as fast, a tenth
    smaller, and the same bytes whatever version of Pillow is installed. Every row is stored as
    its difference from the row above (PNG filter 2).

    Args:
        pixels: Values 0 to 255.
        level: Of zlib's compression, 1 to 9.

    Raises:
        ValueError: The array has another shape.
    """
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or 0 in pixels.shape:
        raise ValueError(f"not the pixels of a grey or RGB picture: shape {pixels.shape}")
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), dtype=np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    colour = 0 if pixels.ndim == 2 else 2
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(filtered.tobytes(), level)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
