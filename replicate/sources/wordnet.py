"""WordNet 3.0's nouns: names, definitions and parents of wnids.

A wnid is the letter n and the byte offset of a synset's line in `data.noun` of WordNet 3.0
(Princeton's format, wndb(5WN)). Other versions have other offsets, so a file is believed only if
its goldfish is where 3.0's is. A synset is read by its offset: nothing is parsed that is not asked
for.
"""

import importlib.util
import io
import mmap
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from replicate.base.errors import MissingError, UsageError

VARIABLE = "REPLICATE_WORDNET"
GOLDFISH = "n01443537"
_WNID = re.compile(r"n\d{8}\Z")
_HYPERNYMS = ("@", "@i")
_NLTK = ("corpora/wordnet", "corpora/wordnet.zip")


@dataclass(frozen=True)
class Synset:
    """One WordNet concept.

    Attributes:
        wnid: Its id.
        lemmas: Its names in WordNet's order, with spaces; at least one.
        gloss: Its definition, without the examples.
        parents: The wnids of its hypernyms; most have one.
    """

    wnid: str
    lemmas: tuple[str, ...]
    gloss: str
    parents: tuple[str, ...] = ()


class Nouns(Protocol):
    """Where synsets are looked up."""

    @property
    def place(self) -> str:
        """Where it was read from, for people."""
        ...

    @property
    def has_parents(self) -> bool:
        """Whether it knows hypernyms."""
        ...

    def synset(self, wnid: str) -> Synset:
        """The synset of a wnid.

        Raises:
            UsageError: It is no wnid of WordNet 3.0's nouns.
        """
        ...


class DataNoun:
    """`data.noun` of WordNet 3.0.

    Args:
        file: The open file.
        place: Where it is, for messages.

    Raises:
        UsageError: It is not that of WordNet 3.0.
    """

    has_parents = True

    def __init__(self, file: BinaryIO | mmap.mmap, place: str) -> None:
        self.place = place
        self._file = file
        self._known: dict[str, Synset] = {}
        line = self._line(GOLDFISH)
        if line is None or b" goldfish " not in line:
            raise UsageError(
                f"{place} is not WordNet 3.0: its goldfish is not at {GOLDFISH[1:]}. "
                "ImageNet's wnids are offsets of version 3.0; in 3.1 they mean other things.",
                "Install version 3.0 (Debian: apt install wordnet-base), or name a folder that "
                f"holds its data.noun: export {VARIABLE}=DIR",
            )

    def synset(self, wnid: str) -> Synset:
        """The synset of a wnid."""
        found = self._known.get(wnid)
        if found is None:
            line = self._line(wnid) if _WNID.match(wnid) else None
            if line is None:
                raise _unknown(wnid, self.place)
            found = self._known[wnid] = _parsed(wnid, line.decode("utf-8"))
        return found

    def _line(self, wnid: str) -> bytes | None:
        offset = wnid[1:].encode()
        try:
            self._file.seek(int(offset))
        except ValueError:  # beyond the end of a mapped file
            return None
        line = self._file.readline()
        return line if line.startswith(offset + b" ") else None


class LemmaTables:
    """The tables of names and definitions that timm's wheel holds: no parents.

    Args:
        folder: The folder of `imagenet_synset_to_lemma.txt` and `…_definition.txt`.
    """

    has_parents = False

    def __init__(self, folder: Path) -> None:
        self.place = str(folder)
        self._lemmas = _table(folder / "imagenet_synset_to_lemma.txt")
        self._glosses = _table(folder / "imagenet_synset_to_definition.txt")

    def synset(self, wnid: str) -> Synset:
        """The synset of a wnid, without parents."""
        if wnid not in self._lemmas:
            raise _unknown(wnid, self.place)
        names = [_tidy(name) for name in self._lemmas[wnid].split(",")]
        return Synset(wnid, tuple(name for name in names if name), self._glosses.get(wnid, ""))


def find_wordnet() -> Nouns:
    """WordNet 3.0 from the first place that has it.

    The places: the folder that REPLICATE_WORDNET names; Debian's and other systems' dictionaries;
    NLTK's data; the tables inside timm, if it is installed, which have no parents.

    Raises:
        MissingError: There is none.
        UsageError: What REPLICATE_WORDNET names is not WordNet 3.0, or no other is.
    """
    named = os.environ.get(VARIABLE)
    if named:
        for path in _files_in(Path(named)):
            return _opened(path)
        raise MissingError(
            f"{VARIABLE} names {named}, but there is no data.noun in it.",
            "Name the folder that holds WordNet 3.0's data.noun.",
        )
    refused: UsageError | None = None
    for path in _places():
        try:
            return _opened(path)
        except UsageError as error:
            refused = refused or error
    tables = _timm_tables()
    if tables is not None:
        return LemmaTables(tables)
    if refused is not None:
        raise refused
    raise MissingError(
        "WordNet 3.0 is not on this machine; wnids are looked up in it.",
        "Install it (Debian: apt install wordnet-base), or name a folder that holds its "
        f"data.noun: export {VARIABLE}=DIR",
    )


def ancestors(nouns: Nouns, wnid: str) -> dict[str, int]:
    """A synset and everything above it, with the least number of steps up to each.

    Args:
        nouns: WordNet.
        wnid: The synset; it is among its ancestors, with 0 steps.
    """
    steps = {wnid: 0}
    level = [wnid]
    while level:
        above: list[str] = []
        for each in level:
            for parent in nouns.synset(each).parents:
                if parent not in steps:
                    steps[parent] = steps[each] + 1
                    above.append(parent)
        level = above
    return steps


def nearest_classes(nouns: Nouns, wnids: Sequence[str]) -> dict[str, str]:
    """For each class the nearest other one: the fewest steps up and down through hypernyms.

    Of equally near ones the first in the list is taken. This is where negative controls come
    from: "the WordNet-nearest other class" of the paper.

    Args:
        nouns: WordNet.
        wnids: The classes, in order.

    Returns:
        The nearest class of each; nothing for classes that share no ancestor with another, and
        nothing at all where parents are not known.
    """
    if not nouns.has_parents:
        return {}
    above = {wnid: ancestors(nouns, wnid) for wnid in wnids}
    # Of each ancestor the two classes that are nearest below it: one of them is not the asker.
    below: dict[str, list[tuple[int, int, str]]] = {}
    for place, wnid in enumerate(wnids):
        for ancestor, steps in above[wnid].items():
            nearest = below.setdefault(ancestor, [])
            nearest.append((steps, place, wnid))
            nearest.sort()
            del nearest[2:]
    found = {}
    for wnid in wnids:
        options = [
            (steps + down, place, other)
            for ancestor, steps in above[wnid].items()
            for down, place, other in below[ancestor]
            if other != wnid
        ]
        if options:
            found[wnid] = min(options)[2]
    return found


def _parsed(wnid: str, line: str) -> Synset:
    """A line of data.noun: offset, file, type, words with ids, pointers, and the gloss."""
    data, _, text = line.partition(" | ")
    fields = data.split()
    n_words = int(fields[3], 16)
    words = fields[4 : 4 + 2 * n_words : 2]
    pointers = fields[5 + 2 * n_words :]
    parents = [
        f"n{target}"
        for symbol, target, part in zip(pointers[::4], pointers[1::4], pointers[2::4], strict=False)
        if symbol in _HYPERNYMS and part == "n"
    ]
    return Synset(wnid, tuple(_tidy(word) for word in words), _definition(text), tuple(parents))


def _definition(gloss: str) -> str:
    """A gloss without its examples, which stand in quotation marks after a semicolon."""
    return re.split(r';\s*"', gloss.strip(), maxsplit=1)[0].rstrip("; ")


def _tidy(word: str) -> str:
    return " ".join(word.replace("_", " ").split())


def _unknown(wnid: str, place: str) -> UsageError:
    return UsageError(
        f"{wnid!r} is no noun of WordNet 3.0 (looked up in {place}).",
        f"Wnids look like {GOLDFISH}: n and eight digits. Correct the file of [classes] wnids.",
    )


def _table(path: Path) -> dict[str, str]:
    rows = (line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}


def _places() -> Iterator[Path]:
    system = [Path("/usr/share/wordnet"), Path("/usr/local/WordNet-3.0/dict")]
    system += [Path("/usr/share/wordnet-3.0/dict"), Path("/opt/homebrew/opt/wordnet/dict")]
    nltk = [Path(part) for part in os.environ.get("NLTK_DATA", "").split(os.pathsep) if part]
    nltk += [Path.home() / "nltk_data"]
    nltk += [Path(sys.prefix) / part for part in ("nltk_data", "share/nltk_data", "lib/nltk_data")]
    nltk += [Path(root) / "nltk_data" for root in ("/usr/share", "/usr/local/share", "/usr/lib")]
    for folder in system:
        yield from _files_in(folder)
    for folder in nltk:
        for part in _NLTK:
            yield from _files_in(folder / part)


def _files_in(place: Path) -> Iterator[Path]:
    for path in (place, place / "data.noun", place / "dict" / "data.noun"):
        if path.is_file():
            yield path
            return


def _opened(path: Path) -> DataNoun:
    if path.suffix != ".zip":
        if not path.stat().st_size:
            raise UsageError(f"{path} is empty.", f"export {VARIABLE}=DIR")
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return DataNoun(mapped, str(path))
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.endswith("data.noun")), None)
        if name is None:
            raise UsageError(f"{path} holds no data.noun.", f"export {VARIABLE}=DIR")
        return DataNoun(io.BytesIO(archive.read(name)), f"{path}: {name}")


def _timm_tables() -> Path | None:
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "data" / "_info"
    return folder if (folder / "imagenet_synset_to_lemma.txt").is_file() else None
