"""A WebDataset of tar files as a source of candidates: nothing is unpacked, nothing copied.

A sample is what the members of one key say: its image; its class, from ``.cls`` or from ``.json``
(``class``, ``cls``, ``wnid`` or ``label``); its texts, from ``.json`` and ``.txt``. A sample with a
class is found by exactly that, any other by the words of its texts.
"""

import json
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

from replicate.base.errors import UsageError
from replicate.sources.flickr_photos import plain_text
from replicate.sources.local_files import part_address
from replicate.sources.matching import Finder, split_tags
from replicate.sources.records import Photo, QueryPage, Window
from replicate.sources.shards import MOST, Place, Sample, find_shards, read_samples

CLASSES = ("class", "class_id", "wnid", "cls", "label")
TEXTS = ("title", "text", "caption", "description")
OWNERS = ("owner", "owner_name", "author", "photographer")
_NONE = -1


class WebDatasetSource:
    """The samples of tar files. A candidate's id is its shard's name and its key.

    Args:
        pattern: The shards: a tar, a folder of them, or a pattern with braces or ``*``.
        search_in: Whether terms are looked for in tags only, or in all texts.
        per_page: Samples a page.

    Raises:
        MissingError: There are no such shards.
        UsageError: A shard is compressed, or there is no sample that could be found.
    """

    name = "webdataset"
    local = by_class = True
    filters: frozenset[str] = frozenset()

    def __init__(
        self, pattern: Path, search_in: Literal["tags", "text"] = "text", per_page: int = 500
    ) -> None:
        self._shards = [path.resolve() for path in find_shards(pattern)]
        self._root = Path(*_common(self._shards))
        self.base = self._root.as_uri()
        self.notes: list[str] = []
        self._per_page = per_page
        self._tags_only = search_in == "tags"
        self._finder = Finder()
        self._keys: list[str] = []
        # Shard, then offset and length of image, json and txt: eight bytes a number.
        self._places = array("q")
        self._open = ExitStack()
        self._files: dict[int, BinaryIO] = {}
        self._read_all()

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        """See `replicate.sources.registry.Source`; samples come in the shards' order."""
        found = self._finder.find(term) if window is None else []
        size = self._per_page
        pages = [found[start : start + size] for start in range(0, len(found), size)]
        for number, page in enumerate(pages or [[]], start=1):
            photos = tuple(self._photo(place) for place in page)
            yield QueryPage(term, window, number, len(found), len(page), len(page), photos)

    def _read_all(self) -> None:
        seen: set[str] = set()
        nameless = 0
        for number, shard in enumerate(self._shards):
            name = shard.relative_to(self._root).with_suffix("").as_posix()
            for sample in read_samples(shard, self.notes):
                key = f"{name}/{sample.key}"
                if key in seen:
                    self.notes.append(f"{shard.name}: the key {sample.key} occurs twice.")
                    continue
                seen.add(key)
                nameless += not self._add(number, key, sample)
        if nameless:
            self.notes.append(
                f"{nameless} samples have neither class nor text and cannot be found."
            )
        if nameless == len(self._keys):
            raise UsageError(
                f"No sample in {len(self._shards)} shards has a class or a text.",
                "Each needs a .cls, .json or .txt beside its image, with the same key.",
            )

    def _add(self, shard: int, key: str, sample: Sample) -> bool:
        """Keep a sample; whether there is anything that it can be found by."""
        place = len(self._keys)
        self._keys.append(key)
        self._places.append(shard)
        for part in (sample.image, sample.texts.get("json"), sample.texts.get("txt")):
            self._places.extend(part or (_NONE, _NONE))
        facts = self._facts(shard, sample.texts.get("json"))
        named = self._text(shard, sample.texts.get("cls")) or _first(facts, CLASSES)
        if named:
            self._finder.add_class(place, named)
            return True
        texts = [self._text(shard, sample.texts.get("txt"))]
        texts += [plain_text(facts.get(name)) for name in TEXTS]
        tags = _tags(facts)
        self._finder.add_texts(place, [] if self._tags_only else texts, tags)
        return bool(tags or (not self._tags_only and any(texts)))

    def _photo(self, place: int) -> Photo:
        shard, *numbers = self._places[7 * place : 7 * place + 7]
        image, facts_at, text_at = (
            None if first == _NONE else (first, length)
            for first, length in zip(numbers[::2], numbers[1::2], strict=True)
        )
        facts = self._facts(shard, facts_at)
        # A sample whose image was lost is a candidate that fails, not one that is passed over.
        return Photo(
            id=self._keys[place],
            owner_name=_first(facts, OWNERS),
            title=_first(facts, TEXTS) or self._text(shard, text_at)[:300],
            licence=_first(facts, ("licence", "license")),
            page_url=_first(facts, ("page_url", "url", "source_url")),
            tags=tuple(split_tags(_tags(facts))),
            urls={"url_o": part_address(self._shards[shard], *(image or (0, 0)))},
        )

    def _facts(self, shard: int, place: Place | None) -> dict[str, Any]:
        try:
            found = json.loads(self._text(shard, place) or "{}")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _text(self, shard: int, place: Place | None) -> str:
        if place is None:
            return ""
        if shard not in self._files:
            # One shard at a time: there may be more of them than files may be open.
            self._open.close()
            self._files = {shard: self._open.enter_context(self._shards[shard].open("rb"))}
        handle = self._files[shard]
        handle.seek(place[0])
        return plain_text(handle.read(min(place[1], MOST)).decode("utf-8", "replace")).strip()

    def close(self) -> None:
        """Close the shard that was read last."""
        self._open.close()
        self._files = {}

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()


def _common(paths: list[Path]) -> tuple[str, ...]:
    """What the folders of all paths share."""
    shared = paths[0].parent.parts
    for path in paths[1:]:
        length = next(
            (n for n, (a, b) in enumerate(zip(shared, path.parent.parts, strict=False)) if a != b),
            min(len(shared), len(path.parent.parts)),
        )
        shared = shared[:length]
    return shared


def _first(facts: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := plain_text(facts.get(name)).strip())), "")


def _tags(facts: dict[str, Any]) -> str:
    tags = facts.get("tags")
    if isinstance(tags, list):
        return "".join(f"{plain_text(tag)};" for tag in tags)
    return plain_text(tags)
