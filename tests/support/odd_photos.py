"""Real photographs that come with test packages, and odd files made of them."""

import io
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
