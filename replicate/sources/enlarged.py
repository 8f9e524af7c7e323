"""Recognising a picture that is a smaller one enlarged, and getting the smaller one back.

Somebody who puts an 8×8 digit on the web enlarges it first. Normalising that as if it were a
photo of handwriting would give another digit than the one it was made from; so near-duplicates of
the original would hide. Enlarging by a standard kernel is linear: a picture G of N×N pixels made
from a small S is G = U·S·Uᵀ, with U of shape (N, 8). The small picture is found by least squares,
and how much of G it leaves unexplained tells whether G was made so at all.
"""

import functools

import numpy as np
import numpy.typing as npt
from PIL import Image

KERNELS = (
    Image.Resampling.BICUBIC,
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.LANCZOS,
)
SHIFTS = (-1, 0, 1)
MIN_FACTOR, MAX_SIDE = 3, 512
MAX_UNEXPLAINED = 0.15

Real = npt.NDArray[np.float64]


@functools.lru_cache(maxsize=64)
def _bases(small: int, large: int, kernel: int) -> tuple[Real, Real]:
    """For each shift, an orthonormal basis of what U can make, and U's pseudo-inverse.

    Returns:
        Shapes (3, large, small) and (3, small, large).
    """
    unit = Image.fromarray(np.eye(small, dtype=np.float32))
    straight = np.asarray(unit.resize((small, large), Image.Resampling(kernel)), dtype=np.float64)
    moved = [straight[np.clip(np.arange(large) - shift, 0, large - 1)] for shift in SHIFTS]
    bases = np.stack([np.linalg.qr(matrix)[0] for matrix in moved])
    inverses = np.stack([np.linalg.pinv(matrix) for matrix in moved])
    return bases, inverses


def shrink_back(
    grey: npt.NDArray[np.uint8], side: int = 8, max_unexplained: float = MAX_UNEXPLAINED
) -> Real | None:
    """The small picture that a picture was enlarged from, if it was.

    Enlargements by Pillow's bicubic, nearest, bilinear and Lanczos kernels are recognised, also
    when moved by one pixel, brightened, darkened or recompressed.

    Args:
        grey: Shape (height, width), 0 to 255.
        side: Pixels of the small picture's side.
        max_unexplained: The root mean square of what the small picture leaves unexplained may
            be this share of the picture's standard deviation.

    Returns:
        The small picture, shape (side, side), its darkest pixel 0.0 and its brightest 1.0;
        or None: the picture is not square, too small or too large, of one grey, or has more
        detail than an enlarged one can have.
    """
    large = grey.shape[0]
    if grey.shape != (large, large) or not MIN_FACTOR * side <= large <= MAX_SIDE:
        return None
    picture = grey.astype(np.float64)
    picture -= picture.mean()
    energy = float((picture**2).sum())
    if energy == 0.0:
        return None
    best, found = max_unexplained**2, None
    for kernel in KERNELS:
        bases, inverses = _bases(side, large, int(kernel))
        columns = picture @ bases  # (3, large, side): one for each shift in x
        for y, basis in enumerate(bases):
            explained = ((basis.T @ columns) ** 2).sum(axis=(1, 2))
            x = int(explained.argmax())
            unexplained = max(0.0, 1.0 - float(explained[x]) / energy)
            # A tie goes to the kernel that comes first, not to rounding.
            if unexplained < best - 1e-9:
                best, found = unexplained, inverses[y] @ picture @ inverses[x].T
    if found is None:
        return None
    low, high = float(found.min()), float(found.max())
    stretched: Real = (found - low) / (high - low)
    return stretched
