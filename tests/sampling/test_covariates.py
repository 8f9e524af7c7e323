"""Covariates matched beside frequencies, on planted ones."""

from collections import Counter

import numpy as np
import pytest

from replicate.base.errors import UsageError
from replicate.sampling.frequencies import Frequencies, frequencies
from replicate.sampling.strategies import Request
from replicate.sampling.tables import draw_from_tables

REQUEST = Request("t", "matched-estimated", 40, seed=1, min_votes=10)


def _planted(prefix: str, year: float, per: int, seed: int, tilt: float = 3.0):
    """Images of five classes; the year hangs together with the frequency, the rank does not."""
    rng = np.random.default_rng(seed)
    rows, values = [], {}
    for i, s in enumerate(rng.beta(3.0, 1.0, 5 * per)):
        key = f"{prefix}{i}", str(i % 5)
        rows.append((*key, int(rng.binomial(12, s)), 12))
        values[key] = (year + tilt * s + 3 * rng.normal(), float(rng.exponential(50 + year - 2010)))
    return frequencies(rows), values


def _votes(table: Frequencies, chosen) -> Counter:
    of = dict(zip(zip(table.class_id.tolist(), table.image_id.tolist(), strict=True),
                  table.selected.tolist(), strict=True))  # fmt: skip
    return Counter((item.class_id, of[item.class_id, item.image_id]) for item in chosen)


def test_means_agree_and_the_match_of_frequencies_is_the_same() -> None:
    original, old = _planted("o", 2008.0, 60, 1)
    pool, new = _planted("p", 2011.0, 500, 2)
    plain = draw_from_tables(REQUEST, pool, original, pool.class_ids())
    drawn = draw_from_tables(
        REQUEST, pool, original, pool.class_ids(), covariates=(("year", "rank"), new, old)
    )
    assert _votes(pool, drawn.chosen) == _votes(pool, plain.chosen)
    assert drawn.per_class == plain.per_class and drawn.digest != plain.digest
    year, _ = drawn.balance
    assert year.before - year.original > 0.5 * year.sd
    for item in drawn.balance:
        assert abs(item.after - item.original) < 0.005 * item.sd
    for place, item in enumerate(drawn.balance):
        for table, sample in ((item.before, plain), (item.after, drawn)):
            mean = np.mean([new[c.image_id, c.class_id][place] for c in sample.chosen])
            assert table == pytest.approx(mean)
        means = [np.mean([v[place] for k, v in old.items() if k[1] == c]) for c in "01234"]
        assert item.original == pytest.approx(np.mean(means))
    again = draw_from_tables(
        REQUEST, pool, original, pool.class_ids(), covariates=(("year", "rank"), new, old)
    )
    assert again == drawn


def test_a_covariate_that_never_varies_or_cannot_be_matched_changes_no_frequency() -> None:
    original, old = _planted("o", 2008.0, 60, 1)
    pool, new = _planted("p", 2011.0, 500, 2)
    plain = draw_from_tables(REQUEST, pool, original, pool.class_ids())
    far = draw_from_tables(
        REQUEST, pool, original, pool.class_ids(),
        covariates=(("c",), dict.fromkeys(new, (5.0,)), dict.fromkeys(old, (3.0,))),
    )  # fmt: skip
    assert far.chosen == plain.chosen and far.balance[0].after == pytest.approx(5.0)


def test_images_without_a_number_are_not_drawn_and_an_original_without_is_named() -> None:
    original, old = _planted("o", 2008.0, 60, 1)
    pool, new = _planted("p", 2011.0, 500, 2)
    some = {key: row for i, (key, row) in enumerate(new.items()) if i % 3}
    drawn = draw_from_tables(
        REQUEST, pool, original, pool.class_ids(), covariates=(("year", "rank"), some, old)
    )
    assert all((item.image_id, item.class_id) in some for item in drawn.chosen)
    without = {key: row for key, row in old.items() if key[1] != "3"}
    with pytest.raises(UsageError, match="class 3 has year and rank"):
        draw_from_tables(
            REQUEST, pool, original, pool.class_ids(), covariates=(("year", "rank"), new, without)
        )


def test_true_frequencies_match_where_the_covariate_says_nothing_of_them() -> None:
    differences = []
    for seed in range(6):
        original, old = _planted("o", 2008.0, 300, 2 * seed, tilt=0.0)
        pool, new = _planted("p", 2011.0, 500, 2 * seed + 1, tilt=0.0)
        old_s, new_s = (
            np.random.default_rng(2 * seed + i).beta(3.0, 1.0, n) for i, n in ((0, 1500), (1, 2500))
        )
        drawn = draw_from_tables(
            REQUEST, pool, original, pool.class_ids(), covariates=(("year", "rank"), new, old)
        )
        mean = np.mean([new_s[int(item.image_id[1:])] for item in drawn.chosen])
        differences.append(old_s.mean() - mean)
    assert abs(np.mean(differences)) < 0.012  # the mean's standard error is about 0.003
