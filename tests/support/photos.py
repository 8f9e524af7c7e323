"""Real photographs that come with test packages, and odd files made of them."""

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image


def imagenet_photos() -> list[tuple[Path, int]]:
    """Twenty photographs with their ImageNet class, 0 to 999 (in the file names of foolbox)."""
    found = find_spec("foolbox")
    assert found is not None and found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]) / "data"
    files = sorted(folder.glob("imagenet_*.jpg"))
    assert len(files) == 20
    return [(path, int(path.stem.rsplit("_", 1)[1])) for path in files]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def odd_files() -> dict[str, bytes]:
    """Files of every mode and shape that reference pipelines meet, from one photograph."""
    photo = Image.open(imagenet_photos()[0][0]).convert("RGB")
    small = photo.resize((83, 61), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = photo.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    deep = (np.asarray(photo.convert("L"), np.uint16) * 257)[:90, :120]
    return {
        "plain": saved(photo, "JPEG", quality=90),
        "444": saved(photo, "JPEG", quality=95, subsampling=0),
        "progressive": saved(photo, "JPEG", progressive=True),
        "portrait": saved(photo.rotate(90, expand=True).crop((0, 0, 150, 220)), "JPEG"),
        "tall": saved(photo.crop((0, 0, 60, 200)), "PNG"),
        "wide": saved(photo.crop((0, 0, 200, 31)), "PNG"),
        "tiny": saved(small.crop((0, 0, 9, 7)), "PNG"),
        "grey": saved(photo.convert("L"), "JPEG"),
        "cmyk": saved(photo.convert("CMYK"), "JPEG"),
        "turned": saved(photo, "JPEG", exif=exif),
        "palette": saved(small.convert("P"), "PNG", transparency=3),
        "alpha": saved(clear, "PNG"),
        "deep": saved(Image.fromarray(deep), "PNG"),
        "bits": saved(small.convert("1"), "PNG"),
        "gif": saved(small, "GIF"),
        "webp": saved(small, "WEBP"),
    }


# No two of them, nor of the ImageNet photos, show the same thing.
_SKIMAGE = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
    "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
    "motorcycle_left.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip


def photo_files() -> list[Path]:
    """36 photos: foolbox's 20 of ImageNet, scikit-image's and scikit-learn's own."""
    skimage, sklearn = find_spec("skimage"), find_spec("sklearn")
    assert skimage is not None and skimage.submodule_search_locations
    assert sklearn is not None and sklearn.submodule_search_locations
    samples = Path(sklearn.submodule_search_locations[0]) / "datasets" / "images"
    return [
        *(path for path, _ in imagenet_photos()),
        *(Path(skimage.submodule_search_locations[0]) / "data" / name for name in _SKIMAGE),
        *(samples / name for name in ("flower.jpg", "china.jpg")),
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
