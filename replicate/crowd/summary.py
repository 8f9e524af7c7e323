"""What a table of selection frequencies says: intervals, the mean, the histogram."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from replicate.analysis.clustered import (
    MeanFrequency,
    effective_counts,
    mean_of_counts,
    mean_of_votes,
)
from replicate.analysis.votes import frequencies, intraclass_correlation

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
_PAIR = ["image_id", "class_id"]


@dataclass(frozen=True)
class Summary:
    """Some images' selection frequencies.

    Attributes:
        n_images: The images, with votes or without.
        n_without: Those without votes; they have no frequency.
        mean: The mean over the others, with its intervals.
        icc: Intra-class correlation of the votes on an image; NaN if it cannot be told.
        histogram: Images with a frequency in [0, 0.1), [0.1, 0.2) … [0.9, 1].
    """

    n_images: int
    n_without: int
    mean: MeanFrequency
    icc: float
    histogram: tuple[int, ...]


def with_intervals(
    counts: "pd.DataFrame", votes: "pd.DataFrame | None" = None, level: float = 0.95
) -> "pd.DataFrame":
    """Add each image's frequency and its Wilson interval: NaN where there are no votes.

    Args:
        counts: One row an (image, class): image_id, class_id, shown, selected.
        votes: The single votes behind them (image_id, class_id, worker, yes), if they are known:
            several votes of one worker on one image are then worth less than as many workers'.
        level: The confidence level, in (0, 1).

    Returns:
        The table with the columns frequency, low and high added.
    """
    selected = counts["selected"].to_numpy(np.float64)
    shown = counts["shown"].to_numpy(np.float64)
    if votes is not None and len(votes):
        image, worker = _codes(counts, votes)
        selected, shown = effective_counts(image, worker, votes["yes"], len(counts))
        selected = np.minimum(selected, shown)
    found = frequencies(selected, shown, level)
    return counts.assign(frequency=found.frequency, low=found.low, high=found.high)


def summarise(
    counts: "pd.DataFrame", votes: "pd.DataFrame | None" = None, level: float = 0.95
) -> Summary:
    """The mean with its intervals, the intra-class correlation and the histogram.

    Args:
        counts: As for `with_intervals`.
        votes: The single votes; with them the mean has intervals over workers.
        level: The confidence level, in (0, 1).
    """
    selected, shown = counts["selected"].to_numpy(np.int64), counts["shown"].to_numpy(np.int64)
    seen = shown > 0
    if votes is None:
        mean = mean_of_counts(selected, shown, level)
    else:
        mean = mean_of_votes(*_codes(counts, votes), votes["yes"], level)
    # Whole numbers: a frequency of exactly 0.3 belongs to [0.3, 0.4), whatever 3 / 10 rounds to.
    place = np.minimum(BINS * selected[seen] // shown[seen], BINS - 1)
    histogram = np.bincount(place, minlength=BINS)
    return Summary(
        n_images=len(counts),
        n_without=int((~seen).sum()),
        mean=mean,
        icc=intraclass_correlation(selected, shown),
        histogram=tuple(int(n) for n in histogram),
    )


def _codes(
    counts: "pd.DataFrame", votes: "pd.DataFrame"
) -> "tuple[np.typing.NDArray[np.intp], np.typing.NDArray[np.intp]]":
    """The row of `counts` that each vote belongs to, and its worker as a number."""
    import pandas as pd

    images = pd.MultiIndex.from_frame(counts[_PAIR])
    image = images.get_indexer(pd.MultiIndex.from_frame(votes[_PAIR]))
    return image, pd.factorize(votes["worker"], sort=True)[0]
