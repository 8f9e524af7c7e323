"""Components against scipy, and the paper's rule worked by hand."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from replicate.duplicates.clusters import Drop, Edge, components, resolve


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 30),
    ends=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40),
)
def test_components_are_scipys(n: int, ends: list[tuple[int, int]]) -> None:
    first = np.array([a % n for a, _ in ends], dtype=np.int64)
    second = np.array([b % n for _, b in ends], dtype=np.int64)
    mine = components(n, first, second)
    graph = coo_matrix((np.ones(len(ends)), (first, second)), shape=(n, n))
    _, theirs = connected_components(graph, directed=False)
    for node in range(n):
        assert mine[node] == np.flatnonzero(theirs == theirs[node]).min()


def test_a_chain_of_a_hundred_thousand_needs_no_recursion() -> None:
    n = 100_000
    assert not components(n, np.arange(n - 1), np.arange(1, n)).any()


def test_a_component_with_a_reference_goes_whole_and_says_why() -> None:
    edges = [
        Edge("ref", "a", True, 0.02),
        Edge("ref2", "a", True, 0.01),
        Edge("a", "b", False, 0.005),
        Edge("b", "c", False, 0.004),
    ]
    drops = resolve([("a", "0"), ("b", "0"), ("c", "1"), ("d", "1")], edges)
    assert drops == [
        Drop("a", "reference", "ref2", 0.01, None, "a"),
        Drop("b", "reference", "a", 0.005, None, "a"),
        Drop("c", "reference", "b", 0.004, None, "a"),
    ]


def test_the_very_same_file_in_both_sets_goes() -> None:
    drops = resolve([("same", "0"), ("other", "0")], [Edge("same", "same", True, 0.0)])
    assert [(drop.image_id, drop.because_of) for drop in drops] == [("same", "same")]


def test_one_stays_for_the_class_with_the_fewest_good_candidates() -> None:
    pool = [("a", "many"), ("x", "many"), ("y", "many"), ("b", "few"), ("z", "few")]
    drops = resolve(pool, [Edge("a", "b", False, 0.1)])
    assert drops == [Drop("a", "candidate", "b", 0.1, "b", "a")]


def test_counts_go_down_as_candidates_are_dropped() -> None:
    """Three of 'big' go with a reference, so that it has become the poorer class."""
    pool = [(f"g{i}", "big") for i in range(4)] + [(f"s{i}", "small") for i in range(3)]
    edges = [Edge("ref", f"g{i}", True, 0.1) for i in range(3)] + [Edge("g3", "s0", False, 0.2)]
    assert {drop.image_id: drop.keeper for drop in resolve(pool, edges)} == {
        "g0": None,
        "g1": None,
        "g2": None,
        "s0": "g3",
    }


def test_what_was_kept_before_stays() -> None:
    pool = [("a", "0"), ("b", "0"), ("c", "0")]
    chain = [Edge("a", "b", False, 0.1), Edge("b", "c", False, 0.1)]
    drops = resolve(pool, chain, settled=frozenset("c"))
    assert [(drop.image_id, drop.keeper) for drop in drops] == [("a", "c"), ("b", "c")]
    late = [*chain, Edge("ref", "a", True, 0.1)]
    drops = resolve(pool, late, settled=frozenset("c"))
    assert [(drop.image_id, drop.cause) for drop in drops] == [
        ("a", "reference"),
        ("b", "reference"),
    ]


def test_ties_go_to_the_class_id_then_to_the_image_id() -> None:
    pool = [("b", "1"), ("a", "1"), ("c", "0"), ("d", "0")]
    cross = resolve(pool, [Edge("a", "c", False, 0.1)])
    assert [drop.image_id for drop in cross] == ["a"]
    same = resolve(pool, [Edge("b", "a", False, 0.1)])
    assert [(drop.image_id, drop.keeper) for drop in same] == [("b", "a")]


pool_ids = [f"c{i}" for i in range(8)]


@settings(max_examples=60, deadline=None)
@given(
    classes=st.lists(st.sampled_from("01"), min_size=8, max_size=8),
    links=st.lists(
        st.tuples(st.sampled_from([*pool_ids, "r0", "r1"]), st.sampled_from(pool_ids)), max_size=12
    ),
    order=st.randoms(use_true_random=False),
)
def test_what_remains_has_no_pair_and_order_changes_nothing(
    classes: list[str], links: list[tuple[str, str]], order: random.Random
) -> None:
    pool = list(zip(pool_ids, classes, strict=True))
    edges = [
        Edge(a, b, a.startswith("r"), (hash_free(a) + hash_free(b)) / 100)
        for a, b in links
        if a != b
    ]
    drops = resolve(pool, edges)
    gone = {drop.image_id for drop in drops}
    left = [edge for edge in edges if edge.first not in gone and edge.second not in gone]
    assert left == []
    touched = {end for edge in edges for end in (edge.first, edge.second)}
    assert gone <= touched
    for drop in drops:
        assert drop.keeper is None or drop.keeper not in gone
        assert any({edge.first, edge.second} == {drop.image_id, drop.because_of} for edge in edges)
    order.shuffle(pool)
    order.shuffle(edges)
    assert resolve(pool, edges) == drops


def hash_free(name: str) -> int:
    """A number from a name that no hash seed changes."""
    return sum(name.encode())


def test_the_one_of_the_lowest_rank_stays_or_none() -> None:
    pool = [("a", "0"), ("b", "0"), ("c", "0"), ("d", "0")]
    edges = [Edge("a", "b", False, 0.3), Edge("b", "c", False, 0.1)]
    ranked = resolve(pool, edges, keep={"a": 2.0, "b": 3.0, "c": 1.0, "d": 0.0})
    assert [(drop.image_id, drop.because_of, drop.keeper) for drop in ranked] == [
        ("a", "b", "c"),
        ("b", "c", "c"),
    ]
    none = resolve(pool, edges, keep="none")
    assert [(drop.image_id, drop.because_of, drop.cause, drop.keeper) for drop in none] == [
        ("a", "b", "candidate", None),
        ("b", "c", "candidate", None),
        ("c", "b", "candidate", None),
    ]
    settled = resolve(pool, edges, frozenset("b"), keep="none")
    assert [drop.image_id for drop in settled] == ["a", "c"]
