"""Covariates matched beside frequencies, on planted ones."""

from dataclasses import replace

import numpy as np
import pytest

from replicate.base.errors import UsageError
from replicate.sampling.covariates import Covariates
from replicate.sampling.frequencies import frequencies
from replicate.sampling.request import Request
from replicate.sampling.tables import draw_from_tables

REQUEST = Request("t", "matched-estimated", 40, seed=1, min_votes=10)
BOTH = replace(REQUEST, covariates=("year", "rank"))


def _planted(prefix: str, year: float, per: int, seed: int, tilt: float = 3.0):
    """Images of five classes; the year hangs together with the frequency, the rank does not."""
    rng = np.random.default_rng(seed)
    rows, values = [], {}
    for i, s in enumerate(rng.beta(3.0, 1.0, 5 * per)):
        key = f"{prefix}{i}", str(i % 5)
        rows.append((*key, int(rng.binomial(12, s)), 12))
        values[key] = (year + tilt * s + 3 * rng.normal(), float(rng.exponential(50 + year - 2010)))
    return frequencies(rows), values


def test_means_agree_with_the_original_and_the_match_of_votes_hardly_changes() -> None:
    original, old = _planted("o", 2008.0, 60, 1)
    pool, new = _planted("p", 2011.0, 500, 2)
    plain = draw_from_tables(REQUEST, pool, original, pool.class_ids())
    drawn = draw_from_tables(BOTH, pool, original, pool.class_ids(), covariates=(new, old))
    of = dict(zip(pool.image_id.tolist(), pool.frequency.tolist(), strict=True))
    means = [np.mean([of[item.image_id] for item in each.chosen]) for each in (plain, drawn)]
    assert abs(means[0] - means[1]) < 0.03
    assert drawn.per_class == plain.per_class and drawn.digest != plain.digest
    year, _ = drawn.balance
    assert year.before - year.original > 0.5 * year.sd
    for item in drawn.balance:
        assert abs(item.after - item.original) < 0.005 * item.sd
    for place, item in enumerate(drawn.balance):
        mean = np.mean([new[c.image_id, c.class_id][place] for c in drawn.chosen])
        assert item.after == pytest.approx(mean)
        said = item.as_dict()
        assert said["difference_before"] == pytest.approx((item.before - item.original) / item.sd)
        means = [np.mean([v[place] for k, v in old.items() if k[1] == c]) for c in "01234"]
        assert item.original == pytest.approx(np.mean(means))
    again = draw_from_tables(BOTH, pool, original, pool.class_ids(), covariates=(new, old))
    assert again == drawn


def test_a_covariate_that_never_varies_or_cannot_be_matched_changes_no_frequency() -> None:
    original, old = _planted("o", 2008.0, 60, 1)
    pool, new = _planted("p", 2011.0, 500, 2)
    plain = draw_from_tables(REQUEST, pool, original, pool.class_ids())
    far = draw_from_tables(
        replace(REQUEST, covariates=("c",)), pool, original, pool.class_ids(),
        covariates=(dict.fromkeys(new, (5.0,)), dict.fromkeys(old, (3.0,))),
    )  # fmt: skip
    assert far.chosen == plain.chosen and far.balance[0].after == pytest.approx(5.0)


def test_images_without_a_number_are_not_drawn_and_an_original_without_is_named() -> None:
    original, old = _planted("o", 2008.0, 60, 1)
    pool, new = _planted("p", 2011.0, 500, 2)
    some = {key: row for i, (key, row) in enumerate(new.items()) if i % 3}
    drawn = draw_from_tables(BOTH, pool, original, pool.class_ids(), covariates=(some, old))
    assert all((item.image_id, item.class_id) in some for item in drawn.chosen)
    without = {key: row for key, row in old.items() if key[1] != "3"}
    with pytest.raises(UsageError, match="class 3 has year and rank"):
        draw_from_tables(BOTH, pool, original, pool.class_ids(), covariates=(new, without))


@pytest.mark.parametrize("tilt", [0.0, 3.0])
def test_true_frequencies_match_whether_covariates_say_something_of_them(
    tilt: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    differences: dict[str, list[float]] = {"made up for": [], "as they come": []}
    for seed in range(6):
        original, old = _planted("o", 2008.0, 300, 2 * seed, tilt)
        pool, new = _planted("p", 2011.0, 500, 2 * seed + 1, tilt)
        old_s, new_s = (
            np.random.default_rng(2 * seed + i).beta(3.0, 1.0, n) for i, n in ((0, 1500), (1, 2500))
        )
        for name in differences:
            with monkeypatch.context() as patch:
                if name == "as they come":
                    patch.setattr(Covariates, "shift", lambda *_: np.zeros(4))
                drawn = draw_from_tables(
                    BOTH, pool, original, pool.class_ids(), covariates=(new, old)
                )
            mean = np.mean([new_s[int(item.image_id[1:])] for item in drawn.chosen])
            differences[name].append(mean - old_s.mean())
            assert drawn.shift is not None
            assert abs(drawn.shift.expected) < 0.03 and 0 < drawn.shift.se < 0.004
    # The mean over the seeds has a standard error of about 0.003.
    assert abs(np.mean(differences["made up for"])) < 0.008
    saved = np.mean(differences["made up for"]) - np.mean(differences["as they come"])
    assert saved > 0.004 if tilt else abs(saved) < 0.003
