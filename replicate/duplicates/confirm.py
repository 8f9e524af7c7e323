"""The hash proposes, pixels decide: distances of proposed pairs, and a verdict on each.

All images are prepared ones of one size, so that a distance means the same for every pair.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.duplicates.search import Pairs

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Verdicts = npt.NDArray[np.str_]

SURE, UNSURE, DIFFERENT = "sure", "unsure", "different"
_FLAT = 1e-6  # squared grey levels: an image that varies less is of one grey
_CHUNK_VALUES = 1 << 21  # pixels of one side held in double precision at a time: 16 MiB


@dataclass(frozen=True)
class Thresholds:
    """Where the pixel distance cuts pairs into sure, unsure and different.

    Attributes:
        sure: Up to this distance (that of `moved_a_little`) two images are one and the same.
        different: Above this they are different; between the two, nobody knows.
    """

    sure: float
    different: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.sure <= self.different:
            raise UsageError(
                f"Thresholds of {self.sure} (sure) and {self.different} (different) make no sense.",
                "They are distances, 0 or more, and 'sure' is the smaller one.",
            )

    def verdicts(self, distance: Floats) -> Verdicts:
        """``sure``, ``unsure`` or ``different`` for each distance."""
        return np.where(
            distance <= self.sure, SURE, np.where(distance <= self.different, UNSURE, DIFFERENT)
        )


@dataclass(frozen=True)
class Confirmation:
    """What pixels say about proposed pairs, in the order of the pairs.

    Attributes:
        distance: What decides: the difference that brightness, contrast and a part of a pixel do
            not explain, as `moved_a_little` has it, in [0, 1], shape (p,).
        squared: The plain mean squared difference, in [0, 1], shape (p,).
        ssim: Structural similarity, in [-1, 1], shape (p,).
        verdict: ``sure``, ``unsure`` or ``different``, shape (p,).
    """

    distance: Floats
    squared: Floats
    ssim: Floats
    verdict: Verdicts


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


def confirm(
    reference: Pixels, candidates: Pixels, pairs: Pairs, thresholds: Thresholds
) -> Confirmation:
    """Let pixels decide about proposed pairs.

    Args:
        reference: Prepared grey images, shape (n, height, width).
        candidates: Prepared grey images, shape (m, height, width).
        pairs: What the hash proposes, as indices into the two.
        thresholds: Where distances are cut.
    """
    distance, squared, similarity = (np.zeros(len(pairs)) for _ in range(3))
    step = max(1, _CHUNK_VALUES // max(1, int(np.prod(reference.shape[1:]))))
    for start in range(0, len(pairs), step):
        part = slice(start, start + step)
        one, two = reference[pairs.reference[part]], candidates[pairs.candidate[part]]
        distance[part] = moved_a_little(one, two)
        squared[part] = mean_squared(one, two)
        similarity[part] = ssim(one, two)
    return Confirmation(distance, squared, similarity, thresholds.verdicts(distance))


def _check_shapes(first: Pixels, second: Pixels) -> None:
    if first.shape != second.shape or first.ndim != 3:
        raise UsageError(
            f"Images of shapes {first.shape[1:]} and {second.shape[1:]} cannot be compared.",
            "Prepare both sets with the same steps.",
        )
