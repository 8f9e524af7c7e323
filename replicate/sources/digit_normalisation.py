"""NIST-style normalisation of a handwritten digit: what the makers of optdigits did.

optdigits was made with NIST's public preprocessing programs: each digit became a bitmap of 32×32
and then 8×8 counts of ink in blocks of 4×4. The steps below, and their constants, were chosen by
comparing *ink statistics* with the 3,823 optdigits training images, never by looking at any
model's accuracy. The candidates measured were 1,500 MNIST and 500 mfeat digits:

=============================  ==========  ========  ==========  ========  ========
step added                     mean ink    ink 5 %   columns     s.d. of   s.d. of
                               (of 16)     to 95 %   1 and 6     columns   slant
=============================  ==========  ========  ==========  ========  ========
optdigits, training set        4.92        4.08–5.9  1.47, 2.53  1.25      0.13
aspect kept, fit in 32×32      4.71        2.55–6.7  3.46, 3.29  1.48      0.25
bounding box to 20×32          4.22        2.62–6.2  1.90, 2.00  1.30      0.22
stroke width evened            4.90        4.19–5.6  2.48, 2.64  1.33      0.22
left edge made upright         4.90        4.19–5.6  1.70, 2.35  1.25      0.12
=============================  ==========  ========  ==========  ========  ========

(Columns 1 and 6: mean count of the second and the seventh of the 8 columns; the outermost hold
0.01 and 0.09 in optdigits, 0.02 and 0.13 here. s.d. of columns: the ink's horizontal spread.)

Three details are visible in optdigits itself. The counts of columns 1 and 6 break off at 8 of 16:
the bounding box was stretched to 20 of 32 columns, whatever its aspect. Ink hardly differs from
digit to digit (a 1 has 5.1, an 8 has 5.3): thin strokes were thickened, thick ones thinned. And
the leftmost ink of the top row stands above the leftmost ink of the bottom row in every class
(difference 0.0 ± 0.35 columns, while the right edges differ by −2.1 for a 2 to +2.5 for a 7): the
slant was taken out by a shear that aligns these two points.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.errors import ItemError

SIDE = 32
BOX_WIDTH = 20
INK_TARGET = 315
MIN_CONTRAST = 32
MAX_STROKE_STEPS = 6

Grey = npt.NDArray[np.uint8]
Bitmap = npt.NDArray[np.bool_]


def normalise(grey: Grey) -> Grey:
    """The 8×8 ink counts of a picture of one digit.

    Args:
        grey: Shape (height, width), 0 to 255; dark ink on a bright ground or the reverse.

    Returns:
        Shape (8, 8), values 0 to 16.

    Raises:
        ItemError: With reason ``no_ink``: the picture is (almost) of one grey.
    """
    ink = crop(find_ink(grey))
    bitmap = upright(even_stroke(fit(ink)))
    counts: Grey = bitmap.reshape(8, 4, 8, 4).sum(axis=(1, 3)).astype(np.uint8)
    return counts


def otsu(grey: Grey) -> int:
    """Otsu's threshold: ink or ground is whatever is above it.

    The threshold t maximises the variance between the two groups ≤ t and > t (Otsu 1979). Where
    several do equally well, their middle is taken.
    """
    counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    below = counts.cumsum()
    sums = (counts * np.arange(256)).cumsum()
    weight = below * (below[-1] - below)
    spread = (sums[-1] * below / below[-1] - sums) ** 2
    between = np.divide(spread, weight, out=np.zeros(256), where=weight > 0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return int((best[0] + best[-1]) // 2)


def find_ink(grey: Grey) -> Bitmap:
    """Where the ink is: the side of Otsu's threshold that the picture's frame is not on.

    Raises:
        ItemError: With reason ``no_ink``.
    """
    if int(grey.max()) - int(grey.min()) < MIN_CONTRAST:
        raise ItemError("no_ink", "the picture is of one grey: there is no ink on it")
    bright = grey > otsu(grey)
    frame = np.concatenate([bright[0], bright[-1], bright[1:-1, 0], bright[1:-1, -1]])
    return ~bright if 2 * np.count_nonzero(frame) > frame.size else bright


def crop(ink: Bitmap) -> Bitmap:
    """The bounding box of the ink."""
    ys = np.flatnonzero(ink.any(axis=1))
    xs = np.flatnonzero(ink.any(axis=0))
    return ink[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]


def fit(ink: Bitmap) -> Bitmap:
    """Stretch to 20 columns and 32 rows, in the middle of 32×32."""
    image = Image.fromarray(ink.astype(np.uint8) * np.uint8(255))
    box = np.asarray(image.resize((BOX_WIDTH, SIDE), Image.Resampling.BILINEAR)) > 127
    bitmap = np.zeros((SIDE, SIDE), dtype=np.bool_)
    margin = (SIDE - BOX_WIDTH) // 2
    bitmap[:, margin : margin + BOX_WIDTH] = box
    return bitmap


def even_stroke(bitmap: Bitmap) -> Bitmap:
    """Thicken or thin the strokes by whole pixels while that brings the ink nearer to its target.

    The target is 315 of 1,024 pixels, optdigits' mean ink.
    """
    for _ in range(MAX_STROKE_STEPS):
        count = int(np.count_nonzero(bitmap))
        step = _thicker(bitmap) if count < INK_TARGET else _thinner(bitmap)
        stepped = int(np.count_nonzero(step))
        if stepped == 0 or abs(stepped - INK_TARGET) >= abs(count - INK_TARGET):
            break
        bitmap = step
    return bitmap


def _thicker(bitmap: Bitmap) -> Bitmap:
    wide = np.pad(bitmap, 1)
    return bitmap | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]


def _thinner(bitmap: Bitmap) -> Bitmap:
    # Beyond the edge counts as ink, or strokes that touch the edge would leave the box.
    wide = np.pad(bitmap, 1, mode="edge")
    return bitmap & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]


def upright(bitmap: Bitmap) -> Bitmap:
    """Shear so that the leftmost ink of the top row stands above that of the bottom row."""
    top, bottom = np.flatnonzero(bitmap[0]), np.flatnonzero(bitmap[-1])
    if len(top) == 0 or len(bottom) == 0:
        return bitmap
    slope = (bottom[0] - top[0]) / (SIDE - 1)
    shift = np.rint(slope * (np.arange(SIDE) - (SIDE - 1) / 2)).astype(np.int64)
    source = np.arange(SIDE)[None, :] + shift[:, None]
    inside = (source >= 0) & (source < SIDE)
    sheared: Bitmap = bitmap[np.arange(SIDE)[:, None], source.clip(0, SIDE - 1)] & inside
    return sheared
