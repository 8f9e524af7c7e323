"""Models' names as folders of published predictions spell them, and which of them are the same."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from replicate.base.errors import UsageError

_ENDINGS = (
    r"(predictions?|predicted|preds?|outputs?|results?|logits|scores|probs|top_?[15]|labels?|"
    r"correct|hits?)"
)


@dataclass(frozen=True)
class Matched:
    """How one folder's names fit the original's.

    Attributes:
        names: The folder's name → the name that is used.
        respelled: Those for which the two differ.
        unmatched: Names of this folder that the original lacks.
        missing: Names of the original that this folder lacks.
    """

    names: Mapping[str, str]
    respelled: Mapping[str, str]
    unmatched: tuple[str, ...]
    missing: tuple[str, ...]


def clean(stem: str) -> str:
    """A file's name without its type and what says only that it holds predictions.

    >>> clean("vgg16_keras_predictions"), clean("resnet-50.preds"), clean("predictions_vit")
    ('vgg16_keras', 'resnet-50', 'vit')
    """
    name = re.sub(rf"([._\- ]+{_ENDINGS})+$", "", stem.strip(), flags=re.IGNORECASE)
    name = re.sub(rf"^{_ENDINGS}[._\- ]+", "", name, flags=re.IGNORECASE)
    return name or stem


def _as_is(name: str, _side: Sequence[str] = ()) -> str:
    return name


def _unified(name: str, _side: Sequence[str] = ()) -> str:
    return re.sub(r"[\s_.\-/:+]+", "_", name.casefold()).strip("_")


def _collapsed(name: str, _side: Sequence[str] = ()) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.casefold())


def common_affixes(names: Sequence[str]) -> tuple[str, str]:
    """What all names begin and end with, up to a separator: usually the set's name.

    >>> common_affixes(["v2_resnet_18_val", "v2_resnet_50_val", "v2_vgg_val"])
    ('v2_', '_val')
    """
    if len(names) < 3:
        return "", ""
    words = [re.split(r"([_.\- ]+)", name) for name in names]
    start = end = 0
    shortest = min(len(row) for row in words)
    while start + 2 < shortest and len({tuple(row[: start + 2]) for row in words}) == 1:
        start += 2
    while end + 2 + start < shortest and len({tuple(row[-end - 2 :]) for row in words}) == 1:
        end += 2
    first = words[0]
    return "".join(first[:start]), "".join(first[len(first) - end :]) if end else ""


def match(
    original: Sequence[str], folder: Sequence[str], renames: Mapping[str, str] | None = None
) -> Matched:
    """Match a folder's names with the original's, from the strictest reading to the loosest.

    Equal names first; then without regard to case and kind of separator; then without
    separators; then without what all names of a folder have in common. A looser reading never
    joins what would be ambiguous.

    Args:
        original: The names in use.
        folder: The other folder's names.
        renames: Given by the user: a name of this folder → the name in use.

    >>> found = match(["resnet_50", "vgg"], ["ResNet-50", "alexnet"])
    >>> dict(found.respelled), found.unmatched, found.missing
    ({'ResNet-50': 'resnet_50'}, ('alexnet',), ('vgg',))
    """
    names: dict[str, str] = {}
    left, right = list(original), list(folder)
    for old, new in (renames or {}).items():
        if old in right:
            names[old] = new
            right.remove(old)
            if new in left:
                left.remove(new)
    ends = {id(side): common_affixes(side) for side in (original, folder)}

    def trimmed(name: str, side: Sequence[str]) -> str:
        before, after = ends[id(side)]
        return _collapsed(name.removeprefix(before).removesuffix(after))

    readings: list[Callable[[str, Sequence[str]], str]] = [_as_is, _unified, _collapsed, trimmed]
    for reading in readings:
        ours = _unique({name: reading(name, original) for name in left})
        theirs = _unique({name: reading(name, folder) for name in right})
        for key in [key for key in theirs if key in ours]:
            names[theirs[key]] = ours[key]
            left.remove(ours[key])
            right.remove(theirs[key])
    names |= {name: name for name in right}
    respelled = {old: new for old, new in names.items() if old != new}
    gone = [name for name in right if name not in original]
    return Matched(names, respelled, tuple(sorted(gone)), tuple(sorted(left)))


def _unique(keys: Mapping[str, str]) -> dict[str, str]:
    """Key → name, for keys that only one name has."""
    values = list(keys.values())
    return {key: name for name, key in keys.items() if key and values.count(key) == 1}


def nearest(name: str, among: Sequence[str]) -> str:
    """The name that is spelled most alike; empty if none is near.

    >>> nearest("resnet50_v1", ["resnet50", "vgg"])
    'resnet50'
    """
    folded = {_collapsed(other): other for other in among}
    found = difflib.get_close_matches(_collapsed(name), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def parse_renames(texts: Sequence[str]) -> dict[str, str]:
    """``OLD=NEW`` arguments.

    Raises:
        UsageError: One is not of that form.

    >>> parse_renames(["wrn-28=wide_resnet"])
    {'wrn-28': 'wide_resnet'}
    """
    renames = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (equals and old.strip() and new.strip()):
            raise UsageError(f"A rename has the form OLD=NEW, not {text!r}.")
        renames[clean(old.strip())] = new.strip()
    return renames
