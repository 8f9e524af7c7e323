"""Which rows of a list a term finds: by class, or by whole words of tags and texts."""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable

_WORD = re.compile(r"\w+")


class Finder:
    """Rows by class, tags and words; a row is known by its place.

    A row that has a class is found by exactly that, in capitals or not. Any other is found by a
    term all of whose words are whole words of its tags or texts; and, as on Flickr, by a term that
    is one of its tags when written as one word (``sea snake``: ``seasnake``).
    """

    def __init__(self) -> None:
        self._classes: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._words: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._tags: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))

    def add_class(self, place: int, name: str) -> None:
        """A row's class."""
        self._classes[_plain(name)].append(place)

    def add_texts(self, place: int, texts: Iterable[str], tags: str) -> None:
        """A row's texts, and its tags: separated by semicolons or commas, else by spaces."""
        for word in _words(" ".join([*texts, tags])):
            self._words[word].append(place)
        for tag in {joined(tag) for tag in split_tags(tags)} - {""}:
            self._tags[tag].append(place)

    def find(self, term: str) -> list[int]:
        """The places of the rows that a term finds, in order."""
        found = {*self._classes.get(_plain(term), ()), *self._tags.get(joined(term), ())}
        words = sorted(_words(term), key=lambda word: len(self._words.get(word, ())))
        if words:
            common = set(self._words.get(words[0], ()))
            for word in words[1:]:
                common &= set(self._words.get(word, ()))
            found |= common
        return sorted(found)


def split_tags(text: str) -> list[str]:
    """The tags of a cell.

    >>> split_tags("sea snake; reef"), split_tags("sea snake reef")
    (['sea snake', 'reef'], ['sea', 'snake', 'reef'])
    """
    parts = re.split(r"[;,]", text) if re.search(r"[;,]", text) else text.split()
    return [part.strip() for part in parts if part.strip()]


def joined(tag: str) -> str:
    """A tag as Flickr compares tags: letters and digits only, all small.

    >>> joined("Sea-Snake")
    'seasnake'
    """
    return "".join(_WORD.findall(tag.casefold())).replace("_", "")


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _plain(value: str) -> str:
    return " ".join(value.casefold().split())
