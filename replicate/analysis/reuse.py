"""How far a test set that was used again and again can have misled its users.

Bounds on the largest difference, over all models that were scored, between the accuracy on the
set and the accuracy on its whole distribution. They differ in what is assumed of how the models
came about.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from replicate.base.errors import UsageError


@dataclass(frozen=True)
class ReuseBounds:
    """Half-widths that hold for all models at once, as fractions.

    Attributes:
        n: Items of the test set.
        models: Models that were scored.
        single: One model chosen beforehand (Hoeffding).
        fixed: All models chosen beforehand, whatever their likeness (Hoeffding, union bound).
        fixed_at_accuracy: The same by the binomial tail at the given accuracy, which is tighter
            away from one half (Chernoff with the Kullback–Leibler divergence); NaN without it.
        alike: All models chosen beforehand and as alike as they were seen to be: the normal
            quantile of the effective number of models; NaN where it is not known.
        adaptive: Each model chosen after all accuracies before it were seen to `bits` bits.
        bits: Bits of each accuracy that a user is taken to act on.
    """

    n: int
    models: int
    single: float
    fixed: float
    fixed_at_accuracy: float
    alike: float
    adaptive: float
    bits: float


def reuse_bounds(
    n: int,
    models: int,
    *,
    accuracy: float | None = None,
    effective_number: float | None = None,
    bits: float | None = None,
    level: float = 0.95,
) -> ReuseBounds:
    """Bounds on what reuse of a test set can have done.

    Hoeffding: P(|A − p| ≥ ε) ≤ 2 exp(−2nε²), so k models fixed beforehand need
    ε = √(ln(2k/α) / 2n). If each of k models may depend on the accuracies of those before it, told
    to b bits, there are 2^{b(k−1)} courses that the story can take, each with its k models: a union
    bound over them gives ε = √((ln(2k/α) + b(k−1) ln 2) / 2n) (Dwork et al. 2015, "Generalization
    in Adaptive Data Analysis and Holdout Reuse", description length; it grows as √(k/n), and is
    the worst that users could do, not what they do). With m_eff effective models (Mania et al.
    2019) ε = z·√(p(1 − p)/n), z the two-sided normal quantile at level^(1/m_eff).

    Args:
        n: Items of the test set, at least 1.
        models: Models that were scored on it, at least 1.
        accuracy: A typical accuracy p, in (0, 1).
        effective_number: m_eff.
        bits: b; None for what tells n + 1 accuracies apart, log₂(n + 1).
        level: 1 − α, in (0, 1).

    Raises:
        UsageError: A number is out of range.

    >>> found = reuse_bounds(10_000, 100, accuracy=0.9, effective_number=10)
    >>> round(100 * found.single, 2), round(100 * found.fixed, 2), round(100 * found.alike, 2)
    (1.36, 2.04, 0.84)
    >>> found.adaptive > found.fixed > found.fixed_at_accuracy
    True
    """
    if n < 1 or models < 1 or not 0 < level < 1:
        raise UsageError("A bound needs at least one item, one model, and a level in (0, 1).")
    if accuracy is not None and not 0 < accuracy < 1:
        raise UsageError("The accuracy of a bound lies between 0 and 1.")
    alpha, told = 1 - level, math.log2(n + 1) if bits is None else bits
    courses = told * (models - 1) * math.log(2)
    union = math.log(2 * models / alpha)
    nan = float("nan")
    alike = nan
    if accuracy is not None and effective_number is not None and math.isfinite(effective_number):
        each = level ** (1 / max(effective_number, 1.0))
        z = float(special.ndtri((1 + each) / 2))
        alike = z * math.sqrt(accuracy * (1 - accuracy) / n)
    return ReuseBounds(
        n,
        models,
        math.sqrt(math.log(2 / alpha) / (2 * n)),
        math.sqrt(union / (2 * n)),
        nan if accuracy is None else _chernoff(n, accuracy, union),
        alike,
        min(math.sqrt((union + courses) / (2 * n)), 1.0),
        told,
    )


def _chernoff(n: int, p: float, exponent: float) -> float:
    """The larger of the two ε with n·KL(p ± ε ‖ p) = exponent: the exact exponential tail."""

    def short(q: float) -> float:
        return n * _divergence(q, p) - exponent

    up = optimize.brentq(short, p, 1.0) - p if short(1.0) > 0 else 1 - p
    down = p - optimize.brentq(short, 0.0, p) if short(0.0) > 0 else p
    return float(max(up, down))


def _divergence(q: float, p: float) -> float:
    """KL between coins of heads q and p, in nats."""
    return float(np.sum(special.rel_entr([q, 1 - q], [p, 1 - p])))
