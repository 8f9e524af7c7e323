"""Near-duplicates made on purpose: what people do to a picture before they post it again.

`EDITS` does one thing at a time, each under its name and always the same; `posted_again` does
what is usual, all at once and a little differently each time.
"""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

Edit = Callable[[Image.Image], Image.Image]

_SMALL = 64  # pictures up to this side are enlarged before they are posted
_ENLARGE = (4, 8)
_RESIZE = (0.5, 1.5)
_GAIN = (0.8, 1.2)
_QUALITY = (60, 95)


def _resized(factor: float) -> Edit:
    def edit(image: Image.Image) -> Image.Image:
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        return image.resize(size, Image.Resampling.LANCZOS)

    return edit


def _jpeg(quality: int) -> Edit:
    def edit(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return edit


def _cropped(share: float) -> Edit:
    def edit(image: Image.Image) -> Image.Image:
        across, down = round(image.width * share / 2), round(image.height * share / 2)
        return image.crop((across, down, image.width - across, image.height - down))

    return edit


def _brighter(factor: float) -> Edit:
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


def _with_text(image: Image.Image) -> Image.Image:
    written = image.copy()
    font = ImageFont.load_default(size=max(8.0, image.width / 8))
    place = (image.width * 0.05, image.height * 0.4)
    ImageDraw.Draw(written).text(
        place, "SAMPLE TEXT", fill="white", font=font, stroke_width=2, stroke_fill="black"
    )
    return written


def _bordered(image: Image.Image) -> Image.Image:
    return ImageOps.expand(image, border=max(1, image.width // 16), fill="black")


def _rotated(image: Image.Image) -> Image.Image:
    return image.rotate(5, resample=Image.Resampling.BICUBIC)


def _transposed(how: Image.Transpose) -> Edit:
    return lambda image: image.transpose(how)


EDITS: Mapping[str, Edit] = MappingProxyType(
    {
        "resized to 1/2": _resized(0.5),
        "JPEG quality 30": _jpeg(30),
        "brightness × 1.3": _brighter(1.3),
        "brightness × 0.7": _brighter(0.7),
        "grey": lambda image: image.convert("L").convert("RGB"),
        "text over it": _with_text,
        "crop 5 %": _cropped(0.05),
        "crop 10 %": _cropped(0.10),
        "crop 20 %": _cropped(0.20),
        "border": _bordered,
        "rotated by 5°": _rotated,
        "flipped": _transposed(Image.Transpose.FLIP_LEFT_RIGHT),
        "quarter turn": _transposed(Image.Transpose.ROTATE_90),
    }
)


def posted_again(pixels: npt.NDArray[np.uint8], random: np.random.Generator) -> bytes:
    """A picture resized, moved by a pixel, brightened or darkened, and saved as JPEG.

    Args:
        pixels: Grey (height, width) or RGB (height, width, 3), 0 to 255.
        random: Where the choices come from.

    Returns:
        A JPEG file.
    """
    height, width = pixels.shape[:2]
    small = max(height, width) <= _SMALL
    factor = float(random.integers(_ENLARGE[0], _ENLARGE[1] + 1))
    factor = factor if small else float(random.uniform(*_RESIZE))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    resized = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    down, across = (int(step) for step in random.integers(-1, 2, size=2))
    rows = np.clip(np.arange(size[1]) - down, 0, size[1] - 1)
    columns = np.clip(np.arange(size[0]) - across, 0, size[0] - 1)
    lit = np.clip(resized[rows][:, columns] * random.uniform(*_GAIN), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    quality = int(random.integers(_QUALITY[0], _QUALITY[1] + 1))
    Image.fromarray(lit).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()
