"""Pixel distances against plain loops and library correlations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import shift, uniform_filter

from replicate.base.errors import UsageError
from replicate.duplicates.pixels import contrast_free, mean_squared, moved_a_little, ssim


def some_images(seed: int, n: int = 4, height: int = 8, width: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, height, width), dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), height=st.integers(2, 9), width=st.integers(2, 9))
def test_distances_against_numpy(seed: int, height: int, width: int) -> None:
    first, second = some_images(seed, 2, height, width), some_images(seed + 1, 2, height, width)
    for i in range(2):
        a, b = first[i].ravel() / 255.0, second[i].ravel() / 255.0
        assert mean_squared(first, second)[i] == pytest.approx(float(((a - b) ** 2).mean()))
        correlation = float(np.corrcoef(a, b)[0, 1])
        assert contrast_free(first, second)[i] == pytest.approx((1 - correlation) / 2, abs=1e-9)
        a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
        standardised = float(((a - b) ** 2).mean()) / 4
        assert contrast_free(first, second)[i] == pytest.approx(standardised, abs=1e-9)


def test_brightness_and_contrast_do_not_count() -> None:
    dark = some_images(3) // 2
    bright = (dark + 40).astype(np.uint8)
    np.testing.assert_allclose(contrast_free(dark, bright), 0.0, atol=1e-12)
    np.testing.assert_allclose(contrast_free(dark, 255 - dark), 1.0, atol=1e-12)
    assert (mean_squared(dark, bright) > 0.02).all()


def test_flat_images_are_like_each_other_and_like_nothing_else() -> None:
    flat, grey = np.full((4, 8, 8), 9, np.uint8), np.full((4, 8, 8), 200, np.uint8)
    assert contrast_free(flat, grey).tolist() == [0.0] * 4
    assert contrast_free(flat, some_images(2)).tolist() == [0.5] * 4


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), part=st.sampled_from([0.1, 0.25, 1.0]))
def test_the_best_of_nine_places_against_scipy(seed: int, part: float) -> None:
    first, second = some_images(seed, 2, 6, 7), some_images(seed + 1, 2, 6, 7)
    for i in range(2):
        tried = []
        for down in (-part, 0.0, part):
            for across in (-part, 0.0, part):
                moved = shift(first[i].astype(float), (down, across), order=1, mode="grid-constant")
                r = float(np.corrcoef(moved.ravel(), second[i].ravel())[0, 1])
                tried.append((1 - r) / 2)
        found = moved_a_little(first, second, part)[i]
        assert found == pytest.approx(min(tried), abs=1e-9)
        assert found <= contrast_free(first, second)[i]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), side=st.integers(7, 20))
def test_ssim_against_scipy_filters(seed: int, side: int) -> None:
    first = some_images(seed, 1, side, side + 2)
    second = np.clip(first.astype(int) + some_images(seed + 1, 1, side, side + 2) // 4, 0, 255)
    x, y = first[0] / 255.0, second[0] / 255.0

    def means(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, 7)[3:-3, 3:-3]

    unbias = 49 / 48
    mx, my = means(x), means(y)
    vx, vy = unbias * (means(x * x) - mx**2), unbias * (means(y * y) - my**2)
    vxy = unbias * (means(x * y) - mx * my)
    value = ((2 * mx * my + 1e-4) * (2 * vxy + 9e-4)) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert ssim(first, second.astype(np.uint8))[0] == pytest.approx(value.mean(), abs=1e-9)


def test_ssim_of_equal_and_of_opposite_images() -> None:
    images = some_images(5)
    np.testing.assert_allclose(ssim(images, images), 1.0, atol=1e-9)
    assert (ssim(images, 255 - images) < 0).all()
    assert ssim(images[:, :4, :5], images[:, :4, :5]).shape == (4,)


def test_bad_input_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be compared"):
        mean_squared(some_images(0), some_images(0, 4, 9, 8))
    with pytest.raises(UsageError, match="cannot be compared"):
        contrast_free(some_images(0)[0], some_images(0)[0])
    with pytest.raises(UsageError, match="2×2"):
        ssim(some_images(0, 1, 1, 1), some_images(0, 1, 1, 1))
