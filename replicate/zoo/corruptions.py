"""Corruptions of photographs at five severities: common, synthetic, meant to fool nobody.

Formulas and constants are those of ImageNet-C (Hendrycks and Dietterich 2019, "Benchmarking Neural
Network Robustness to Common Corruptions and Perturbations", appendix B, and its published code),
made for images of 224×224 pixels, over scipy and Pillow. Of its nineteen, ``frost`` is left out,
which needs six photographs of frost, and ``spatter``. Two things differ: ``motion_blur`` and
``snow`` shift images by whole pixels where ImageMagick did it, and ``glass_blur`` exchanges pixels
where a slip in the published code copied them.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Corruption = Callable[[Pixels, int, np.random.Generator], Any]
SEVERITIES = (1, 2, 3, 4, 5)
VERSION = 1  # a change of any pixel must change this number


def corrupt(pixels: Pixels, kind: str, severity: int, random: np.random.Generator) -> Pixels:
    """A corrupted image.

    Args:
        pixels: RGB, uint8, shape (height, width, 3), sides of at least 32.
        kind: A key of `CORRUPTIONS`.
        severity: 1 to 5.
        random: Where noise comes from.

    Returns:
        The same shape.

    >>> grey = np.full((32, 32, 3), 128, np.uint8)
    >>> int(corrupt(grey, "brightness", 5, np.random.default_rng(0)).min())
    255
    """
    found = np.asarray(CORRUPTIONS[kind](pixels, severity - 1, random))
    return found if found.dtype == np.uint8 else (np.clip(found, 0, 1) * 255).astype(np.uint8)


def _gaussian_noise(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    return pixels / 255 + random.normal(0, (0.08, 0.12, 0.18, 0.26, 0.38)[at], pixels.shape)


def _shot_noise(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    photons = (60, 25, 12, 5, 3)[at]
    return random.poisson(pixels / 255 * photons) / photons


def _impulse_noise(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[at]
    flipped, white = random.random((2, *pixels.shape))
    return np.where(flipped < share, np.where(white < 0.5, 1.0, 0.0), pixels / 255)


def _speckle_noise(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    noise = random.normal(0, (0.15, 0.2, 0.35, 0.45, 0.6)[at], pixels.shape)
    return pixels / 255 * (1 + noise)


def _gaussian(values: Any, sigma: float) -> Floats:
    from scipy.ndimage import gaussian_filter

    found: Floats = gaussian_filter(
        np.asarray(values, np.float64), (sigma, sigma, 0)[: np.ndim(values)], mode="nearest"
    )
    return found


def _gaussian_blur(pixels: Pixels, at: int, _random: np.random.Generator) -> Floats:
    return _gaussian(pixels / 255, (1, 2, 3, 4, 6)[at])


def _glass_blur(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    sigma, most, times = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[at]
    soft = (_gaussian(pixels / 255, sigma) * 255).astype(np.uint8)
    height, width = soft.shape[:2]
    cells = [tuple(cell) for cell in soft.reshape(-1, 3).tolist()]
    rows, columns = range(height - most, most, -1), range(width - most, most, -1)
    for _ in range(times):
        moves = iter(random.integers(-most, most, (len(rows) * len(columns), 2)).tolist())
        for row in rows:
            for column in columns:
                right, down = next(moves)
                here, there = row * width + column, (row + down) * width + column + right
                cells[here], cells[there] = cells[there], cells[here]
    return _gaussian(np.array(cells).reshape(soft.shape) / 255, sigma)


def _defocus_blur(pixels: Pixels, at: int, _random: np.random.Generator) -> Floats:
    from scipy.ndimage import correlate

    kernel = _disk(*((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))[at])
    layers = [correlate(pixels[..., c] / 255, kernel, mode="mirror") for c in range(3)]
    return np.stack(layers, axis=2)


def _disk(radius: int, blur: float) -> Floats:
    """A disk of sum 1, before its edge is blurred."""
    from scipy.ndimage import correlate1d

    side, half = (8, 1) if radius <= 8 else (radius, 2)
    line = np.arange(-side, side + 1)
    disk = ((line[:, None] ** 2 + line**2) <= radius**2).astype(np.float64)
    weights = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * blur**2))
    disk /= disk.sum()
    for axis in (0, 1):
        disk = correlate1d(disk, weights / weights.sum(), axis, mode="mirror")
    return disk


def _motion(values: Any, radius: int, sigma: float, angle: float) -> Floats:
    """Copies along a line, ever fainter, edges repeated; ``angle`` in degrees."""
    width = 2 * radius + 1
    weights = np.exp(-(np.arange(width) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    found = np.zeros(np.shape(values))
    height, length = found.shape[:2]
    for step, weight in enumerate(weights):
        down = -int(np.ceil(step * np.sin(np.deg2rad(angle)) - 0.5))
        right = -int(np.ceil(step * np.cos(np.deg2rad(angle)) - 0.5))
        if abs(down) >= height or abs(right) >= length:
            break
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(length) - right, 0, length - 1)
        found += weight * values[rows][:, columns]
    return found


def _motion_blur(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[at]
    return _motion(pixels / 255, radius, sigma, float(random.uniform(-45, 45)))


def _zoomed(values: Any, factor: float) -> Floats:
    """The centre, enlarged to at least the size of the whole."""
    from scipy.ndimage import zoom

    height, width = (int(np.ceil(side / factor)) for side in values.shape[:2])
    top, left = (values.shape[0] - height) // 2, (values.shape[1] - width) // 2
    part = values[top : top + height, left : left + width]
    found = zoom(part, (factor, factor, 1)[: values.ndim], order=1)
    lacking = [max(0, a - b) for a, b in zip(values.shape[:2], found.shape[:2], strict=True)]
    edges = [(0, lacking[0]), (0, lacking[1]), (0, 0)][: values.ndim]
    whole: Floats = np.pad(found, edges, mode="edge")[: values.shape[0], : values.shape[1]]
    return whole


def _zoom_blur(pixels: Pixels, at: int, _random: np.random.Generator) -> Floats:
    stop, step = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))[at]
    values, factors = pixels / 255, np.arange(1, stop, step)
    total = values + sum(_zoomed(values, float(factor)) for factor in factors)
    return np.asarray(total / (len(factors) + 1))


def _snow(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    mean, spread, factor, least, radius, sigma, kept = (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )[at]
    flakes = _zoomed(random.normal(mean, spread, pixels.shape[:2]), factor)
    flakes = np.clip(np.where(flakes < least, 0, flakes), 0, 1)
    falling = _motion(flakes, int(radius), sigma, float(random.uniform(-135, -45)))[..., None]
    values = pixels / 255
    grey = values @ np.array([0.299, 0.587, 0.114])
    pale = kept * values + (1 - kept) * np.maximum(values, grey[..., None] * 1.5 + 0.5)
    return np.asarray(pale + falling + np.rot90(falling, 2))


def _fog(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    amount, decay = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[at]
    values = pixels / 255
    height, width = values.shape[:2]
    size = 1 << (max(height, width) - 1).bit_length()
    mist = _plasma(size, decay, random)[:height, :width, None]
    top = float(values.max())
    return (values + amount * mist) * top / (top + amount) if top else values + amount * mist


def _plasma(size: int, decay: float, random: np.random.Generator) -> Floats:
    """Heights in [0, 1] by the diamond-square algorithm, the edges joined."""
    heights = np.zeros((size, size))
    step, wobble = size, 100.0

    def mean(total: Floats) -> Floats:
        return total / 4 + wobble * random.uniform(-wobble, wobble, total.shape)

    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        total = corners + np.roll(corners, -1, 0)
        heights[half::step, half::step] = mean(total + np.roll(total, -1, 1))
        middles = heights[half::step, half::step]
        across = middles + np.roll(middles, 1, 0) + corners + np.roll(corners, -1, 1)
        heights[::step, half::step] = mean(across)
        down = middles + np.roll(middles, 1, 1) + corners + np.roll(corners, -1, 0)
        heights[half::step, ::step] = mean(down)
        step, wobble = half, wobble / decay
    heights -= heights.min()
    return np.asarray(heights / heights.max())


def _brightness(pixels: Pixels, at: int, _random: np.random.Generator) -> Floats:
    return _in_hsv(pixels, 2, 1, (0.1, 0.2, 0.3, 0.4, 0.5)[at])


def _saturate(pixels: Pixels, at: int, _random: np.random.Generator) -> Floats:
    return _in_hsv(pixels, 1, *((0.3, 0.0), (0.1, 0.0), (2, 0.0), (5, 0.1), (20, 0.2))[at])


def _in_hsv(pixels: Pixels, channel: int, factor: float, added: float) -> Floats:
    from matplotlib.colors import hsv_to_rgb, rgb_to_hsv

    values = rgb_to_hsv(pixels / 255)
    values[..., channel] = np.clip(values[..., channel] * factor + added, 0, 1)
    return np.asarray(hsv_to_rgb(values))


def _contrast(pixels: Pixels, at: int, _random: np.random.Generator) -> Floats:
    values = pixels / 255
    means = values.mean(axis=(0, 1))
    return np.asarray((values - means) * (0.4, 0.3, 0.2, 0.1, 0.05)[at] + means)


def _elastic_transform(pixels: Pixels, at: int, random: np.random.Generator) -> Floats:
    from scipy.ndimage import gaussian_filter, map_coordinates

    alpha = 250 * (0.05, 0.065, 0.085, 0.1, 0.12)[at]
    height, width = pixels.shape[:2]
    most, sigma = 0.005 * height, (0.01 * height, 0.01 * width)
    across, down = (
        gaussian_filter(random.uniform(-most, most, (height, width)), sigma, truncate=3) * alpha
        for _ in range(2)
    )
    rows, columns = np.mgrid[:height, :width]
    places = np.stack([rows + down, columns + across])
    layers = [
        map_coordinates(pixels[..., c] / 255, places, order=1, mode="reflect") for c in range(3)
    ]
    return np.stack(layers, axis=2)


def _pixelate(pixels: Pixels, at: int, _random: np.random.Generator) -> Pixels:
    share, image = (0.6, 0.5, 0.4, 0.3, 0.25)[at], Image.fromarray(pixels)
    small = image.resize(
        (max(1, int(image.width * share)), max(1, int(image.height * share))), Image.Resampling.BOX
    )
    return np.asarray(small.resize(image.size, Image.Resampling.NEAREST))


def _jpeg_compression(pixels: Pixels, at: int, _random: np.random.Generator) -> Pixels:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "JPEG", quality=(25, 18, 15, 10, 7)[at])
    return np.asarray(Image.open(target).convert("RGB"))


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "speckle_noise": _speckle_noise,
    "gaussian_blur": _gaussian_blur,
    "glass_blur": _glass_blur,
    "defocus_blur": _defocus_blur,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "snow": _snow,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "saturate": _saturate,
    "elastic_transform": _elastic_transform,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg_compression,
}
