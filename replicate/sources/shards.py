"""The shards of a WebDataset: their names, and the samples in them, read without unpacking a file.

Only the tars' headers and the small members are read; an image is known by where it lies in its
shard. What is broken is skipped up to the next header that makes sense, and said.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from replicate.base.errors import MissingError, UsageError

IMAGES = frozenset({"jpg", "jpeg", "png", "webp", "gif", "bmp", "ppm", "pgm", "tif", "tiff"})
TEXTS = frozenset({"cls", "json", "txt"})
BLOCK = 512
MOST = 1 << 20  # bytes of a class, a text or a JSON that are read
_FORGET = 1000
_COMPRESSED = {b"\x1f\x8b": "gunzip", b"\x28\xb5": "unzstd", b"BZ": "bunzip2", b"\xfd7": "unxz"}

Place = tuple[int, int]


@dataclass
class Sample:
    """The members of a shard that have one key.

    Attributes:
        key: What their names share: all up to the first dot of the file's name.
        image: Offset and length of the first image; None: it has none.
        texts: Offset and length of ``cls``, ``json`` and ``txt``, as far as they are there.
    """

    key: str
    image: Place | None = None
    texts: dict[str, Place] = field(default_factory=dict)


def find_shards(pattern: Path) -> list[Path]:
    """The shards that a path means, in order.

    Args:
        pattern: A tar file, a folder of them, or a pattern with braces
            (``train-{000..146}.tar``, ``{train,val}.tar``) or ``*``.

    Raises:
        MissingError: There is none, or one that the braces name is not there.
    """
    if pattern.is_dir():
        found = sorted(pattern.rglob("*.tar"))
    else:
        found = []
        for name in expand(str(pattern)):
            path = Path(name)
            if "*" in name:
                found += sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
            elif path.is_file():
                found.append(path)
            else:
                raise MissingError(f"There is no shard {path}.", "[gather] path names it.")
    if not found:
        raise MissingError(
            f"There are no shards at {pattern}.",
            '[gather] path names tar files, such as "shards/train-{000..099}.tar", or a folder.',
        )
    return found


def expand(pattern: str) -> list[str]:
    """The names that a pattern with braces stands for, in order.

    >>> expand("a-{08..10}.tar"), expand("{x,y}{1..2}")
    (['a-08.tar', 'a-09.tar', 'a-10.tar'], ['x1', 'x2', 'y1', 'y2'])
    """
    parts: list[list[str]] = []
    for text in re.split(r"(\{[^{}]*\})", pattern):
        inside = text[1:-1] if text.startswith("{") and text.endswith("}") else None
        if inside is None:
            parts.append([text])
        elif numbers := re.fullmatch(r"(\d+)\.\.(\d+)", inside):
            first, last = int(numbers[1]), int(numbers[2])
            padded = any(len(end) > 1 and end[0] == "0" for end in numbers.groups())
            width = max(map(len, numbers.groups())) if padded else 0
            step = 1 if last >= first else -1
            parts.append([str(n).zfill(width) for n in range(first, last + step, step)])
        elif "," in inside:
            parts.append(inside.split(","))
        else:
            parts.append([text])
    return ["".join(choice) for choice in product(*parts)]


def read_samples(shard: Path, notes: list[str]) -> Iterator[Sample]:
    """The samples of a shard, in order.

    Args:
        shard: A tar file, not compressed.
        notes: Gets what a user should know of what is broken.

    Raises:
        UsageError: It is compressed.
    """
    with shard.open("rb") as handle:
        unpack = _COMPRESSED.get(handle.read(2))
        if unpack is not None:
            raise UsageError(
                f"{shard} is compressed: its members could only be read from its start.",
                f"Unpack it once: {unpack} {shard}",
            )
    current: Sample | None = None
    for name, place in _members(shard, notes):
        found = re.fullmatch(r"((?:.*/|)[^.]+)\.([^/]*)", name)
        if found is None:
            continue
        key, ending = found[1], found[2].rpartition(".")[2].lower()
        if current is None or current.key != key:
            if current is not None:
                yield current
            current = Sample(key)
        if ending in IMAGES:
            current.image = current.image or place
        elif ending in TEXTS:
            current.texts.setdefault(ending, place)
    if current is not None:
        yield current


def _members(shard: Path, notes: list[str]) -> Iterator[tuple[str, Place]]:
    """Names and places of a shard's files."""
    end = 0
    size = shard.stat().st_size
    try:
        # With ignore_zeros a header that makes no sense is passed over, block by block.
        with tarfile.open(shard, "r:", ignore_zeros=True) as tar, shard.open("rb") as raw:
            for number, member in enumerate(tar, 1):
                if _broken(raw.fileno(), end, member.offset):
                    notes.append(
                        f"{shard.name}: the bytes {end} to {member.offset} are no members of a "
                        "tar; what was there is lost."
                    )
                end = member.offset_data + -(-member.size // BLOCK) * BLOCK
                if member.isfile():
                    yield member.name, (member.offset_data, member.size)
                if number % _FORGET == 0:
                    tar.members = []  # type: ignore[attr-defined]
    except (tarfile.TarError, OSError, ValueError) as error:
        notes.append(f"{shard.name} is broken after {min(end, size)} bytes: {error}.")
        return
    with shard.open("rb") as raw:
        if _broken(raw.fileno(), end, size):
            notes.append(f"{shard.name}: what follows byte {end} is no tar.")


def _broken(handle: int, start: int, end: int) -> bool:
    """Whether there is something else than the zeros that fill a tar up."""
    import os

    return start < end and any(os.pread(handle, min(end - start, BLOCK), start))
