"""Hashes of many image files: a shard at a time, in several processes, carried on after a kill.

A shard is a thousand files. Its hashes depend on its files alone, so that processes or Ray's
workers give the same as one process would. Every finished shard is a file in a folder that the
caller names; killed at any moment, the next call takes up those whose images have not changed
since, and ends in the same bytes.

Memory: this process holds, beside the names that it is handed, for each image a reference to its
name (8 bytes), 8 bytes for every 64 bits of hash and 4 for its structure (where asked for, seven
hashes more and 32 bytes a digest), twice over while the parts are joined: 40 bytes an image for
plain hashes of 64 bits, 40 MB a million, and some 10 MB while the names are written. A worker
holds one decoded image (5 bytes a pixel) and a shard's results.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError, UsageError
from replicate.base.executors import run
from replicate.base.fast_grey import grey_values, luma_values
from replicate.base.images import decode, grey
from replicate.base.resample import resize
from replicate.duplicates.hash_files import HashSet, joined
from replicate.duplicates.hashing import (
    Words,
    current_info,
    empty_hashes,
    image_hash,
    low_frequencies,
    phash_low,
    structure,
)
from replicate.duplicates.transforms import turned_hashes

Pixels = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]

SHARD = 1000  # files
_FEW = 200  # so many images are hashed before the compiler has been loaded
_BATCH = 250  # images whose frequencies are worked out together


@dataclass(frozen=True)
class Recipe:
    """What is made of each image.

    Attributes:
        algorithm: One of `replicate.duplicates.hashing.ALGORITHMS`.
        bits: 64 or 256.
        turned: Whether the hashes of flips and quarter turns are kept too (pHashes only).
        file_digests: Whether the SHA-256 of each file is.
        pixel_digests: Whether the SHA-256 of each image's size and pixels is.
    """

    algorithm: str = "phash"
    bits: int = 64
    turned: bool = False
    file_digests: bool = False
    pixel_digests: bool = False

    def __post_init__(self) -> None:
        current_info(self.bits, self.algorithm)
        if self.turned and not self.algorithm.startswith("phash"):
            raise UsageError(
                f"{self.algorithm} has no hashes of flips and turns.", "Use phash or phash-fast."
            )


@dataclass(frozen=True)
class _One:
    """What is kept of an image until its shard is done."""

    resized: Pixels
    words: Words | None
    digests: dict[str, bytes]


def hash_paths(
    paths: Sequence[str],
    recipe: Recipe | None = None,
    *,
    processes: int = 1,
    executor: str = "local",
    keep: Path | None = None,
    progress: Progress | None = None,
) -> HashSet:
    """Hash image files.

    Args:
        paths: The files, each named once.
        recipe: What is made of each; left out, a pHash of 64 bits.
        processes: How many work at a time.
        executor: ``local`` or ``ray``, see `replicate.base.executors.run`.
        keep: A folder for finished shards, which a later call takes up; the caller removes it
            once the result is safe.
        progress: Told how many files are done, and of how many.

    Returns:
        The hashes in the order of the paths; files that cannot be hashed are in ``failed``, with
        a reason: those of `replicate.base.images.decode`, ``missing``, ``unreadable``.
    """
    recipe = recipe or Recipe()
    few = len(paths) <= _FEW
    work = partial(hash_shard, recipe, keep, few)
    shards = (paths[start : start + SHARD] for start in range(0, len(paths), SHARD))
    parts, done = [_empty(recipe)], 0
    for part in run(work, shards, executor, 1 if few and executor == "local" else processes):
        shard = paths[done : done + SHARD]
        # The names as they are here: another process has sent further copies of them.
        parts.append(replace(part, paths=[path for path in shard if path not in part.failed]))
        done += len(shard)
        if progress is not None:
            progress(done, len(paths))
    return joined(parts)


def hash_shard(recipe: Recipe, keep: Path | None, few: bool, paths: Sequence[str]) -> HashSet:
    """Hash some files, or take up what an earlier call made of the same ones.

    Args:
        recipe: What is made of each.
        keep: Where finished shards are.
        few: Whether there are so few images that the compiler would take longer to load.
        paths: The files.
    """
    if keep is None:
        return _hashed(recipe, few, paths)
    info = current_info(recipe.bits, recipe.algorithm).as_dict()
    state = digest_value([asdict(recipe), info, [(path, _state(path)) for path in paths]])
    kept = keep / f"{state}.npz"
    if kept.exists():
        try:
            return HashSet.read(kept)
        except UsageError:  # a disk that was full: made again
            kept.unlink()
    made = _hashed(recipe, few, paths)
    made.write(kept)
    return made


def _state(path: str) -> list[int]:
    """What says that a file has changed: its size, and when it was written."""
    try:
        status = Path(path).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _hashed(recipe: Recipe, few: bool, paths: Sequence[str]) -> HashSet:
    failed: dict[str, str] = {}
    parts = [_empty(recipe)]
    for start in range(0, len(paths), _BATCH):
        good, made = [], []
        for path in paths[start : start + _BATCH]:
            try:
                made.append(_look(recipe, few, path))
                good.append(path)
            except ItemError as error:
                failed[path] = error.reason
        if good:
            parts.append(_finished(recipe, good, made))
    return replace(joined(parts), failed=failed)


def _look(recipe: Recipe, few: bool, path: str) -> _One:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ItemError("missing", f"there is no file {path}") from error
    except OSError as error:
        raise ItemError("unreadable", f"{path} cannot be read: {error.strerror}") from error
    try:
        return _made(recipe, few, data)
    except (ItemError, MemoryError):
        raise
    except Exception as error:  # one odd file of a million must not end the work
        raise ItemError("not_an_image", f"{path} cannot be decoded: {error}") from error


def _made(recipe: Recipe, few: bool, data: bytes) -> _One:
    digests: dict[str, bytes] = {}
    words = None
    if recipe.file_digests:
        digests["file_digest"] = hashlib.sha256(data).digest()
    hashed_whole = not recipe.algorithm.startswith("phash")
    if recipe.pixel_digests or hashed_whole:
        image = decode(data)
        if recipe.pixel_digests:
            size = f"{image.mode} {image.width} {image.height}\n".encode()
            digests["pixel_digest"] = hashlib.sha256(size + image.tobytes()).digest()
        if hashed_whole:
            words = image_hash(image, recipe.bits, recipe.algorithm)
    if recipe.algorithm == "phash-fast":
        values = luma_values(data)
    elif recipe.pixel_digests or hashed_whole or few:
        values = grey(image if recipe.pixel_digests or hashed_whole else decode(data))
    else:
        values = grey_values(data)
    side = 32 if hashed_whole else _side(recipe) * 4
    if few:
        small = Image.fromarray(values).resize((side, side), Image.Resampling.LANCZOS)
        return _One(np.asarray(small), words, digests)
    return _One(resize(values, (side, side)), words, digests)


def _side(recipe: Recipe) -> int:
    return int(recipe.bits**0.5)


def _finished(recipe: Recipe, paths: list[str], made: list[_One]) -> HashSet:
    resized = np.stack([one.resized for one in made])
    whole = [one.words for one in made if one.words is not None]
    low = low_frequencies(resized, 8 if whole else _side(recipe))
    extras: dict[str, Any] = {
        name: np.frombuffer(b"".join(one.digests[name] for one in made), np.uint8).reshape(-1, 32)
        for name in made[0].digests
    }
    if recipe.turned:
        extras["turned"] = turned_hashes(low)
    info = current_info(recipe.bits, recipe.algorithm)
    return HashSet(
        paths,
        np.concatenate(whole) if whole else phash_low(low),
        recipe.algorithm,
        recipe.bits,
        info.decoder,
        info.versions,
        structure=structure(low, resized.shape[1]),
        **extras,
    )


def _empty(recipe: Recipe) -> HashSet:
    """No image's hashes: what a set begins with, so that an empty one has all its arrays."""
    info = current_info(recipe.bits, recipe.algorithm)
    words = () if recipe.bits == 64 else (4,)
    nothing = np.zeros((0, 32), np.uint8)
    return HashSet(
        [],
        empty_hashes(0, recipe.bits),
        recipe.algorithm,
        recipe.bits,
        info.decoder,
        info.versions,
        structure=np.zeros(0, np.float32),
        turned=np.zeros((0, 7, *words), np.uint64) if recipe.turned else None,
        file_digest=nothing if recipe.file_digests else None,
        pixel_digest=nothing if recipe.pixel_digests else None,
    )
