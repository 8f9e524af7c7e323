"""One side of a comparison: the hashes of everything that the user named for it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.duplicates.hash_files import HashSet, joined
from replicate.duplicates.hashing import UNKNOWN, require_comparable
from replicate.duplicates.listing import Listing, existing, list_folder, list_table

Hasher = Callable[[Sequence[str]], HashSet]


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        hashes: The hashes, with the names that results give them, and what could not be hashed.
        on_disk: For each, whether its image can be looked at, shape (n,).
        others: Files passed over because their name is none of an image, by ending.
    """

    hashes: HashSet
    on_disk: npt.NDArray[np.bool_]
    others: Counter[str]

    def __len__(self) -> int:
        return len(self.hashes)

    def some(self, places: npt.NDArray[np.int64]) -> "Side":
        """Some of its images, shape (m,), in that order."""
        return Side(self.hashes.some(places), self.on_disk[places], self.others)


def gather_side(paths: Sequence[str], hasher: Hasher, algorithm: str | None, bits: int) -> Side:
    """Read or make the hashes of folders, tables and hash files, in the order they are named.

    Args:
        paths: What the user named, one or more.
        hasher: Makes the hashes of image files.
        algorithm: Of bare files, as the user says it; None if he does not.
        bits: Of bare files.

    Raises:
        MissingError: There is nothing of that name.
        UsageError: A path is wrong, or hashes were made in different ways.
    """
    parts: list[HashSet] = []
    on_disk: list[npt.NDArray[np.bool_]] = []
    others: Counter[str] = Counter()
    for path in existing(paths):
        if path.suffix.lower() in (".npz", ".npy") and not path.is_dir():
            part = HashSet.read(path, algorithm, bits)
            bare = part.decoder == UNKNOWN
            there = [not bare and Path(name).is_file() for name in part.paths]
        else:
            listing = list_folder(path) if path.is_dir() else list_table(path)
            others += listing.others
            part = hasher(_some(listing, path))
            there = [True] * len(part)
        parts.append(part)
        on_disk.append(np.array(there, dtype=bool))
    for part in parts[1:]:
        comparable(parts[0], part)
    return Side(joined(parts), np.concatenate(on_disk), others)


def comparable(first: HashSet, second: HashSet) -> None:
    """Refuse to compare hashes that were made in different ways.

    For a bare file the user answers: only the algorithm and the length must agree.

    Raises:
        UsageError: They were.
    """
    if UNKNOWN not in (first.decoder, second.decoder):
        require_comparable(first.info, second.info)
    elif (first.algorithm, first.bits) != (second.algorithm, second.bits):
        raise UsageError(
            f"{first.algorithm} hashes of {first.bits} bits cannot be compared with "
            f"{second.algorithm} hashes of {second.bits}.",
            "Give --hash and --bits as the file's hashes were made.",
        )


def _some(listing: Listing, path: Path) -> list[str]:
    if not listing.files:
        passed = ", ".join(f"{n} {ending}" for ending, n in listing.others.most_common(3))
        raise UsageError(
            f"There are no images in {path}" + (f" (but {passed})." if passed else "."),
            "Name a folder of images, or a table with a column 'path'.",
        )
    return list(dict.fromkeys(listing.files))
