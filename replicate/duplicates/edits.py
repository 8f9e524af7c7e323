"""Near-duplicates made on purpose: what people do to a picture before they post it again."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

_SMALL = 64  # pictures up to this side are enlarged before they are posted
_ENLARGE = (4, 8)
_RESIZE = (0.5, 1.5)
_GAIN = (0.8, 1.2)
_QUALITY = (60, 95)


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
