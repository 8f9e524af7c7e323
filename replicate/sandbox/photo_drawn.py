"""A large local Flickr: tens of thousands of photos that are a table only, drawn when asked for.

Classes are of very different sizes, so that some searches have more results than can be paged and
others few. Planted besides, as shares of all photos (`SHARES`): ``hidden`` photos, which count in
totals and leave their place on a page empty; ``placeholder`` and ``gone`` ones; videos; photos
that are not safe; and ``burst``: uploads of hundreds of photos in one second.
"""

import csv
from pathlib import Path

import numpy as np

from replicate.base.images import encode_png
from replicate.base.randomness import stream
from replicate.sandbox.photo_texts import WORDS, describe

SHARES = {
    "hidden": 0.01,
    "placeholder": 0.01,
    "gone": 0.01,
    "video": 0.01,
    "unsafe": 0.01,
    "burst": 0.05,
}
BURST = 300  # photos that are uploaded in the same second
RATIO = 0.75  # each class has so many photos for each of the class before
_LEAST = 0.02  # of the largest class's share; so that none is empty


def drawn(photo_id: str) -> bytes:
    """The picture of one photo: 64×64 grey pixels, unlike any other's."""
    rng = stream(0, "drawn photo", photo_id)
    blocks = rng.integers(0, 256, size=(8, 8), dtype=np.uint8)
    return encode_png(np.kron(blocks, np.ones((8, 8), dtype=np.uint8)))


def make_drawn(out_dir: Path, seed: int, n_photos: int, ratio: float = RATIO) -> None:
    """Write the table of so many photos; the same seed and number give the same bytes.

    Args:
        out_dir: The folder; made if it is not there.
        seed: What the photos follow from.
        n_photos: How many, at least 10.
        ratio: How many photos a class has for each of the class before, in (0, 1].
    """
    rng = stream(seed, "drawn photos", n_photos)
    weights = ratio ** np.arange(len(WORDS)) + _LEAST
    names = sorted(WORDS, key=lambda name: (name == "0", name))  # whose photos have one word first
    classes = rng.choice(names, size=n_photos, p=weights / weights.sum())
    kinds = rng.choice(
        [*SHARES, "plain"], size=n_photos, p=[*SHARES.values(), 1 - sum(SHARES.values())]
    )
    out_dir.mkdir(parents=True, exist_ok=True)
    in_burst = 0
    moment: object = 0
    with (out_dir / "photos.csv").open("w", newline="", encoding="utf-8") as handle:
        writer: csv.DictWriter[str] | None = None
        for number, (tagged, kind) in enumerate(zip(classes, kinds, strict=True)):
            text = describe(str(tagged), n_photos, rng)
            if kind == "burst":
                moment = text["date_upload"] if in_burst % BURST == 0 else moment
                text["date_upload"] = moment
                in_burst += 1
            row = {
                "id": str(5_000_000_000 + 17 * number),
                "file": f"drawn/{5_000_000_000 + 17 * number}_{number:x}.png",
                "width": 1200,
                "height": 800,
                "status": kind if kind in ("hidden", "placeholder", "gone") else "drawn",
                "media": "video" if kind == "video" else "photo",
                "safety": 3 if kind == "unsafe" else 1,
                **text,
            }
            if writer is None:
                writer = csv.DictWriter(handle, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
