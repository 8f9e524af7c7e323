"""Real photos that come with installed packages, cut into pieces."""

from functools import cache
from pathlib import Path

import foolbox
import skimage
import sklearn
from PIL import Image

# No two show the same thing.
_SKIMAGE = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
    "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
    "motorcycle_left.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip
_SKLEARN = ("flower.jpg", "china.jpg")


def photo_files() -> list[Path]:
    """36 photos: foolbox's 20 of ImageNet, scikit-image's and scikit-learn's own."""
    imagenet = Path(foolbox.__file__).parent / "data"
    folder = Path(skimage.__file__).parent / "data"
    samples = Path(sklearn.__file__).parent / "datasets" / "images"
    return [
        *sorted(imagenet.glob("imagenet_*.jpg")),
        *(folder / name for name in _SKIMAGE),
        *(samples / name for name in _SKLEARN),
    ]


@cache
def photo_tiles(side: int = 200) -> list[Image.Image]:
    """Squares that do not overlap, cut from the photos."""
    tiles = []
    for path in photo_files():
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        tiles += [
            image.crop((x, y, x + side, y + side))
            for y in range(0, image.height - side + 1, side)
            for x in range(0, image.width - side + 1, side)
        ]
    return tiles
