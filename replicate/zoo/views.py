"""What a model sees of an image: resized, cropped, 8 bits a channel.

Views are cut to the bit as torchvision's, timm's and open_clip's own evaluation transforms cut
them from a Pillow image (Resize or a squash, then CenterCrop), so that what is not equal to the bit
can carry another name. Scaling to [0, 1] and standardising come later, in torch, as there.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from replicate.base.resample import resize
from replicate.base.resample_weights import FILTERS
from replicate.zoo.pixels import Pixels

Mode = Literal["short", "squash", "cover", "contain", "none"]


@dataclass(frozen=True)
class View:
    """One way to cut a view out of an image.

    Attributes:
        size: Height and width of the view.
        mode: ``short``: the shorter side becomes ``resize`` pixels, the longer one is rounded
            down (torchvision's Resize with a number); ``squash``: the image becomes ``resize``
            pixels high and wide, whatever its shape; ``cover`` and ``contain``: resized by one
            factor, rounded to the nearest, until it just covers ``resize``, or just fits into it
            (ResizeKeepRatio of timm and open_clip, ``longest`` 0 and 1); ``none``: not resized.
        resize: Height and width to resize to; equal for ``short``.
        filter: A filter of Pillow's.
        fill: The colour of margins, where the image is smaller than the view.
        late: Whether images that are neither grey nor RGB are resized as they are and converted
            after the crop, as open_clip does.
        floor: Whether the place of the crop is rounded down, as in transformers, instead of half
            to the even number.
    """

    size: tuple[int, int]
    mode: Mode
    resize: tuple[int, int]
    filter: str
    fill: tuple[int, int, int] = (0, 0, 0)
    late: bool = False
    floor: bool = False

    def __post_init__(self) -> None:
        if self.filter not in FILTERS or min(*self.size, *self.resize) < 1:
            raise ValueError(f"no such view: {self.name}")

    @property
    def name(self) -> str:
        """The view's canonical name, from which two equal views are known.

        >>> View((224, 224), "short", (256, 256), "bilinear").name
        'short256-bilinear-crop224x224@1'
        """
        to = f"{self.resize[0]}" if self.mode == "short" else f"{self.resize[0]}x{self.resize[1]}"
        to = "" if self.mode == "none" else to
        more = "-fill" + ".".join(map(str, self.fill)) if any(self.fill) else ""
        more += ("-late" if self.late else "") + ("-floor" if self.floor else "")
        return f"{self.mode}{to}-{self.filter}-crop{self.size[0]}x{self.size[1]}{more}@1"

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the resized image, before the crop.

        >>> View((224, 224), "short", (256, 256), "bilinear").resized(375, 500)
        (256, 341)
        """
        if self.mode == "none":
            return height, width
        if self.mode == "squash":
            return self.resize
        if self.mode == "short":
            to = self.resize[0]
            if height <= width:
                return to, int(to * width / height)
            return int(to * height / width), to
        ratios = (height / self.resize[0], width / self.resize[1])
        ratio = min(ratios) if self.mode == "cover" else max(ratios)
        return max(round(height / ratio), 1), max(round(width / ratio), 1)

    def start(self, length: int, part: int) -> int:
        """Where a centred part of a side begins."""
        return (length - part) // 2 if self.floor else round((length - part) / 2.0)


def cut(pixels: Pixels, view: View) -> Pixels:
    """Cut a view out of an image.

    Args:
        pixels: RGB, shape (height, width, 3), or grey, shape (height, width).
        view: The view.

    Returns:
        Shape (view height, view width, 3), or without the 3.

    >>> cut(np.zeros((30, 40, 3), np.uint8), View((8, 8), "short", (10, 10), "bilinear")).shape
    (8, 8, 3)
    """
    height, width = view.resized(*pixels.shape[:2])
    rows, columns = view.size
    whole = (width, height) == pixels.shape[1::-1]
    if rows > height or columns > width:
        small = pixels if whole else resize(pixels, (width, height), view.filter)
        return _padded(small, view)
    top, left = view.start(height, rows), view.start(width, columns)
    if whole:
        return pixels[top : top + rows, left : left + columns].copy()
    window = (left, top, left + columns, top + rows)
    return resize(pixels, (width, height), view.filter, crop=window)


def cut_odd(image: Image.Image, view: View) -> Pixels:
    """Cut a ``late`` view out of an image that is neither grey nor RGB, by Pillow.

    Args:
        image: Of any mode of Pillow's.
        view: The view.

    Returns:
        Shape (view height, view width, 3).
    """
    height, width = view.resized(image.height, image.width)
    small = image
    if (width, height) != image.size:
        small = image.resize((width, height), Image.Resampling[view.filter.upper()])
    rows, columns = view.size
    if rows > height or columns > width:
        return _padded(np.array(small.convert("RGB")), view)
    top, left = view.start(height, rows), view.start(width, columns)
    return np.array(small.crop((left, top, left + columns, top + rows)).convert("RGB"))


def _padded(pixels: Pixels, view: View) -> Pixels:
    """A crop that reaches beyond the image: margins first, then the centre, as torchvision does."""
    rows, columns = view.size
    height, width = pixels.shape[:2]
    below, beside = max(rows - height, 0), max(columns - width, 0)
    wide = np.empty((height + below, width + beside, *pixels.shape[2:]), np.uint8)
    wide[:] = view.fill if pixels.ndim == 3 else view.fill[0]
    top, left = below // 2, beside // 2
    wide[top : top + height, left : left + width] = pixels
    top, left = view.start(wide.shape[0], rows), view.start(wide.shape[1], columns)
    return wide[top : top + rows, left : left + columns].copy()


def centre_view(
    size: tuple[int, int],
    crop_share: float,
    filter: str,
    mode: str = "center",
    mean: tuple[float, ...] = (0.0, 0.0, 0.0),
) -> View:
    """The view of a timm configuration: input size, crop_pct, interpolation, crop_mode.

    Args:
        size: Height and width of the model's input.
        crop_share: ``crop_pct``: the view's share of the resized image's side.
        filter: ``interpolation``.
        mode: ``crop_mode``: ``center``, ``squash`` or ``border``.
        mean: The model's mean, which is the colour of margins of ``border``.

    Raises:
        ValueError: There is no such mode.

    >>> centre_view((224, 224), 0.875, "bicubic").name
    'short256-bicubic-crop224x224@1'
    """
    scaled = (math.floor(size[0] / crop_share), math.floor(size[1] / crop_share))
    if mode == "squash":
        return View(size, "squash", scaled, filter)
    if mode == "border":
        red, green, blue = (round(255 * value) for value in mean)
        return View(size, "contain", scaled, filter, (red, green, blue))
    if mode != "center":
        raise ValueError(f"timm's crop_mode {mode!r} is not known")
    return View(size, "short" if scaled[0] == scaled[1] else "cover", scaled, filter)
