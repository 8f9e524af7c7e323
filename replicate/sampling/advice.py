"""How many more votes or candidates a sample would need: an estimate, with its assumption."""

import math
from dataclasses import dataclass

import numpy as np

from replicate.sampling.feasibility import ORIGINAL_IMAGES, Need
from replicate.sampling.frequencies import Frequencies

ASSUMPTION = (
    "Images without enough votes, and new candidates, are taken to fall into a stratum as often "
    "as the class's candidates with enough votes do."
)


@dataclass(frozen=True)
class More:
    """What would fill a need on average.

    Attributes:
        votes: Votes on images that are there and have too few.
        candidates: Further candidates, each with as many votes as are wanted.
    """

    votes: int
    candidates: int


def more_needed(need: Need, images: Frequencies, min_votes: int) -> More:
    """What one need lacks, as votes first and as candidates where those cannot be enough.

    Args:
        need: The need.
        images: Counts of the class's candidates; of its original images for a need of those.
        min_votes: Votes that an image needs.

    >>> from replicate.sampling.frequencies import frequencies
    >>> pool = frequencies([("a", "0", 5, 5), ("b", "0", 0, 5), ("c", "0", 1, 2)])
    >>> more_needed(Need("0", "[0.8, 1]", 3, 1, 0, 2), pool, 5)
    More(votes=3, candidates=3)
    """
    if need.missing <= 0:
        return More(0, 0)
    enough = images.shown >= min_votes
    lacking = np.sort(min_votes - images.shown[~enough])
    share = 1.0
    if need.stratum != ORIGINAL_IMAGES:
        share = (need.there + 0.5) / (int(enough.sum()) + 1)
    wanted = math.ceil(need.missing / min(share, 1.0))
    return More(int(lacking[:wanted].sum()), max(0, wanted - len(lacking)))
