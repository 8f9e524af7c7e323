from hypothesis import given
from hypothesis import strategies as st

from replicate.sources.terms import search_terms, split_budget


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_a_split_budget_adds_up_and_is_even(budget: int, n_terms: int):
    shares = split_budget(budget, n_terms)
    assert sum(shares) == budget
    assert len(shares) == n_terms
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@given(st.text(), st.lists(st.text()))
def test_no_term_is_empty_or_occurs_twice(name: str, synonyms: list[str]):
    terms = search_terms(name, synonyms)
    folded = [term.casefold() for term in terms]
    assert len(set(folded)) == len(folded)
    assert all(term and term == " ".join(term.split()) for term in terms)


def test_own_terms_replace_the_names():
    assert search_terms("goldfish", ["carp"], ["koi"]) == ["koi"]
    assert search_terms("goldfish", ["carp"], []) == ["goldfish", "carp"]
