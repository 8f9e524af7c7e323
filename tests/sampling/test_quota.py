"""CIFAR-10.1's quotas, worked by hand and by properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.sampling.feasibility import InfeasibleSample
from replicate.sampling.quota import draw_by_quota, keyword_quotas


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 200), min_size=1))
def test_one_in_thirty_rounded_up_and_none_below_half(counts: dict[str, int]) -> None:
    quotas = keyword_quotas(counts, keywords=1000)
    for keyword, n in counts.items():
        expected = 0 if n / 30 < 0.5 else int(-(-n // 30))
        assert quotas.get(keyword, 0) == expected


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 200), min_size=1),
    st.integers(1, 5),
    st.integers(0, 60),
)
def test_a_fixed_total_adds_up_over_the_most_frequent(
    counts: dict[str, int], keywords: int, total: int
) -> None:
    quotas = keyword_quotas(counts, keywords, total)
    assert sum(quotas.values()) == total
    assert len(quotas) <= keywords
    least = min((counts[keyword] for keyword in quotas), default=10**9)
    rarer = [keyword for keyword in counts if counts[keyword] > least and keyword not in quotas]
    assert rarer == []


def test_an_image_of_two_keywords_goes_where_it_is_needed() -> None:
    pool = {"cat": [("a", "tabby"), ("b", "tabby"), ("a", "tomcat"), ("c", "tabby")]}
    drawn = draw_by_quota("t", 1, pool, {"cat": {"tabby": 2, "tomcat": 1}})
    assert [(chosen.image_id, chosen.stratum) for chosen in drawn] == [
        ("a", "tomcat"),
        ("b", "tabby"),
        ("c", "tabby"),
    ]


def test_a_short_keyword_is_named() -> None:
    with pytest.raises(InfeasibleSample, match="class cat, stratum tabby: 2 wanted, 1 there"):
        draw_by_quota("t", 1, {"cat": [("a", "tabby")]}, {"cat": {"tabby": 2}})
    with pytest.raises(InfeasibleSample, match="0 there"):
        draw_by_quota("t", 1, {}, {"cat": {"tabby": 2}})


def test_no_keywords_are_refused() -> None:
    with pytest.raises(UsageError, match="there are none"):
        keyword_quotas({}, 5)
