import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

from replicate.base.errors import MissingError, UsageError
from replicate.sources import wordnet
from replicate.sources.wordnet import (
    GOLDFISH,
    DataNoun,
    LemmaTables,
    Synset,
    ancestors,
    find_wordnet,
    nearest_classes,
)

WNIDS = (ROOT / "pipelines" / "imagenet_v2" / "wnids.txt").read_text().split()
LINE = (
    b'01443537 05 n 02 goldfish 0 Carassius_auratus 0 001 @ 01439121 n 0000 | a fish; "it swam"  \n'
)


def _file(line: bytes = LINE, at: int = 1443537) -> bytes:
    return b"\n" * at + line


def test_a_synset_is_read_by_its_offset():
    found = DataNoun(io.BytesIO(_file()), "memory").synset(GOLDFISH)
    assert found == Synset(GOLDFISH, ("goldfish", "Carassius auratus"), "a fish", ("n01439121",))


@pytest.mark.parametrize("at", [1443536, 1443540, 0])
def test_another_version_is_refused_by_its_goldfish(at: int):
    with pytest.raises(UsageError, match=r"not WordNet 3\.0") as caught:
        DataNoun(io.BytesIO(_file(at=at)), "dict")
    assert "wordnet-base" in caught.value.hint


@pytest.mark.parametrize("wnid", ["n00000003", "n0144353", "v01443537", "", "n99999999"])
def test_what_is_no_wnid_is_said(wnid: str):
    with pytest.raises(UsageError, match="no noun of WordNet"):
        DataNoun(io.BytesIO(_file()), "memory").synset(wnid)


def test_an_empty_or_short_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATE_WORDNET", str(tmp_path))
    (tmp_path / "data.noun").write_bytes(b"short\n")
    with pytest.raises(UsageError, match=r"not WordNet 3\.0"):
        find_wordnet()
    (tmp_path / "data.noun").write_bytes(b"")
    with pytest.raises(UsageError, match="is empty"):
        find_wordnet()


def test_the_named_folder_comes_first(tmp_path, monkeypatch):
    (tmp_path / "data.noun").write_bytes(_file())
    monkeypatch.setenv("REPLICATE_WORDNET", str(tmp_path))
    assert find_wordnet().place == str(tmp_path / "data.noun")
    monkeypatch.setenv("REPLICATE_WORDNET", str(tmp_path / "empty"))
    with pytest.raises(MissingError, match=r"no data\.noun"):
        find_wordnet()


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No WordNet but what a test puts into the folder."""
    monkeypatch.setattr(wordnet, "_places", lambda: wordnet._files_in(tmp_path))
    monkeypatch.setattr(wordnet, "_timm_tables", lambda: None)
    return tmp_path


def test_no_wordnet_says_what_to_install(nowhere):
    with pytest.raises(MissingError, match="not on this machine") as caught:
        find_wordnet()
    assert "wordnet-base" in caught.value.hint


def test_a_newer_wordnet_is_refused_unless_there_is_another(nowhere, monkeypatch):
    (nowhere / "data.noun").write_bytes(_file(at=7))
    with pytest.raises(UsageError, match=r"not WordNet 3\.0"):
        find_wordnet()
    tables = nowhere / "tables"
    tables.mkdir()
    (tables / "imagenet_synset_to_lemma.txt").write_text("n01443537\tgoldfish, Carassius auratus\n")
    (tables / "imagenet_synset_to_definition.txt").write_text("n01443537\ta fish\n")
    monkeypatch.setattr(wordnet, "_timm_tables", lambda: tables)
    found = find_wordnet()
    assert isinstance(found, LemmaTables)
    assert found.synset(GOLDFISH) == Synset(GOLDFISH, ("goldfish", "Carassius auratus"), "a fish")
    assert nearest_classes(found, [GOLDFISH]) == {}


def test_nltks_archive_is_read(nowhere, monkeypatch):
    path = nowhere / "wordnet.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("wordnet/data.noun", _file())
    monkeypatch.setattr(wordnet, "_places", lambda: iter([path]))
    assert find_wordnet().synset(GOLDFISH).lemmas[0] == "goldfish"


@pytest.mark.zoo
def test_timms_tables_hold_the_classes_of_imagenet():
    tables = wordnet._timm_tables()
    assert tables is not None
    found = LemmaTables(tables)
    assert found.synset(GOLDFISH).lemmas == ("goldfish", "Carassius auratus")
    assert all(found.synset(wnid).gloss for wnid in WNIDS)


@pytest.mark.wordnet
def test_published_facts_of_imagenets_classes():
    nouns = find_wordnet()
    synsets = [nouns.synset(wnid) for wnid in WNIDS]
    assert nouns.synset(GOLDFISH).lemmas == ("goldfish", "Carassius auratus")
    assert nouns.synset(GOLDFISH).parents == ("n01439121",)
    assert nouns.synset("n01439121").lemmas[0] == "cyprinid"
    assert sum(len(each.parents) > 1 for each in synsets) == 38
    lemmas = [lemma for each in synsets for lemma in set(each.lemmas)]
    shared = {lemma for lemma in lemmas if lemmas.count(lemma) > 1}
    assert len(shared) == 18 and {"crane", "maillot", "panther"} <= shared
    assert all('"' not in each.gloss and each.gloss for each in synsets)


@pytest.mark.wordnet
def test_every_synset_above_a_class_leads_to_entity():
    nouns = find_wordnet()
    for wnid in WNIDS[::50]:
        steps = ancestors(nouns, wnid)
        assert steps[wnid] == 0 and "n00001740" in steps
        for each, count in steps.items():
            parents = nouns.synset(each).parents
            assert count == 0 or parents or each == "n00001740"
            assert all(steps[parent] <= count + 1 for parent in parents)


@pytest.mark.wordnet
def test_nearest_classes_are_known_ones():
    near = nearest_classes(find_wordnet(), WNIDS)
    assert len(near) == 1000 and all(near[wnid] != wnid for wnid in WNIDS)
    assert near["n02091134"] in ("n02091032",)  # whippet: Italian greyhound


class _Tree:
    """Made-up nouns: each number's parent is a smaller one."""

    place, has_parents = "made up", True

    def __init__(self, parents: list[tuple[int, ...]]) -> None:
        self._parents = parents

    def synset(self, wnid: str) -> Synset:
        return Synset(wnid, (wnid,), "", tuple(f"n{p}" for p in self._parents[int(wnid[1:])]))


@given(st.data())
def test_the_nearest_class_is_the_one_of_the_fewest_steps(data):
    n = data.draw(st.integers(2, 14))
    parents: list[tuple[int, ...]] = [()]
    for number in range(1, n):
        drawn = data.draw(st.lists(st.integers(0, number - 1), max_size=2, unique=True))
        parents.append(tuple(drawn))
    nouns = _Tree(parents)
    order = data.draw(st.permutations(range(n)))
    wnids = [f"n{number}" for number in order[: data.draw(st.integers(1, n))]]
    above = {wnid: ancestors(nouns, wnid) for wnid in wnids}

    def steps(one: str, other: str) -> int | None:
        common = above[one].keys() & above[other].keys()
        return min((above[one][each] + above[other][each] for each in common), default=None)

    found = nearest_classes(nouns, wnids)
    for wnid in wnids:
        options = {other: steps(wnid, other) for other in wnids if other != wnid}
        reachable = {other: count for other, count in options.items() if count is not None}
        if not reachable:
            assert wnid not in found
            continue
        best = min(reachable.values())
        assert found[wnid] == next(o for o in wnids if reachable.get(o) == best)


@pytest.mark.parametrize(
    ("gloss", "definition"),
    [
        ('a fish; "it swam"; "it ate"', "a fish"),
        ("lifts things; on a boom", "lifts things; on a boom"),
        ('a "quoted" word; more', 'a "quoted" word; more'),
    ],
)
def test_a_definition_is_a_gloss_without_examples(gloss: str, definition: str):
    assert wordnet._definition(gloss) == definition
