import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

from replicate.base.errors import MissingError, UsageError
from replicate.sources.terms import (
    Rules,
    Term,
    named_classes,
    read_translations,
    read_wnids,
    search_terms,
    split_budget,
)
from replicate.sources.wordnet import Synset, find_wordnet

IMAGENET = ROOT / "pipelines" / "imagenet_v2" / "wnids.txt"


class Small:
    """Five made-up synsets: two kinds of crane, and what is above them."""

    place, has_parents = "made up", True
    known = (
        Synset("n00000001", ("bird",), "has feathers"),
        Synset("n00000002", ("lifting device", "lifter"), "lifts"),
        Synset("n00000003", ("crane",), "wading birds of marshes", ("n00000001",)),
        Synset("n00000004", ("crane", "tower crane"), "a device", ("n00000002",)),
        Synset("n00000005", ("sea-green bird", "Avis"), "no bird at all", ("n00000001",)),
    )

    def synset(self, wnid: str) -> Synset:
        return next(each for each in self.known if each.wnid == wnid)


CLASSES = ["n00000003", "n00000004", "n00000005"]


def _texts(rules: Rules) -> list[list[str]]:
    return [[term.text for term in each.terms] for each in named_classes(Small(), CLASSES, rules)]


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_a_split_budget_adds_up_and_is_even(budget: int, n_terms: int):
    shares = split_budget(budget, n_terms)
    assert sum(shares) == budget
    assert len(shares) == n_terms
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@given(st.text(), st.lists(st.text()))
def test_no_term_is_empty_or_occurs_twice(name: str, synonyms: list[str]):
    terms = [term.text for term in search_terms(name, synonyms)]
    folded = [term.casefold() for term in terms]
    assert len(set(folded)) == len(folded)
    assert all(term and term == " ".join(term.split()) for term in terms)


def test_own_terms_replace_the_names():
    assert search_terms("goldfish", ["carp"], ["koi"]) == [Term("koi", "own")]
    assert [t.origin for t in search_terms("goldfish", ["carp"])] == ["name", "name"]


def test_a_parents_word_is_added_where_the_gloss_holds_it():
    assert _texts(Rules(compounds=False)) == [
        ["crane", "crane bird"],  # "birds" in the gloss is the word bird
        ["crane", "tower crane"],
        ["sea-green bird", "Avis", "Avis bird"],  # not "bird bird"
    ]


def test_a_parents_word_is_added_always_or_never():
    assert _texts(Rules(parents="always", compounds=False))[1] == [
        "crane",
        "tower crane",
        "crane lifting device",
        "tower crane lifting device",
    ]
    assert _texts(Rules(parents="never", compounds=False))[0] == ["crane"]


def test_compounds_are_joined():
    assert _texts(Rules(parents="never"))[1:] == [
        ["crane", "tower crane", "towercrane"],
        ["sea-green bird", "Avis", "seagreenbird"],
    ]


def test_shared_names_are_pointed_out_or_told_apart():
    plain = named_classes(Small(), CLASSES, Rules())
    assert [each.shared for each in plain] == [("crane",), ("crane",), ()]
    apart = _texts(Rules(disambiguate=True, parents="never", compounds=False))
    assert apart[:2] == [["crane bird"], ["tower crane", "crane lifting device"]]


def test_translations_and_hand_picked_terms():
    rules = Rules(
        parents="never",
        compounds=False,
        translations={"n00000003": ["grulla", "Crane"]},
        own={"n00000004": ["building site crane"]},
        more={"n00000003": ["red-crowned crane"]},
    )
    one, two, _ = named_classes(Small(), CLASSES, rules)
    assert one.terms == (
        Term("crane", "name"),
        Term("grulla", "translation"),
        Term("red-crowned crane", "own"),
    )
    assert two.terms == (Term("building site crane", "own"),)
    with pytest.raises(UsageError, match="n00000001"):
        named_classes(Small(), CLASSES, Rules(own={"n00000001": ["bird"]}))


def test_the_nearest_class_is_the_one_for_negative_controls():
    one, two, three = named_classes(Small(), CLASSES, Rules())
    assert (one.similar, two.similar, three.similar) == ("n00000005", None, "n00000003")


@pytest.mark.wordnet
def test_the_papers_rules_on_imagenets_classes():
    classes = {
        each.wnid: each for each in named_classes(find_wordnet(), read_wnids(IMAGENET), Rules())
    }
    # The example of ImageNet's makers (Deng et al. 2009): whippet dog, whippet greyhound.
    whippet = {term.text: term.origin for term in classes["n02091134"].terms}
    assert whippet == {"whippet": "name", "whippet greyhound": "parent", "whippet dog": "parent"}
    # The example of the paper (Recht et al. 2019): sea snake, seasnake.
    snake = {term.text: term.origin for term in classes["n01751748"].terms}
    assert snake["sea snake"] == "name" and snake["seasnake"] == "compound"
    assert all(each.terms and each.similar for each in classes.values())
    told = named_classes(find_wordnet(), list(classes), Rules(disambiguate=True, compounds=False))
    cranes = {each.wnid: [term.text for term in each.terms] for each in told}
    assert cranes["n02012849"] == ["crane wading bird"]
    assert cranes["n03126707"] == ["crane lifting device"]


def test_a_list_of_wnids_is_read_and_checked(tmp_path):
    path = tmp_path / "wnids.txt"
    path.write_text("# two classes\nn01443537 goldfish\n\nn01440764\n")
    assert read_wnids(path) == ["n01443537", "n01440764"]
    for text, message in (
        ("n01443537\nn0144\n", "line 2: 'n0144' is no wnid"),
        ("n01443537\nn01443537\n", "line 2: n01443537 stands on line 1"),
        ("# none\n", "names no class"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_wnids(path)
    with pytest.raises(MissingError, match="There is no file"):
        read_wnids(tmp_path / "other.txt")


def test_translations_are_read_from_omw_tab_files(tmp_path):
    path = tmp_path / "wn-data-spa.tab"
    path.write_text(
        "# OpenMultilingualWordnet\tspa\thttp\n"
        "01443537-n\tlemma\tpez_dorado\n01443537-n\tspa:lemma\tcarpín\n"
        "01443537-n\tspa:def\t0\tun pez\n00001740-v\tlemma\trespirar\n"
    )
    assert read_translations(path) == {"n01443537": ["pez dorado", "carpín"]}
    path.write_text("nothing\n")
    with pytest.raises(UsageError, match="no noun"):
        read_translations(path)
    with pytest.raises(MissingError):
        read_translations(tmp_path / "none.tab")
