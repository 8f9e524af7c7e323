"""The first rows of each cell are those of a plain sort, whatever the numbers are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.sampling.frequencies import frequencies
from replicate.sampling.matching import first_of_cells

# Few different numbers, so that many are equal, and some a hair's breadth apart.
KEYS = st.sampled_from([0.0, 0.25, 0.5, float(np.nextafter(0.5, 1)), 0.75, 1 - 2.0**-53])


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), KEYS, st.booleans()), max_size=60),
    share=st.floats(0, 1),
)
def test_rows_are_those_of_a_plain_sort(rows: list[tuple[int, float, bool]], share: float) -> None:
    cells, keys, before = (np.array([row[i] for row in rows]) for i in range(3))
    of_cell = [[i for i, row in enumerate(rows) if row[0] == cell] for cell in range(4)]
    wanted = [int(share * len(some)) for some in of_cell]
    expected: list[tuple[int, int]] = []
    for some, n in zip(of_cell, wanted, strict=True):
        ranked = sorted(some, key=lambda i: (not rows[i][2], rows[i][1], i))
        expected += [(row, rank) for rank, row in enumerate(ranked[:n])]
    found = first_of_cells(
        cells.astype(np.int64), np.array(wanted), keys.astype(float), before.astype(bool)
    )
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


@pytest.mark.parametrize("lowest", [0.0, 0.9])  # by chance, all numbers may lie high
def test_many_rows_of_large_cells_are_those_of_a_plain_sort(lowest: float) -> None:
    random = np.random.default_rng(1)
    cells, keys = random.integers(0, 5, 20_000), lowest + (1 - lowest) * random.random(20_000)
    before = random.random(20_000) < 0.001
    wanted = np.array([0, 1, 7, 40, 3000])
    order = np.lexsort((keys, ~before, cells))
    expected: list[int] = []
    for cell, n in enumerate(wanted.tolist()):
        expected += order[cells[order] == cell][:n].tolist()
    assert first_of_cells(cells, wanted, keys, before)[0].tolist() == expected


@st.composite
def tables(draw: Any) -> list[tuple[str, str]]:
    pair = st.tuples(st.sampled_from(["a", "b", "c", "é", "long name"]), st.sampled_from("012"))
    return draw(st.lists(pair, unique=True, max_size=12))


@settings(max_examples=100, deadline=None)
@given(known=tables(), others=tables())
def test_counts_are_handed_on_to_the_same_images(
    known: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    counts = {pair: (place % 4, 4 + place) for place, pair in enumerate(known)}
    table = frequencies((*pair, *counts[pair]) for pair in known)
    found = table.on(frequencies((*pair, 0, 0) for pair in others))
    for image, name, selected, shown in zip(
        found.image_id, found.class_id, found.selected, found.shown, strict=True
    ):
        assert (selected, shown) == counts.get((image, name), (0, 0))
    assert len(found) == len(others)
