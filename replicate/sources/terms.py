"""What to search for, for a class, and how a class's budget is split over its terms.

The queries of ImageNet's makers (Deng et al. 2009, section 3.1): every synonym; every synonym with
a word of a parent synset where that word occurs in the gloss; and translations. Recht et al. (2019)
also joined compounds ("seasnake") and picked terms by hand.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from replicate.base.errors import MissingError, UsageError
from replicate.sources.wordnet import Nouns, Synset, ancestors, nearest_classes

Origin = Literal["name", "parent", "compound", "translation", "own"]
Parents = Literal["never", "gloss", "always"]
_OMW = re.compile(r"(\d{8})-n\t(?:\w+:)?lemma\t(.+)")


@dataclass(frozen=True)
class Term:
    """One search term of a class.

    Attributes:
        text: What is asked for.
        origin: Where it comes from: one of the class's names, a name with a parent's word, a
            compound written as one word, a translation, or the pipeline file's own.
    """

    text: str
    origin: Origin


@dataclass(frozen=True)
class Rules:
    """How terms are made of wnids.

    Attributes:
        parents: When a parent's word is added to a name: never, where it occurs in the gloss, or
            always (the first name of each direct parent).
        compounds: Whether names of two words are also searched for as one word.
        disambiguate: Whether a name that several classes share is only searched for together
            with the parent's word.
        translations: Names in other languages, by wnid.
        own: Terms that replace all others of a class, by wnid.
        more: Terms that come after the others of a class, by wnid.
    """

    parents: Parents = "gloss"
    compounds: bool = True
    disambiguate: bool = False
    translations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    own: Mapping[str, Sequence[str]] = field(default_factory=dict)
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class NamedClass:
    """A class whose names come from WordNet.

    Attributes:
        wnid: Its id.
        name: Its first name.
        synonyms: Its other names.
        gloss: Its definition.
        terms: Its search terms, each once.
        similar: The nearest other class of the list; None if none is known.
        shared: Those of its names that other classes of the list have as well.
    """

    wnid: str
    name: str
    synonyms: tuple[str, ...]
    gloss: str
    terms: tuple[Term, ...]
    similar: str | None
    shared: tuple[str, ...]


def search_terms(name: str, synonyms: Sequence[str] = (), own: Sequence[str] = ()) -> list[Term]:
    """The search terms of a class that has names and no WordNet, each once, in order.

    Args:
        name: The class's name.
        synonyms: Its other names.
        own: Terms that the pipeline file gives; they replace the names.

    >>> [term.text for term in search_terms("goldfish", ["Carassius auratus", "Goldfish "])]
    ['goldfish', 'Carassius auratus']
    >>> search_terms("the digit 0", ["zero"], own=["zero"])
    [Term(text='zero', origin='own')]
    """
    if own:
        return _distinct(Term(text, "own") for text in own)
    return _distinct(Term(text, "name") for text in (name, *synonyms))


def source_terms(class_id: str, terms: Sequence[Term], by_class: bool) -> list[Term]:
    """What is asked of a source for a class.

    Args:
        class_id: The class.
        terms: Its search terms.
        by_class: Whether the source may file images under the class's id, which is then asked
            for first.

    >>> [term.text for term in source_terms("n01443537", [Term("goldfish", "name")], True)]
    ['n01443537', 'goldfish']
    """
    return _distinct([Term(class_id, "name"), *terms]) if by_class else list(terms)


def named_classes(nouns: Nouns, wnids: Sequence[str], rules: Rules) -> list[NamedClass]:
    """Names, definitions, search terms and nearest classes of a list of wnids.

    Args:
        nouns: WordNet.
        wnids: The classes, in order.
        rules: How terms are made.

    Raises:
        UsageError: A wnid is not WordNet's, or a rule names a class that is not in the list.
    """
    for what, table in (("terms", rules.own), ("more_terms", rules.more)):
        strange = sorted(set(table) - set(wnids))
        if strange:
            raise UsageError(
                f"[classes] {what} names {strange[0]}, which is not in the list of wnids.",
                "Correct the id, or leave it out.",
            )
    synsets = [nouns.synset(wnid) for wnid in wnids]
    owners: dict[str, set[str]] = defaultdict(set)
    for synset in synsets:
        for lemma in synset.lemmas:
            owners[lemma.casefold()].add(synset.wnid)
    nearest = nearest_classes(nouns, wnids)
    found = []
    for synset in synsets:
        shared = tuple(name for name in synset.lemmas if len(owners[name.casefold()]) > 1)
        terms = class_terms(nouns, synset, rules, shared)
        found.append(
            NamedClass(
                wnid=synset.wnid,
                name=synset.lemmas[0],
                synonyms=synset.lemmas[1:],
                gloss=synset.gloss,
                terms=tuple(terms),
                similar=nearest.get(synset.wnid),
                shared=shared,
            )
        )
    return found


def class_terms(
    nouns: Nouns, synset: Synset, rules: Rules, shared: Sequence[str] = ()
) -> list[Term]:
    """The search terms of one synset, by the rules, each once.

    Args:
        nouns: WordNet.
        synset: The class.
        rules: How terms are made.
        shared: Those of its names that other classes have as well.
    """
    if rules.own.get(synset.wnid):
        return _distinct(Term(text, "own") for text in rules.own[synset.wnid])
    parents = [nouns.synset(wnid).lemmas[0] for wnid in synset.parents]
    hidden = set(shared) if rules.disambiguate and parents else set()
    plain = [name for name in synset.lemmas if name not in hidden]
    terms = [Term(name, "name") for name in plain]
    above = _parent_words(nouns, synset, rules.parents)
    for name in synset.lemmas:
        words = parents if name in hidden else above
        terms += [Term(f"{name} {word}", "parent") for word in words if not _holds(name, word)]
    if rules.compounds:
        joined = [re.sub("[ -]", "", name) for name in plain if name.count(" ") == 1]
        terms += [Term(name, "compound") for name in joined]
    terms += [Term(text, "translation") for text in rules.translations.get(synset.wnid, ())]
    terms += [Term(text, "own") for text in rules.more.get(synset.wnid, ())]
    return _distinct(terms)


def split_budget(budget: int, n_terms: int) -> list[int]:
    """A budget split over terms as evenly as whole numbers allow; earlier terms get the rest.

    >>> split_budget(10, 3)
    [4, 3, 3]
    """
    share, rest = divmod(budget, n_terms)
    return [share + (place < rest) for place in range(n_terms)]


def read_wnids(path: Path) -> list[str]:
    """The wnids of a class list: one a line, in order; what follows a `#` or a space is ignored.

    Raises:
        MissingError: There is no such file.
        UsageError: A line is no wnid, or a wnid occurs twice, or there is none.
    """
    if not path.is_file():
        raise MissingError(
            f"There is no file {path}.", "[classes] wnids names it; it lies beside the pipeline."
        )
    found: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if not re.fullmatch(r"n\d{8}", words[0]):
            raise UsageError(
                f"{path}, line {number}: {words[0]!r} is no wnid.",
                "Write one WordNet 3.0 noun id a line, such as n01443537.",
            )
        if words[0] in found:
            raise UsageError(
                f"{path}, line {number}: {words[0]} stands on line {found[words[0]]} already.",
                "Leave one of them out: every class occurs once.",
            )
        found[words[0]] = number
    if not found:
        raise UsageError(f"{path} names no class.", "Write one wnid a line.")
    return list(found)


def read_translations(path: Path) -> dict[str, list[str]]:
    """Names by wnid from a tab file of the Open Multilingual Wordnet (noun lemmas).

    Raises:
        MissingError: There is no such file.
        UsageError: It holds no noun lemma.
    """
    if not path.is_file():
        raise MissingError(f"There is no file {path}.", "[classes] translations names it.")
    found: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _OMW.fullmatch(line.rstrip())
        if match:
            found[f"n{match[1]}"].append(" ".join(match[2].replace("_", " ").split()))
    if not found:
        raise UsageError(
            f"{path} holds no noun of the Open Multilingual Wordnet.",
            "Its lines look like: 01443537-n, a tab, lemma, a tab, the word.",
        )
    return dict(found)


def _parent_words(nouns: Nouns, synset: Synset, when: Parents) -> list[str]:
    if when == "never":
        return []
    if when == "always":
        return [nouns.synset(wnid).lemmas[0] for wnid in synset.parents]
    above = [wnid for wnid in ancestors(nouns, synset.wnid) if wnid != synset.wnid]
    words = (lemma for wnid in above for lemma in nouns.synset(wnid).lemmas)
    return [word for word in words if _holds(synset.gloss, word)]


def _holds(text: str, word: str) -> bool:
    """Whether a text has a word, or several words in a row, also in the plural."""
    return re.search(rf"\b{re.escape(word)}(?:s|es)?\b", text, re.IGNORECASE) is not None


def _distinct(terms: Iterable[Term]) -> list[Term]:
    found: dict[str, Term] = {}
    for term in terms:
        text = " ".join(term.text.split())
        if text:
            found.setdefault(text.casefold(), Term(text, term.origin))
    return list(found.values())
