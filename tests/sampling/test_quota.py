"""CIFAR-10.1's quotas, worked by hand, by plain loops and by properties."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.base.randomness import uniform
from replicate.sampling.feasibility import InfeasibleSample
from replicate.sampling.frequencies import frequencies
from replicate.sampling.quota import Keywords, draw_by_quota, keyword_quotas
from replicate.sampling.request import Request
from replicate.sampling.strategies import draw, plan

WORDS = ["a", "b", "c", "d"]


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


def _request(per_class: int = 0, **more: Any) -> Request:
    values: dict[str, Any] = {"seed": 1, "min_votes": 1, "keywords": 25, **more}
    return Request("t", "quota", per_class, **values)


def _cats(words: dict[str, list[str]], counts: dict[str, int]) -> tuple[Any, Keywords]:
    pool = frequencies([(image, "cat", 2, 2) for image in words])
    return pool, Keywords({"cat": counts}, {(image, "cat"): w for image, w in words.items()})


def test_an_image_of_two_keywords_goes_where_it_is_needed() -> None:
    pool, words = _cats(
        {"a": ["tabby", "tomcat"], "b": ["tabby"], "c": ["tabby"]}, {"tabby": 60, "tomcat": 30}
    )
    chosen, _ = draw_by_quota(_request(), "cat", pool, (), words)
    assert sorted((item.image_id, item.stratum) for item in chosen) == [
        ("a", "tomcat"),
        ("b", "tabby"),
        ("c", "tabby"),
    ]


def test_a_short_keyword_is_named_and_filled_on_request() -> None:
    images = {"a": ["tabby"], "b": ["kitty"], "c": ["tomcat"], "d": ["tomcat"], "e": ["dog"]}
    pool, words = _cats(images, {"tabby": 90, "tomcat": 30, "kitty": 3})
    with pytest.raises(InfeasibleSample, match="class cat, stratum tabby: 3 wanted, 1 there"):
        draw(_request(), pool, pool, ["cat"], keywords=words)
    found = draw(_request(fill=True), pool, pool, ["cat"], keywords=words)
    filled = [item for item in found.chosen if item.filled]
    # What is left of tomcat comes before the rarer kitty; dog is no keyword of the original.
    assert [item.stratum for item in filled] == ["tabby", "tabby"]
    assert {item.image_id for item in found.chosen} == {"a", "b", "c", "d"}
    assert [(n.stratum, n.filled, n.missing) for n in found.needs] == [
        ("tabby", 2, 0),
        ("tomcat", 0, 0),
    ]


def test_no_keywords_are_refused() -> None:
    with pytest.raises(UsageError, match="there are none"):
        keyword_quotas({}, 5)
    pool, words = _cats({"a": ["tabby"]}, {"tabby": 60})
    with pytest.raises(UsageError, match="original's images of class dog has a keyword"):
        plan(_request(), pool, pool, ["cat", "dog"], keywords=words)
    with pytest.raises(UsageError, match="needs the keywords"):
        plan(_request(), pool, pool, ["cat"])


def _oracle(
    images: list[tuple[str, int, list[str]]], counts: dict[str, int], total: int, least: float
) -> set[tuple[str, str, bool]]:
    """CIFAR-10.1's draw with filling, image by image."""
    top = sorted(counts, key=lambda w: (-counts[w], w))
    quotas = keyword_quotas(counts, 2, total or None)
    good = {image: words for image, selected, words in images if selected / 4 >= least}
    drawn: set[tuple[str, str, bool]] = set()
    used: set[str] = set()
    holders = {w: [i for i in sorted(good) if w in good[i]] for w in quotas}
    for word in sorted(quotas, key=lambda w: (len(holders[w]) - quotas[w], w)):
        free = [i for i in holders[word] if i not in used]
        free.sort(key=lambda i: uniform(1, "sample", "t", "0", word, i))
        for image in free[: quotas[word]]:
            drawn.add((image, word, False))
            used.add(image)
    for word in quotas:
        while sum(w == word for _, w, _ in drawn) < quotas[word]:
            for other in [*top, None]:
                rest = [
                    i
                    for i in sorted(good)
                    if i not in used
                    and (other in good[i] if other else not set(good[i]) & set(top))
                ]
                if rest:
                    break
            else:
                break
            if not rest:
                break
            image = min(rest, key=lambda i: uniform(1, "sample", "t", "0", "", i))
            drawn.add((image, word, True))
            used.add(image)
    return drawn


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.lists(st.sampled_from(WORDS), max_size=2)), max_size=14
    ),
    st.dictionaries(st.sampled_from(WORDS[:3]), st.integers(1, 120), min_size=1),
    st.integers(0, 8),
    st.sampled_from([0.0, 0.5]),
)
def test_filled_quotas_are_those_of_plain_loops(
    rows: list[tuple[int, list[str]]], counts: dict[str, int], total: int, least: float
) -> None:
    images = [(f"p{i:02}", selected, words) for i, (selected, words) in enumerate(rows)]
    pool = frequencies([(image, "0", selected, 4) for image, selected, _ in images])
    words = Keywords({"0": counts}, {(i, "0"): tuple(w) for i, _, w in images})
    request = _request(total, keywords=2, threshold=least, fill=True)
    found = plan(request, pool, pool, ["0"], keywords=words)
    mine = {(item.image_id, item.stratum, item.filled) for item in found.chosen}
    assert mine == _oracle(images, counts, total, least)
    for need in found.needs:
        assert need.wanted == min(need.there, need.wanted) + need.filled + need.missing
