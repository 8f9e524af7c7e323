"""How small a gap a set can show, and how large a set must be to show a given one.

The two-proportion formula: with accuracy p on the original's n₁ and about the same on the new
set's n₂ images, a gap d is shown with the given power where
d ≥ (z_{1−α/2} + z_power) · sqrt(p(1 − p)(1/n₁ + 1/n₂)) (Fleiss, Levin and Paik 2003, chapter 4).
The formula takes the variance at p for both sides; *exact* variants take that of p − d for the
new one, whose accuracy is lower and so varies more.
"""

from dataclasses import dataclass

from scipy import optimize, special

from replicate.base.errors import UsageError


@dataclass(frozen=True)
class Power:
    """What a new set can show.

    Attributes:
        accuracy: The accuracy on the original, a fraction.
        n_original: Images of the original; None if its accuracy is taken as known.
        n_new: Images of the new set.
        gap: The gap that is shown, a fraction.
        gap_unequal: The same where the new set's lower accuracy has its own variance; NaN if no
            gap is large enough.
        level: 1 − the risk of a false alarm (two-sided).
        power: The chance of showing a gap of that size.
    """

    accuracy: float
    n_original: int | None
    n_new: int
    gap: float
    gap_unequal: float
    level: float
    power: float


def _z(level: float, power: float) -> float:
    if not (0 < level < 1 and 0 < power < 1):
        raise UsageError("The level and the power lie between 0 and 1.")
    return float(special.ndtri((1 + level) / 2) + special.ndtri(power))


def smallest_gap(
    accuracy: float,
    n_new: int,
    n_original: int | None = None,
    *,
    level: float = 0.95,
    power: float = 0.8,
) -> Power:
    """The smallest accuracy gap that a new set of n images shows.

    Args:
        accuracy: The accuracy on the original, in (0, 1).
        n_new: Images of the new set, at least 1.
        n_original: Images of the original; None to take its accuracy as known.
        level: 1 − the risk of a false alarm, in (0, 1).
        power: The chance to show it, in (0, 1).

    Raises:
        UsageError: A number is out of range.

    >>> round(100 * smallest_gap(0.93, 2021, 10_000).gap, 2)  # CIFAR-10.1
    1.74
    >>> round(100 * smallest_gap(0.76, 10_000, 50_000).gap, 2)  # ImageNetV2
    1.31
    """
    z, inverse = _z(level, power), _inverse(accuracy, n_original)
    if n_new < 1:
        raise UsageError("A new set has at least one image.")
    variance = accuracy * (1 - accuracy)
    gap = z * (variance * (inverse + 1 / n_new)) ** 0.5

    def short_of(d: float) -> float:
        other = (accuracy - d) * (1 - accuracy + d)
        return d - z * float((variance * inverse + max(other, 0.0) / n_new) ** 0.5)

    nan = float("nan")
    found = short_of(accuracy) > 0
    unequal = float(optimize.brentq(short_of, 0.0, accuracy)) if found else nan
    return Power(accuracy, n_original, n_new, float(gap), unequal, level, power)


def images_needed(
    accuracy: float,
    gap: float,
    n_original: int | None = None,
    *,
    level: float = 0.95,
    power: float = 0.8,
) -> int | None:
    """Images of a new set that show a given gap; None where no number does.

    An original that is small leaves noise that no new set takes away.

    Args:
        accuracy: The accuracy on the original, in (0, 1).
        gap: The gap to show, in (0, 1), no larger than the accuracy.
        n_original: Images of the original; None to take its accuracy as known.
        level: 1 − the risk of a false alarm, in (0, 1).
        power: The chance to show it, in (0, 1).

    Raises:
        UsageError: A number is out of range.

    >>> images_needed(0.76, 0.0131, 50_000), images_needed(0.76, 0.001, 50_000)
    (10014, None)
    """
    z, inverse = _z(level, power), _inverse(accuracy, n_original)
    if not 0 < gap < 1:
        raise UsageError("A gap to show lies between 0 and 1.")
    if gap > accuracy:
        raise UsageError("A gap to show is no larger than the accuracy on the original.")
    room = (gap / z) ** 2 / (accuracy * (1 - accuracy)) - inverse
    if room <= 0:
        return None
    return int(-(-1 // room)) if room < 1 else 1


def images_needed_matched(
    discordant: float, gap: float, *, level: float = 0.95, power: float = 0.8
) -> int:
    """Matched items that show a given gap, by McNemar's test (Connor 1987).

    n = (z_{1−α/2} √ψ + z_power √(ψ − d²))² / d², with ψ the share of items on which the two
    sides differ.

    Args:
        discordant: ψ, at least the gap.
        gap: The gap d to show, in (0, 1).
        level: 1 − the risk of a false alarm, in (0, 1).
        power: The chance to show it, in (0, 1).

    Raises:
        UsageError: The gap is larger than the share that differs.

    >>> images_needed_matched(0.1, 0.02)
    1960
    """
    _z(level, power)
    if not 0 < gap <= discordant <= 1:
        raise UsageError("The share of items that differ is at least the gap, at most 1.")
    alpha, beta = special.ndtri((1 + level) / 2), special.ndtri(power)
    root = alpha * discordant**0.5 + beta * (discordant - gap**2) ** 0.5
    return int(-(-((root / gap) ** 2) // 1))


def _inverse(accuracy: float, n_original: int | None) -> float:
    if not 0 < accuracy < 1:
        raise UsageError("An accuracy to plan with lies between 0 and 1.")
    if n_original is None:
        return 0.0
    if n_original < 1:
        raise UsageError("An original has at least one image.")
    return 1 / n_original
