"""Display copies: what workers see of an image, alike for originals, candidates and controls.

One size, one format, one quality. No metadata at all: no EXIF, XMP, comment, profile, thumbnail or
density of the source. Colours are converted to sRGB where a file brings a profile, so that it looks
right without one. Pictures without colour become grey, whatever mode their file had.
"""

import io
from contextlib import suppress
from typing import Literal

import numpy as np
from PIL import Image, ImageCms

from replicate.base.images import decode, encode_png
from replicate.sources.transformations import encode_jpeg

Format = Literal["jpeg", "png"]


def display_copy(data: bytes, size: int, format_: Format = "png", quality: int = 90) -> bytes:
    """The copy of a prepared image that workers see.

    Args:
        data: The prepared file's bytes.
        size: Pixels of the longer side, at least 1; smaller images are enlarged (bicubic).
        format_: ``png``, or ``jpeg``: several times fewer bytes for photographs.
        quality: Of JPEG, 1 to 100.

    Raises:
        ItemError: It cannot be decoded.
    """
    image = _in_srgb(decode(data), data)
    scale = size / max(image.size)
    shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.asarray(image.resize(shape, Image.Resampling.BICUBIC), dtype=np.uint8)
    if pixels.ndim == 3 and bool((pixels == pixels[:, :, :1]).all()):
        pixels = np.ascontiguousarray(pixels[:, :, 0])
    if format_ == "jpeg":
        return encode_jpeg(Image.fromarray(pixels), quality)
    return encode_png(pixels)


def display_form(size: int, format_: Format, quality: int) -> str:
    """How a display copy was made, in a word: copies of one form are alike.

    >>> display_form(500, "jpeg", 90)
    'jpeg-500-q90'
    """
    return f"jpeg-{size}-q{quality}" if format_ == "jpeg" else f"png-{size}"


def _in_srgb(image: Image.Image, data: bytes) -> Image.Image:
    """The image in sRGB, where its file has a profile that fits what was decoded."""
    with Image.open(io.BytesIO(data)) as file:  # reads the header only
        profile = file.info.get("icc_profile")
    if not profile:
        return image
    with suppress(ImageCms.PyCMSError, OSError, ValueError):  # broken profiles are common
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() == {"RGB": "RGB", "L": "GRAY"}[image.mode]:
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            return converted if converted is not None else image
    return image
