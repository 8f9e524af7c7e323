"""How far workers agree with each other, as counts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """How often each worker says what most of the others say.

    Attributes:
        agreed: Votes of each worker that equal the majority of the others; shape (workers,).
        compared: Votes of each worker on images where the others have a majority; where nobody
            else voted, or the others are tied, there is nothing to compare with.
    """

    agreed: Ints
    compared: Ints


def leave_one_out_agreement(
    images: npt.ArrayLike, workers: npt.ArrayLike, votes: npt.ArrayLike
) -> Agreement:
    """Compare each vote with the majority of the other workers' votes on the same image.

    All votes of the worker on the image are left out of the majority, should there be several.

    Args:
        images: The (image, class) of each vote, as codes from 0; shape (votes,).
        workers: The worker of each vote, as codes from 0; shape (votes,).
        votes: Whether each vote is a yes; shape (votes,).

    Raises:
        UsageError: The lists do not fit each other.

    >>> found = leave_one_out_agreement([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 1, 1, 0])
    >>> found.agreed.tolist(), found.compared.tolist()
    ([1, 1, 1], [2, 2, 1])
    """
    image, worker = np.asarray(images, dtype=np.int64), np.asarray(workers, dtype=np.int64)
    yes = np.asarray(votes).astype(bool)
    if not image.shape == worker.shape == yes.shape or image.ndim != 1:
        raise UsageError("Votes are three lists of the same length: images, workers, votes.")
    if image.size == 0:
        return Agreement(np.zeros(0, np.int64), np.zeros(0, np.int64))
    sign = np.where(yes, 1, -1)
    total = np.bincount(image, sign, int(image.max()) + 1)[image]
    n_workers = int(worker.max()) + 1
    _, place = np.unique(image * n_workers + worker, return_inverse=True)
    # What the others said, yeses minus noes: the image's sum without this worker's own votes.
    others = total - np.bincount(place, sign)[place]
    compared = others != 0
    agreed = compared & ((others > 0) == yes)
    return Agreement(
        np.bincount(worker[agreed], minlength=n_workers).astype(np.int64),
        np.bincount(worker[compared], minlength=n_workers).astype(np.int64),
    )
