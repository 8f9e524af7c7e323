"""Where measured pairs are cut."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.duplicates.cuts import Cuts
from replicate.duplicates.cutting import cuts_from, stricter, widest
from replicate.duplicates.evidence import Evidence


def evidence(*rows: tuple[int, float, float, bool]) -> Evidence:
    """Pairs by distance256, ssim, moved and low structure."""
    bits, similar, moved, poor = (np.array(column) for column in zip(*rows, strict=True))
    some = np.full(len(rows), 0.1)
    return Evidence(bits, similar, some, some, moved, poor)


FAR, NEAR, FLAT = (100, 0.4, 0.2, False), (40, 0.6, 0.08, False), (3, 0.99, 0.001, True)


@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.5, 1.0, float("inf")]), min_size=1, max_size=30),
    st.floats(0.001, 0.99),
)
def test_widest_keeps_the_share(values: list[float], share: float) -> None:
    nearest = np.array(values)
    threshold = widest(nearest, share)
    assert ((nearest <= threshold) & np.isfinite(nearest)).mean() <= share + 1e-9
    if np.isfinite(threshold):
        assert (nearest <= np.nextafter(threshold, np.inf)).mean() > share - 1e-9


def test_with_no_mistake_allowed_a_margin_is_kept_to_the_nearest_different_pair() -> None:
    planted = evidence((20, 0.5, 0.15, False))
    different = evidence(FAR, NEAR, FLAT)
    cuts = cuts_from(planted, different)
    assert cuts.sure_bits == 30
    assert cuts.sure_ssim == pytest.approx(0.7)
    assert cuts.sure_moved == pytest.approx(0.06)
    assert "sure" not in cuts.verdicts(different)


def test_what_is_sure_reaches_no_farther_than_three_times_what_is_needed() -> None:
    cuts = cuts_from(evidence((5, 0.98, 0.002, False)), evidence(FAR, NEAR))
    assert (cuts.sure_bits, cuts.sure_moved) == (15, 0.006)
    assert cuts.sure_ssim == pytest.approx(0.94)


def test_each_way_of_comparing_gets_a_third_of_the_mistakes() -> None:
    rows = [(20 + place, 0.5, 0.05 + place / 1000, False) for place in range(100)]
    planted = evidence((90, 0.1, 0.5, False))
    cuts = cuts_from(planted, evidence(*rows), 0.06)
    assert cuts.sure_bits == 21 and 0.0519 <= cuts.sure_moved <= 0.052
    alone = cuts_from(planted, evidence(*rows), 0.06, tiny=True)
    assert alone.by_moved_alone and 0.0559 < alone.sure_moved < 0.056


def test_least_cuts_widen_what_is_unsure() -> None:
    planted = evidence((5, 0.98, 0.002, False))
    cuts = cuts_from(planted, evidence(FAR, NEAR), least=Cuts())
    assert (cuts.different_bits, cuts.different_moved) == (90, 0.2048)
    assert cuts.different_ssim <= 0.855


def test_the_stricter_of_two_cuts() -> None:
    one, two = Cuts(), replace(Cuts(), sure_bits=20, sure_ssim=0.9)
    assert stricter(one, two) == replace(one, sure_bits=20)


def test_verdicts_of_the_papers_distance_alone() -> None:
    seen = evidence(FAR, NEAR, FLAT)
    assert Cuts(squared=0.1).verdicts(seen).tolist() == ["sure"] * 3
    assert Cuts(squared=0.09).verdicts(seen).tolist() == ["different"] * 3
