"""Every image decoded once, every view cut from it: bytes on disk that models read in turn.

A pass holds the views of one shard of images: ``images × Σ height × width × 3`` bytes on disk
(memory-mapped, so that they take no memory of their own), and at any moment one decoded image a
thread. Decoding and resizing leave Python's lock, so threads share the work.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError
from replicate.zoo.pixels import odd_image, reference_rgb
from replicate.zoo.views import View, cut, cut_odd


def shard_length(views: Sequence[View], limit: int) -> int:
    """How many images a pass takes, so that its views stay within a limit of bytes; at least 1.

    >>> shard_length([View((10, 10), "none", (10, 10), "box")], 3_000)
    10
    """
    each = sum(view.size[0] * view.size[1] * 3 for view in views)
    return max(1, limit // max(each, 1))


@dataclass
class ViewCache:
    """The views of some images, on disk until closed.

    Attributes:
        folder: Where they lie.
        views: View → array of shape (images, height, width, 3); rows of failed images are black.
        failed: Place among the images → why it has no views.
    """

    folder: Path
    views: dict[View, npt.NDArray[np.uint8]]
    failed: dict[int, str]

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove the files."""
        self.views = {}
        shutil.rmtree(self.folder, ignore_errors=True)


def cut_views(
    read: Callable[[int], bytes],
    places: Sequence[int],
    views: Sequence[View],
    below: Path,
    threads: int = 1,
) -> ViewCache:
    """Decode some images and cut all their views.

    Args:
        read: Gives the bytes of an image by its place in the set.
        places: The images' places.
        views: What to cut; each once.
        below: The folder in which the cache makes one of its own.
        threads: How many decode at the same time.

    Returns:
        The cache; close it, or use it as a context manager.
    """
    below.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".views-", dir=below))
    try:
        arrays = {
            view: _array(folder / f"{i}.npy", (len(places), *view.size, 3))
            for i, view in enumerate(dict.fromkeys(views))
        }
        failed: dict[int, str] = {}

        def one(at: int) -> None:
            try:
                _cut_one(read(places[at]), arrays, at)
            except ItemError as error:
                failed[at] = error.reason
            except OSError:
                failed[at] = "file_missing"

        if threads <= 1:
            for at in range(len(places)):
                one(at)
        else:
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(one, range(len(places)), chunksize=8):
                    pass
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return ViewCache(folder, arrays, dict(sorted(failed.items())))


def _array(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Memory on disk, all of it reserved: a full disk is an error here, not a bus error later.

    Raises:
        OSError: There is no room for it.
    """
    made: npt.NDArray[np.uint8] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):  # macOS lacks it
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return made


def _cut_one(data: bytes, arrays: dict[View, npt.NDArray[np.uint8]], at: int) -> None:
    pixels = reference_rgb(data)
    odd = odd_image(data) if any(view.late for view in arrays) else None
    made = [
        cut_odd(odd, view) if view.late and odd is not None else cut(pixels, view)
        for view in arrays
    ]
    for array, view in zip(arrays.values(), made, strict=True):
        array[at] = view


def remove_leftovers(below: Path) -> None:
    """Remove caches that killed runs left behind."""
    for folder in below.glob(".views-*"):
        with suppress(OSError):
            shutil.rmtree(folder)
