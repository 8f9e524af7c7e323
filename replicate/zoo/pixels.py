"""Pixels as the reference pipelines see them: ``Image.open(file).convert("RGB")``, to the bit.

That is not how the rest of Replicate decodes (``base.images.decode``): EXIF rotation is not
applied and transparency is dropped, for this is what published accuracies were measured with.
"""

import io
import warnings

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from replicate.base.errors import ItemError
from replicate.base.images import MAX_PIXELS

Pixels = npt.NDArray[np.uint8]
DECODER = "rgb@1"  # a change of any pixel must change this name


def reference_rgb(data: bytes, max_pixels: int = MAX_PIXELS) -> Pixels:
    """The RGB pixels of an image file, shape (height, width, 3).

    Plain JPEGs are decoded by the library that Pillow uses, without Pillow's copies; all other
    files, and those that it has anything to say about, by Pillow.

    Args:
        data: The file's bytes.
        max_pixels: More pixels than this are refused before they are decoded.

    Raises:
        ItemError: With reason ``empty``, ``not_an_image``, ``too_large`` or ``truncated``.
    """
    if not data:
        raise ItemError("empty", "the file is empty")
    if data[:3] == b"\xff\xd8\xff":
        fast = _plain_jpeg(data, max_pixels)
        if fast is not None:
            return fast
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError, OSError) as error:
        raise ItemError("not_an_image", f"not an image that Pillow can read: {error}") from error
    if image.width * image.height > max_pixels:
        raise ItemError("too_large", f"{image.width}×{image.height} pixels")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a palette with transparency, as bytes
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ItemError("truncated", f"the image cannot be decoded whole: {error}") from error


def odd_image(data: bytes) -> Image.Image | None:
    """The image as it is, if it is neither grey nor RGB; None if it is one of these.

    Some pipelines resize before they convert, which matters for these alone.

    Raises:
        ItemError: With reason ``not_an_image`` or ``truncated``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
            if image.mode in ("L", "RGB"):
                return None
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ItemError("truncated", f"the image cannot be decoded whole: {error}") from error
    return image


def _plain_jpeg(data: bytes, max_pixels: int) -> Pixels | None:
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("YCbCr", "Gray") or height * width > max_pixels:
            return None
        if space == "Gray":
            grey = simplejpeg.decode_jpeg(data, colorspace="GRAY", strict=True)
            return np.repeat(grey, 3, axis=2)
        pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    except (ValueError, RuntimeError):
        return None
    return pixels
