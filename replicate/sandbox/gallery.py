"""What simulated workers remember: digits of all three packed collections.

People know digits of many hands; workers who remembered one collection only would take another
one's hand for a worse digit. So the gallery has about as many optdigits as candidates' digits.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from replicate.sources.digit_normalisation import normalise
from replicate.sources.digits import counts_to_grey, packed

EVERY = {"optdigits": 4, "mnist": 6, "mfeat": 5}


@cache
def digits_gallery() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images and labels of the gallery.

    Returns:
        Grey images of shape (n, 8, 8), bright ink on black, and labels 0 to 9 of shape (n,).
    """
    images, labels = [], []
    for name, step in EVERY.items():
        pictures, classes = packed(name)
        chosen = pictures[::step]
        if name != "optdigits":
            chosen = np.stack([normalise(_grey(picture)) for picture in chosen])
        images.append(counts_to_grey(chosen))
        labels.append(classes[::step].astype(np.int64))
    return np.concatenate(images), np.concatenate(labels)


def _grey(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A picture stretched to the whole range of grey."""
    top = int(picture.max())
    return (picture.astype(np.uint16) * 255 // max(top, 1)).astype(np.uint8)
