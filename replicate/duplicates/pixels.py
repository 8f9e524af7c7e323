"""Distances of the pixels of images of one size, taken side by side."""

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_FLAT = 1e-6  # squared grey levels: an image that varies less is of one grey


def mean_squared(first: Pixels, second: Pixels) -> Floats:
    """Mean squared difference of images taken side by side: squared L2 over the pixel count.

    Args:
        first: Shape (p, height, width), 0 to 255.
        second: The same shape.

    Returns:
        Shape (p,), in [0, 1].

    Raises:
        UsageError: The shapes differ.
    """
    _check_shapes(first, second)
    difference = (first.astype(np.float64) - second.astype(np.float64)) / 255.0
    result: Floats = np.square(difference).mean(axis=(1, 2))
    return result


def contrast_free(first: Pixels, second: Pixels) -> Floats:
    """Mean squared difference once both images have mean 0 and variance 1, over 4.

    That is (1 − r)/2, with r the correlation of their pixels: 0 for images that differ in
    brightness and contrast alone, about 0.5 for unrelated ones, 1 for negatives. On 8×8 digits
    it tells brightened copies from different digits where the plain difference cannot.

    Args:
        first: Shape (p, height, width), 0 to 255.
        second: The same shape.

    Returns:
        Shape (p,), in [0, 1]. Between two flat images 0, between a flat one and another 0.5.

    Raises:
        UsageError: The shapes differ.
    """
    _check_shapes(first, second)
    return _unexplained(first.astype(np.float64), second.astype(np.float64))


def moved_a_little(first: Pixels, second: Pixels, part: float = 0.125) -> Floats:
    """`contrast_free`, the best over moving the first image by a part of a pixel.

    A picture that was enlarged, moved by one pixel and shrunk again has moved by part of a
    pixel, which on 8×8 images is as large a difference as that to another digit. Nine places are
    tried: by −part, 0 and +part down and across, by linear interpolation, black coming in.

    Args:
        first: Shape (p, height, width), 0 to 255.
        second: The same shape.
        part: In pixels, in [0, 1].

    Returns:
        Shape (p,), in [0, 1], never above `contrast_free`.
    """
    _check_shapes(first, second)
    one, two = first.astype(np.float64), second.astype(np.float64)
    best = np.full(len(one), np.inf)
    for down in (0.0, -part, part):
        lowered = _move(one, down, axis=1)
        for across in (0.0, -part, part):
            best = np.minimum(best, _unexplained(_move(lowered, across, axis=2), two))
    return best


def _move(images: Floats, by: float, axis: int) -> Floats:
    if by == 0.0:
        return images
    padded = np.pad(images, [(1, 1) if side == axis else (0, 0) for side in range(3)])
    whole = images.shape[axis]
    neighbour = padded.take(np.arange(whole) + (0 if by > 0 else 2), axis=axis)
    moved: Floats = (1.0 - abs(by)) * images + abs(by) * neighbour
    return moved


def _unexplained(one: Floats, two: Floats) -> Floats:
    """(1 − r)/2 for images side by side."""
    one = one - one.mean(axis=(1, 2), keepdims=True)
    two = two - two.mean(axis=(1, 2), keepdims=True)
    size_one, size_two = np.square(one).sum(axis=(1, 2)), np.square(two).sum(axis=(1, 2))
    flat_one, flat_two = size_one < _FLAT, size_two < _FLAT
    correlation = np.where(flat_one & flat_two, 1.0, 0.0)
    known = ~(flat_one | flat_two)
    product = (one * two).sum(axis=(1, 2))
    correlation[known] = product[known] / np.sqrt(size_one[known] * size_two[known])
    return np.clip((1.0 - correlation) / 2.0, 0.0, 1.0)


def ssim(first: Pixels, second: Pixels, window: int = 7) -> Floats:
    """Structural similarity (Wang et al. 2004) of grey images taken side by side.

    Uniform windows, sample covariances, constants 0.01 and 0.03, averaged over every window
    that lies wholly inside the image.

    Args:
        first: Shape (p, height, width), 0 to 255.
        second: The same shape.
        window: Side of the window in pixels; smaller images use their smaller side.

    Returns:
        Shape (p,), in [-1, 1]; 1 for equal images.

    Raises:
        UsageError: The shapes differ, or the window holds fewer than two pixels.
    """
    _check_shapes(first, second)
    side = min(window, *first.shape[1:])
    if side < 2:
        raise UsageError("SSIM needs windows of 2×2 pixels or more.", "Compare larger images.")
    x, y = first.astype(np.float64) / 255.0, second.astype(np.float64) / 255.0
    pixels = side * side
    mean_x, mean_y = _window_means(x, side), _window_means(y, side)
    unbias = pixels / (pixels - 1)
    var_x = unbias * (_window_means(x * x, side) - mean_x**2)
    var_y = unbias * (_window_means(y * y, side) - mean_y**2)
    covariance = unbias * (_window_means(x * y, side) - mean_x * mean_y)
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    result: Floats = (above / below).mean(axis=(1, 2))
    return result


def _window_means(values: Floats, side: int) -> Floats:
    """Means over all side × side windows, by running sums."""
    sums = np.pad(values.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    total = (
        sums[:, side:, side:]
        - sums[:, :-side, side:]
        - sums[:, side:, :-side]
        + sums[:, :-side, :-side]
    )
    means: Floats = total / (side * side)
    return means


def _check_shapes(first: Pixels, second: Pixels) -> None:
    if first.shape != second.shape or first.ndim != 3:
        raise UsageError(
            f"Images of shapes {first.shape[1:]} and {second.shape[1:]} cannot be compared.",
            "Bring both to one size.",
        )
