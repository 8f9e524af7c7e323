"""What votes cost: the smallest gap that is shown at equal selection frequencies.

A gap adjusted for selection frequencies is noisier than a plain one, for the votes are few. There
is no formula for by how much, so it is tried out: sets are simulated from a beta distribution of
true frequencies with the given intra-class correlation, judged by so many people, adjusted by the
recommended estimator, again and again, and the spread of the estimates is the standard error; with
fewer than five votes also the bias that intervals then allow for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from replicate.analysis.adjust import Judged, adjusted_gaps
from replicate.analysis.adjust_cautions import ENOUGH_VOTES
from replicate.analysis.adjust_estimators import ESTIMATORS, RECOMMENDED
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

VOTES = (3, 5, 10, 20, 40)


@dataclass(frozen=True)
class VotePower:
    """What sets with so many votes an image can show.

    Attributes:
        votes: People who judge each image.
        estimator: The estimator that is recommended.
        error: The standard error of the adjusted gap, a fraction.
        gap: The smallest gap that is shown.
        plain: The smallest gap without any adjustment, from the same simulations.
    """

    votes: int
    estimator: str
    error: float
    gap: float
    plain: float


def gaps_by_votes_needed(
    n_original: int,
    n_new: int,
    accuracy: float,
    *,
    icc: float = 0.3,
    frequency: float = 0.75,
    rise: float = 0.5,
    votes: Sequence[int] = VOTES,
    seed: int = 0,
    runs: int = 200,
    level: float = 0.95,
    power: float = 0.8,
) -> tuple[VotePower, ...]:
    """The smallest adjusted gap that is shown, by votes an image.

    Each image has a true frequency s from a beta distribution of mean ``frequency`` whose
    intra-class correlation is ``icc`` (its shape parameters sum to 1/icc − 1); models are right
    on it with probability ``accuracy`` + ``rise``·(s − ``frequency``), cut to [0, 1].

    Args:
        n_original: Judged images of the original.
        n_new: Judged images of the new set.
        accuracy: A model's accuracy, in (0, 1).
        icc: Intra-class correlation of votes, in (0, 1); 0.21 and 0.39 in real votes.
        frequency: The mean true frequency, in (0, 1).
        rise: By how much accuracy rises from s = 0 to s = 1.
        votes: How many votes to try.
        seed: The seed of the simulations.
        runs: Simulations for each number of votes.
        level: 1 − the risk of a false alarm, in (0, 1).
        power: The chance to show the gap, in (0, 1).

    Raises:
        UsageError: A number is out of range.

    >>> found = gaps_by_votes_needed(300, 300, 0.8, votes=(5, 20), runs=30)
    >>> found[0].gap > found[1].gap * 0.8, found[0].gap > found[0].plain * 0.8
    (True, True)
    """
    shares = (accuracy, icc, frequency, level, power)
    if not all(0 < share < 1 for share in shares) or min(n_original, n_new) < 2 or runs < 2:
        raise UsageError(
            "Accuracy, icc, frequency, level and power lie between 0 and 1; sets have images."
        )
    if any(n < 2 for n in votes):
        raise UsageError("One vote says nothing about a true frequency: ask for two or more.")
    z = float(special.ndtri((1 + level) / 2) + special.ndtri(power))
    total = 1 / icc - 1
    shape = (frequency * total, (1 - frequency) * total)
    found = []
    for n in votes:
        adjusted, plain, allowed = [], [], 0.0
        for run in range(runs):
            rng = stream(seed, "vote-power", n, run)
            sides = []
            for size in (n_original, n_new):
                s = rng.beta(*shape, size)
                chance = np.clip(accuracy + rise * (s - frequency), 0, 1)
                right = (rng.random(size) < chance).astype(np.float64)
                sides.append(Judged(rng.binomial(n, s), np.full(size, n), right))
            gaps = adjusted_gaps(
                sides[0], sides[1], seed, resamples=2, level=level,
                estimators={RECOMMENDED: ESTIMATORS[RECOMMENDED]},
            )  # fmt: skip
            adjusted.append(gaps.estimators[RECOMMENDED].gap)
            plain.append(gaps.raw.gap)
            allowed += gaps.estimators[RECOMMENDED].allowance / runs if n < ENOUGH_VOTES else 0.0
        error = float(np.hypot(np.std(adjusted, ddof=1), allowed))
        found.append(VotePower(n, RECOMMENDED, error, z * error, z * float(np.std(plain, ddof=1))))
    return tuple(found)


def votes_needed(found: Sequence[VotePower], gap: float) -> int | None:
    """The fewest votes an image that show a gap; None where none of those tried do.

    >>> one = VotePower(5, "moments", 0.01, 0.028, 0.02)
    >>> votes_needed([one], 0.03), votes_needed([one], 0.02)
    (5, None)
    """
    enough = [item.votes for item in found if item.gap <= gap]
    return min(enough) if enough else None
