import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replicate.sampling.frequencies import Frequencies, frequencies
from replicate.sampling.request import Request
from replicate.sampling.tables import draw_from_tables, set_aside

COUNTS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=20)


def table(counts: list[tuple[int, int]]) -> Frequencies:
    return frequencies((f"i{i}", "0", min(pair), max(pair)) for i, pair in enumerate(counts))


@given(COUNTS, st.integers(0, 14))
def test_votes_set_aside_and_the_rest_are_all_votes(counts, votes: int):
    whole = table(counts)
    rest, kept = set_aside(whole, votes, seed=3)
    assert np.array_equal(rest.shown + kept.shown, whole.shown)
    assert np.array_equal(rest.selected + kept.selected, whole.selected)
    for part in (rest, kept):
        assert np.all((part.selected >= 0) & (part.selected <= part.shown))
    assert np.array_equal(kept.shown, np.minimum(whole.shown, votes))


@given(COUNTS, st.integers(1, 5))
def test_an_image_s_votes_do_not_depend_on_other_images(counts, votes: int):
    whole = table(counts)
    _, kept = set_aside(whole, votes, seed=3)
    _, alone = set_aside(whole.where(whole.image_id == "i0"), votes, seed=3)
    assert alone.selected[0] == kept.selected[list(kept.image_id).index("i0")]


def test_votes_are_set_aside_at_random():
    whole = frequencies((f"i{i}", "0", 6, 10) for i in range(4000))
    _, kept = set_aside(whole, 3, seed=1)
    share = np.bincount(kept.selected, minlength=4) / 4000
    exact = np.array([4, 36, 60, 20]) / 120  # hypergeometric: C(6,k) C(4,3-k) / C(10,3)
    assert np.abs(share - exact).max() < 0.03


def test_a_set_is_drawn_and_checked_on_votes_that_had_no_part():
    rng = np.random.default_rng(2)
    s = rng.beta(2, 1, 900)
    rows = [(f"i{i}", str(i % 3), int(rng.binomial(12, p)), 12) for i, p in enumerate(s)]
    pool, original = frequencies(rows[:600]), frequencies(rows[600:])
    request = Request("uniform", "uniform", 20, seed=1, min_votes=9)
    drawn = draw_from_tables(request, pool, original, ["0", "1", "2"], holdout_votes=3)
    assert drawn.per_class == {"0": 20, "1": 20, "2": 20}
    assert drawn.heldout is not None and drawn.heldout.n_new == 60
    assert abs(drawn.heldout.difference) < 5 * drawn.heldout.se
    again = draw_from_tables(request, pool, original, ["0", "1", "2"], holdout_votes=3)
    assert again == drawn
    without = draw_from_tables(request, pool, original, ["0", "1", "2"])
    assert without.heldout is None and without.digest != drawn.digest
