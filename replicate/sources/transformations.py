"""Transformations of photographs, with their parameters in their names.

=============================== ================================================================
``png@1``                       the pixels as PNG, without metadata
``jpeg-q95@1``                  re-encoded as JPEG of that quality (1 to 100), colour at half the
                                resolution (4:2:0); ``jpeg-q95-444@1``: at the full one
``grey@1``                      without colour (ITU-R 601 luma), as PNG
``resize-32x32@1``              squeezed to exactly that width and height, whatever the shape, as
                                PNG; ``resize-32x32-box@1``: with that kernel
``shorter-256@1``               the shorter side that long, the shape kept, as PNG
``longer-500@1``                the longer side at most that long, never enlarged, as PNG
``crop-224x224@1``              the middle of the image, as PNG; one that is smaller is refused
=============================== ================================================================

Kernels are ``box``, ``bilinear``, ``bicubic`` (where none is named), ``lanczos`` and ``hamming``,
Pillow's, which blur before they shrink. All but JPEG change nothing when they are applied again.
Colour profiles are dropped without conversion, as models' loaders do.

**CIFAR.** The makers of 80 Million Tiny Images, which CIFAR-10 and CIFAR-100 are taken from, shrank
what the search engines gave to 32×32 colour pixels as they collected it, since they had no room for
more. They published neither the kernel nor how other shapes than squares were treated. CIFAR-10.1
took its images out of Tiny Images and so has the same whatever it was; a replication from other
photographs has to choose: ``resize-32x32@1`` squeezes, ``shorter-32@1`` and ``crop-32x32@1`` cut.
"""

import io
import re
from collections.abc import Callable

import numpy as np
from PIL import Image

from replicate.base.errors import ItemError
from replicate.base.images import decode, encode_png

KERNELS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "hamming": Image.Resampling.HAMMING,
}
_MOST = 10_000  # pixels a side
_KERNEL = rf"(?:-({'|'.join(KERNELS)}))?"

Transformation = Callable[[bytes], bytes]


def png(data: bytes) -> bytes:
    """The pixels as PNG.

    Raises:
        ItemError: It cannot be decoded.
    """
    return _png(decode(data))


def grey(data: bytes) -> bytes:
    """The pixels without colour, as PNG.

    Raises:
        ItemError: It cannot be decoded.
    """
    return _png(decode(data).convert("L"))


def encode_jpeg(image: Image.Image, quality: int, *, full_colour: bool = False) -> bytes:
    """A baseline JPEG without any metadata: tables and header depend on quality and mode alone.

    Args:
        image: Grey or RGB.
        quality: 1 to 100, as libjpeg scales its tables.
        full_colour: Colour at the full resolution (4:4:4) instead of half (4:2:0).
    """
    bare = Image.fromarray(np.asarray(image))  # Pillow writes comments of what it has read
    target = io.BytesIO()
    bare.save(
        target,
        "JPEG",
        quality=quality,
        subsampling=0 if full_colour else 2,
        optimize=False,
        progressive=False,
    )
    return target.getvalue()


def _jpeg(quality: str, full: str | None) -> Transformation:
    return lambda data: encode_jpeg(decode(data), int(quality), full_colour=full is not None)


def _resize(width: str, height: str, kernel: str | None) -> Transformation:
    size = (int(width), int(height))
    return lambda data: _png(_resized(decode(data), size, kernel))


def _shorter(side: str, kernel: str | None) -> Transformation:
    def transform(data: bytes) -> bytes:
        image = decode(data)
        return _png(_resized(image, _scaled(image, int(side) / min(image.size)), kernel))

    return transform


def _longer(side: str, kernel: str | None) -> Transformation:
    def transform(data: bytes) -> bytes:
        image = decode(data)
        return _png(_resized(image, _scaled(image, min(1.0, int(side) / max(image.size))), kernel))

    return transform


def _crop(width: str, height: str) -> Transformation:
    wide, high = int(width), int(height)

    def transform(data: bytes) -> bytes:
        image = decode(data)
        if image.width < wide or image.height < high:
            raise ItemError("too_small", f"{image.width}×{image.height}, not {wide}×{high}")
        left, top = (image.width - wide) // 2, (image.height - high) // 2
        return _png(image.crop((left, top, left + wide, top + high)))

    return transform


# How a name is written, an example of it, and what makes its transformation from the groups.
FAMILIES: tuple[tuple[str, str, Callable[..., Transformation]], ...] = (
    (r"jpeg-q(100|[1-9]\d?)(-444)?@1", "jpeg-q95@1", _jpeg),
    (rf"resize-([1-9]\d*)x([1-9]\d*){_KERNEL}@1", "resize-32x32@1", _resize),
    (rf"shorter-([1-9]\d*){_KERNEL}@1", "shorter-256@1", _shorter),
    (rf"longer-([1-9]\d*){_KERNEL}@1", "longer-500@1", _longer),
    (r"crop-([1-9]\d*)x([1-9]\d*)@1", "crop-224x224@1", _crop),
)


def of_family(name: str) -> Transformation | None:
    """The transformation of a name with parameters; None if it is no such name."""
    for pattern, _, make in FAMILIES:
        found = re.fullmatch(pattern, name)
        if found and all(int(n) <= _MOST for n in re.findall(r"\d+", name.partition("@")[0])):
            return make(*found.groups())
    return None


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _resized(image: Image.Image, size: tuple[int, int], kernel: str | None) -> Image.Image:
    return image if image.size == size else image.resize(size, KERNELS[kernel or "bicubic"])


def _png(image: Image.Image) -> bytes:
    return encode_png(np.asarray(image, dtype=np.uint8))
