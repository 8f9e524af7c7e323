"""What a model sees of an image: resized, cropped, 8 bits a channel.

Views are cut to the bit as torchvision's, timm's and open_clip's own evaluation transforms cut
them from a Pillow image (Resize or a squash, then CenterCrop), so that what is not equal to the bit
can carry another name. Scaling to [0, 1] and standardising come later, in torch, as there.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from replicate.base.resample import resize
from replicate.base.resample_weights import FILTERS
from replicate.zoo.pixels import Pixels

Mode = Literal["short", "squash", "ratio", "none"]


@dataclass(frozen=True)
class View:
    """One way to cut a view out of an image.

    Attributes:
        size: Height and width of the view.
        mode: ``short``: the shorter side becomes ``resize`` pixels, the longer one is rounded
            down (torchvision's Resize with a number); ``squash``: the image becomes ``resize``
            pixels high and wide, whatever its shape; ``ratio``: the longer side relative to
            ``resize`` decides as in timm's ResizeKeepRatio with ``longest=1``, rounded to the
            nearest; ``none``: not resized.
        resize: Height and width to resize to; equal for ``short``.
        filter: A filter of Pillow's.
        fill: The grey value of margins, where the image is smaller than the view.
    """

    size: tuple[int, int]
    mode: Mode
    resize: tuple[int, int]
    filter: str
    fill: int = 0

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
        margin = f"-fill{self.fill}" if self.fill else ""
        return f"{self.mode}{to}-{self.filter}-crop{self.size[0]}x{self.size[1]}{margin}@1"

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
        ratio = max(height / self.resize[0], width / self.resize[1])
        return round(height / ratio), round(width / ratio)


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
    top, left = _start(height, rows), _start(width, columns)
    if whole:
        return pixels[top : top + rows, left : left + columns].copy()
    window = (left, top, left + columns, top + rows)
    return resize(pixels, (width, height), view.filter, crop=window)


def _start(length: int, part: int) -> int:
    """Where a centred part begins: half to the even number, as torchvision rounds."""
    return round((length - part) / 2.0)


def _padded(pixels: Pixels, view: View) -> Pixels:
    """A crop that reaches beyond the image: margins first, then the centre, as torchvision does."""
    rows, columns = view.size
    height, width = pixels.shape[:2]
    below, beside = max(rows - height, 0), max(columns - width, 0)
    margins = [(below // 2, (below + 1) // 2), (beside // 2, (beside + 1) // 2)]
    margins += [(0, 0)] * (pixels.ndim - 2)
    wide = np.pad(pixels, margins, constant_values=view.fill)
    top, left = _start(wide.shape[0], rows), _start(wide.shape[1], columns)
    return wide[top : top + rows, left : left + columns].copy()


def centre_view(
    size: tuple[int, int], crop_share: float, filter: str, mode: str = "center"
) -> View:
    """The view of a timm configuration: input size, crop_pct, interpolation, crop_mode.

    Args:
        size: Height and width of the model's input.
        crop_share: ``crop_pct``: the view's share of the resized image's side.
        filter: ``interpolation``.
        mode: ``crop_mode``: ``center``, ``squash`` or ``border``.

    Raises:
        ValueError: There is no such mode.

    >>> centre_view((224, 224), 0.875, "bicubic").name
    'short256-bicubic-crop224x224@1'
    """
    scaled = (math.floor(size[0] / crop_share), math.floor(size[1] / crop_share))
    if mode == "squash":
        return View(size, "squash", scaled, filter)
    if mode == "center":
        kind: Mode = "short" if scaled[0] == scaled[1] else "ratio"
        return View(size, kind, scaled, filter)
    if mode == "border":
        return View(size, "ratio", scaled, filter)
    raise ValueError(f"timm's crop_mode {mode!r} is not known")
