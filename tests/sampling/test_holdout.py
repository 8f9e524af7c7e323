"""Votes are set aside the same way whatever their order, and the check is unbiased."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.sampling.frequencies import frequencies
from replicate.sampling.holdout import VoteRow, ballots, compare, split_votes
from replicate.sampling.request import Request
from replicate.sampling.strategies import draw

votes_of = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from("01"), st.sampled_from("uvwxyz"), st.booleans()
    ),
    max_size=60,
)


@settings(max_examples=80, deadline=None)
@given(
    votes=votes_of,
    k=st.integers(0, 4),
    seed=st.integers(0, 5),
    order=st.randoms(use_true_random=False),
)
def test_every_vote_is_on_one_side_and_order_changes_nothing(
    votes: list[VoteRow], k: int, seed: int, order: random.Random
) -> None:
    rest, kept = split_votes(ballots(votes), k, seed)
    assert rest.image_id.tolist() == kept.image_id.tolist()
    assert rest.class_id.tolist() == kept.class_id.tolist()
    for i, (image, cls) in enumerate(zip(rest.image_id, rest.class_id, strict=True)):
        mine = [yes for a, b, _, yes in votes if (a, b) == (image, cls)]
        assert rest.shown[i] + kept.shown[i] == len(mine)
        assert rest.selected[i] + kept.selected[i] == sum(mine)
        assert kept.shown[i] == min(k, len(mine))
    shuffled = list(votes)
    order.shuffle(shuffled)
    again = split_votes(ballots(shuffled), k, seed)
    assert again[0].selected.tolist() == rest.selected.tolist()
    assert again[1].selected.tolist() == kept.selected.tolist()


def test_another_seed_sets_other_votes_aside() -> None:
    votes = [(f"p{i}", "0", f"w{j}", j < 5) for i in range(50) for j in range(10)]
    first, second = (split_votes(ballots(votes), 3, seed)[1].selected.tolist() for seed in (1, 2))
    assert first != second


def test_which_votes_are_set_aside_does_not_depend_on_how_they_fell() -> None:
    votes = [(f"p{i}", "0", f"w{j}", j < 5) for i in range(400) for j in range(10)]
    _, kept = split_votes(ballots(votes), 3, 1)
    assert abs(kept.frequency.mean() - 0.5) < 4 * 0.5 / np.sqrt(3 * 400)


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(UsageError, match="-1 votes"):
        split_votes(ballots([]), -1, 0)


def test_classes_weigh_as_in_the_new_set() -> None:
    original = frequencies(
        [("a", "0", 4, 4), ("b", "0", 2, 4), ("c", "1", 0, 4), ("d", "2", 0, 4), ("e", "2", 4, 4)]
    )
    new = frequencies(
        [("f", "0", 1, 4), ("g", "0", 3, 4), ("h", "0", 2, 4), ("i", "1", 1, 4), ("j", "9", 1, 1)]
    )
    found = compare(original, new)
    assert found is not None
    assert found.original == pytest.approx(0.75 * 0.75 + 0.25 * 0.0)
    assert found.new == pytest.approx(0.75 * 0.5 + 0.25 * 0.25)
    assert found.difference == pytest.approx(found.original - found.new)
    assert (found.n_original, found.n_new) == (3, 4)
    old_variance, new_variance = np.var([1, 0.5], ddof=1), np.var([0.25, 0.75, 0.5], ddof=1)
    squared = 0.75**2 * (old_variance / 2 + new_variance / 3)
    squared += 0.25**2 * (old_variance + new_variance)  # single images: the other class's spread
    assert found.se == pytest.approx(np.sqrt(squared))


def test_nothing_to_compare_is_none_and_single_images_have_no_error() -> None:
    one, other = frequencies([("a", "0", 1, 2)]), frequencies([("b", "1", 1, 2)])
    assert compare(one, other) is None
    assert compare(one, frequencies([("b", "0", 0, 0)])) is None
    found = compare(one, frequencies([("b", "0", 0, 2)]))
    assert found is not None
    assert np.isnan(found.se)
    assert found.as_dict()["se"] is None


def test_the_error_is_that_of_repeated_draws() -> None:
    random_state = np.random.default_rng(0)
    differences, errors = [], []
    for _ in range(400):
        sides = []
        for prefix in "on":
            truth = random_state.beta(4, 2, size=60)
            votes = random_state.binomial(3, truth)
            rows = [(f"{prefix}{i}", str(i % 3), int(k), 3) for i, k in enumerate(votes)]
            sides.append(frequencies(rows))
        found = compare(*sides)
        assert found is not None
        differences.append(found.difference)
        errors.append(found.se)
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.1)


def test_matching_looks_perfect_on_its_own_votes_and_not_on_the_others() -> None:
    """The known bias of matching noisy frequencies, in small: what held-out votes are for."""
    random_state = np.random.default_rng(1)
    votes = []
    for i in range(3000):
        truth = random_state.beta(3, 1) if i < 1000 else random_state.beta(1, 1)
        side = "o" if i < 1000 else "n"
        answers = random_state.random(10) < truth
        votes += [(f"{side}{i}", "0", f"w{j}", bool(yes)) for j, yes in enumerate(answers)]
    rest, kept = split_votes(ballots(votes), 3, 7)

    def side(table: object, letter: str) -> object:
        return table.where(np.char.startswith(table.image_id, letter))  # type: ignore[attr-defined]

    request = Request("m", "matched-frequency", 500, 1, min_votes=5)
    chosen = draw(request, side(rest, "n"), side(rest, "o"), ["0"]).chosen  # type: ignore[arg-type]
    ids = [one.image_id for one in chosen]
    on_rest = compare(side(rest, "o"), rest.where(np.isin(rest.image_id, ids)))  # type: ignore[arg-type]
    on_kept = compare(side(kept, "o"), kept.where(np.isin(kept.image_id, ids)))  # type: ignore[arg-type]
    assert on_rest is not None and on_kept is not None
    assert abs(on_rest.difference) < 0.02
    assert on_kept.difference > 0.02
    assert on_kept.difference > 2 * on_kept.se
