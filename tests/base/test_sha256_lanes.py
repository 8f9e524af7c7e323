"""Random numbers made many at a time are those that are made one at a time."""

import hashlib

import numpy as np
import pytest

from replicate.base import randomness
from replicate.base.randomness import uniform, uniforms
from replicate.base.sha256_lanes import first_words

# Texts of every length up to three blocks of SHA-256, and beyond ASCII: 1 to 4 bytes in UTF-8.
LETTERS = "aZ09_é߿ࠀ€￿𐀀😀"
ITEMS = [*("x" * n for n in range(1, 150)), *("é" * n for n in range(1, 70)), *LETTERS, LETTERS, ""]
GROUPS = ["n01443537", "ß", "a class of many words " * 4]


def test_digests_are_those_of_hashlib() -> None:
    rows = [(g, i) for g in (0, 1, 2, 1, 0) for i in range(len(ITEMS))]
    places = [np.array(column) for column in zip(*rows, strict=True)]
    for start in (b"", b"7\x1fsample\x1f", b"long " * 30):
        found = first_words(start, [np.array(GROUPS), np.array(ITEMS)], places)
        for (group, item), word in zip(rows, found.tolist(), strict=True):
            text = start + f"{GROUPS[group]}\x1f{ITEMS[item]}".encode()
            assert word.to_bytes(8, "big") == hashlib.sha256(text).digest()[:8], (group, item)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 64, 65, 200])
def test_many_numbers_are_those_of_one_at_a_time(
    rows: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(randomness, "_WORTH_COMPILING", 0 if compiled else 10**9)
    columns = [np.array(GROUPS), np.array(ITEMS), np.array(["w1", "w2"])]
    places = [np.arange(rows) * 7 % len(column) for column in columns]
    found = uniforms(3, ("holdout", 5), columns, places)
    one = [
        uniform(3, "holdout", 5, *(str(c[p[i]]) for c, p in zip(columns, places, strict=True)))
        for i in range(rows)
    ]
    assert found.tolist() == one
