"""Folders of small JPEGs, one folder a class, as users have them."""

from pathlib import Path

import numpy as np
from PIL import Image


def photo_folder(folder: Path, n: int, classes: int = 4, seed: int = 0) -> Path:
    """Write n coloured noise pictures of different shapes, class by class."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        target = folder / f"class{i % classes}" / f"photo{i:04d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        height, width = (int(side) for side in rng.integers(26, 60, 2))
        base = rng.integers(0, 200, 3) + rng.integers(0, 56, (height, width, 3))
        Image.fromarray(base.astype(np.uint8)).save(target, quality=90)
    return folder
