"""Pairs of alike features against comparing all with all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.base.errors import GuardError, UsageError
from replicate.duplicates import neighbours
from replicate.duplicates.neighbours import Embedded, cosines_of, nearest_other, similar


def some_rows(seed: int, n: int, width: int, kind: str) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, width))
    if kind == "clustered":
        rows = rows[random.integers(0, min(3, n), n)] + 1e-3 * rows
    elif kind == "equal":
        rows[:] = rows[0]
    elif kind == "broken":
        rows[::3], rows[1::5] = np.nan, 0.0
    return rows.astype(np.float32)


def brute(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """All cosines, in double precision; not a number where there are none."""
    sides = []
    for rows in (first.astype(np.float64), second.astype(np.float64)):
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        sides.append(np.where(length > 0, rows / np.where(length > 0, length, 1), np.nan))
    return np.einsum("id,jd->ij", *sides)


def of(rows: np.ndarray) -> Embedded:
    return Embedded(rows, np.arange(len(rows)))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    width=st.integers(1, 9),
    kind=st.sampled_from(["normal", "clustered", "equal", "broken"]),
    least=st.sampled_from([-1.0, 0.0, 0.5, 0.9, 0.999999, 1.0]),
    rows=st.sampled_from([1, 7, 4096]),
)
def test_all_pairs_and_no_others(
    seed: int, sizes: tuple[int, int], width: int, kind: str, least: float, rows: int
) -> None:
    first, second = (
        some_rows(seed, sizes[0], width, kind),
        some_rows(seed + 1, sizes[1], width, kind),
    )
    usual, neighbours._ROWS = neighbours._ROWS, rows
    try:
        found, within = similar(of(first), of(second), least), similar(of(first), None, least)
    finally:
        neighbours._ROWS = usual
    cosines = brute(first, second)
    told = set(zip(found.reference.tolist(), found.candidate.tolist(), strict=True))
    # Sums in another order differ in the last digits: what lies on the edge may be either.
    with np.errstate(invalid="ignore"):
        assert {tuple(p) for p in np.argwhere(cosines >= least + 1e-12).tolist()} <= told
        assert told <= {tuple(p) for p in np.argwhere(cosines >= least - 1e-12).tolist()}
    for one, two, cosine in zip(found.reference, found.candidate, found.cosine, strict=True):
        assert cosine == pytest.approx(cosines[one, two], abs=1e-12)
    assert (within.reference < within.candidate).all()
    own = brute(first, first)
    pairs = set(zip(within.reference.tolist(), within.candidate.tolist(), strict=True))
    upper = np.triu(np.ones(own.shape, bool), 1)
    with np.errstate(invalid="ignore"):
        assert {tuple(p) for p in np.argwhere((own >= least + 1e-12) & upper).tolist()} <= pairs
    order = found.reference * len(second) + found.candidate
    assert (np.diff(order) > 0).all()


def test_rows_are_found_by_their_places_and_images_without_one_have_no_pairs() -> None:
    rows = some_rows(1, 6, 4, "normal")
    first = Embedded(rows, np.array([5, -1, 0]))
    found = similar(first, of(rows), 1.0 - 1e-12)
    assert list(zip(found.reference, found.candidate, strict=True)) == [(0, 5), (2, 0)]
    values = cosines_of(first, of(rows), np.array([0, 1]), np.array([5, 5]))
    assert values[0] == pytest.approx(1.0) and np.isnan(values[1])


@pytest.mark.parametrize("rows", [3, 4096])
def test_the_nearest_other_is_never_the_image_itself(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_ROWS", rows)
    values = some_rows(3, 20, 5, "normal")
    values[4] = np.nan
    cosines = brute(values, values)
    np.fill_diagonal(cosines, -np.inf)
    probed = np.array([0, 4, 9, 19])
    other, cosine = nearest_other(of(values), probed)
    expected = np.nanargmax(np.where(np.isnan(cosines), -np.inf, cosines), axis=1)
    assert other.tolist() == [expected[0], -1, expected[9], expected[19]]
    assert cosine[0] == pytest.approx(cosines[0, expected[0]], abs=1e-6) and np.isnan(cosine[1])


def test_features_of_two_models_and_too_many_pairs_are_refused() -> None:
    with pytest.raises(UsageError, match="of 4 and of 5 numbers"):
        similar(of(some_rows(0, 3, 4, "normal")), of(some_rows(0, 3, 5, "normal")), 0.5)
    with pytest.raises(GuardError, match="More than 8 pairs"):
        similar(of(some_rows(0, 3, 4, "equal")), of(some_rows(0, 3, 4, "equal")), 0.5, most=8)
