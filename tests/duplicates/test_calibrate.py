"""Calibration on real digits with near-duplicates planted in them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from replicate.base.errors import UsageError
from replicate.duplicates.calibrate import (
    calibrate,
    nearest_distance,
    tightened,
    widest_threshold,
)


def photo_and_back(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Each digit enlarged, dimmed or lit, saved as JPEG, and brought back to its own size."""
    edited = []
    for one in pixels:
        factor = int(random.integers(4, 9))
        image = Image.fromarray(one).resize((8 * factor, 8 * factor), Image.Resampling.BICUBIC)
        lit = np.clip(np.asarray(image) * random.uniform(0.8, 1.2), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(lit).save(buffer, "JPEG", quality=int(random.integers(60, 96)))
        back = Image.open(buffer).resize((8, 8), Image.Resampling.BOX)
        edited.append(np.asarray(back))
    return np.stack(edited)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return np.rint(load_digits().images * 255 / 16).astype(np.uint8)


def test_real_digits_all_planted_found_and_few_others_dropped(digits: np.ndarray) -> None:
    reference, different = digits[:900], digits[900:]
    found = calibrate(
        reference, photo_and_back, different, radius=16, seed=3, max_false=0.01, sample=200
    )
    assert found.recall == 1.0
    assert found.false_rate <= 0.01
    assert found.clear <= found.needed < found.sure <= found.allowed
    assert found.sure == found.different
    fresh = photo_and_back(reference[500:], np.random.default_rng(9))
    nearest = nearest_distance(reference, fresh, radius=16)
    assert (nearest <= found.sure).mean() >= 0.995
    assert (nearest_distance(reference, different, radius=16) <= found.sure).mean() <= 0.01


def test_the_hash_alone_would_not_do(digits: np.ndarray) -> None:
    """Without pixels most different digits would go: what this stage is for."""
    proposed = np.isfinite(nearest_distance(digits[:900], digits[900:], radius=10))
    assert proposed.mean() > 0.4


def test_edits_that_cannot_be_told_from_others_cost_recall_not_good_images(
    digits: np.ndarray,
) -> None:
    def ruin(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
        noise = random.normal(0, 60, pixels.shape)
        return np.clip(pixels + noise, 0, 255).astype(np.uint8)

    found = calibrate(digits[:300], ruin, digits[300:600], radius=20, seed=1, max_false=0.01)
    assert found.needed > found.allowed
    assert found.sure == found.allowed
    assert found.recall < 1.0
    assert found.false_rate <= 0.01
    assert found.different == found.needed


def test_references_stand_in_for_different_images(digits: np.ndarray) -> None:
    doubled = np.concatenate([digits[:400], digits[:400]])
    found = calibrate(digits[:400], photo_and_back, radius=16, seed=2, sample=50)
    assert found.n_different == 400
    assert found.recall == 1.0
    assert found.false_rate <= 0.01
    copies = nearest_distance(doubled, digits[:9], radius=0, itself=np.arange(9))
    assert copies.tolist() == [0.0] * 9


def test_a_set_of_more_alike_images_gets_a_smaller_threshold(digits: np.ndarray) -> None:
    """Images in nearly equal pairs, no copies: the reference threshold would drop half."""
    found = calibrate(digits[:400], photo_and_back, radius=16, seed=2, sample=50)
    alike = digits[400:600].copy()
    twins = np.clip(alike.astype(int) + 24 * (np.indices(alike.shape).sum(axis=0) % 2), 0, 255)
    both = np.concatenate([alike, twins.astype(np.uint8)])
    tight = tightened(found, both, seed=2)
    assert tight.sure < found.sure
    assert tight.false_rate <= 0.01
    assert tight.needed == found.needed


def test_copies_in_a_set_do_not_spoil_its_threshold(digits: np.ndarray) -> None:
    found = calibrate(digits[:400], photo_and_back, radius=16, seed=2, sample=50)
    clean = digits[400:800]
    copied = np.concatenate([clean, clean[:40]])
    assert tightened(found, copied, seed=2).sure > 0.8 * tightened(found, clean, seed=2).sure


def test_the_same_seed_measures_the_same(digits: np.ndarray) -> None:
    first, again, other = (
        calibrate(digits[:200], photo_and_back, digits[200:400], radius=16, seed=seed, sample=30)
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first.as_dict() != other.as_dict()


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0, float("inf")]), min_size=1, max_size=30),
    st.floats(0, 0.99),
)
def test_widest_threshold_keeps_the_share(values: list[float], share: float) -> None:
    nearest = np.array(values)
    threshold = widest_threshold(nearest, share)
    if threshold > 0.0:
        assert (nearest <= threshold).mean() <= share + 1e-9
    if threshold < 1.0:
        assert (nearest <= np.nextafter(threshold, 2)).mean() > share - 1e-9


def test_bad_input_is_refused(digits: np.ndarray) -> None:
    with pytest.raises(UsageError, match="empty"):
        calibrate(digits[:0], photo_and_back, digits[:5], radius=10, seed=0)
    with pytest.raises(UsageError, match="empty"):
        calibrate(digits[:1], photo_and_back, radius=10, seed=0)
    with pytest.raises(UsageError, match="not in"):
        calibrate(digits[:5], photo_and_back, digits[5:9], radius=10, seed=0, max_false=1.0)
