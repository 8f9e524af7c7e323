"""What people do to pictures, one thing at a time, each under its name and always the same."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

Edit = Callable[[Image.Image], Image.Image]


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
