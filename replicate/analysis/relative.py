"""Relative robustness: what an intervention is worth beside the model that it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from replicate.analysis.bootstrap import Resamples
from replicate.analysis.intervals import Interval


@dataclass(frozen=True)
class Relative:
    """A model beside its standard counterpart, on two sets.

    Attributes:
        model: The model with the intervention.
        standard: The model without it.
        on_original: Accuracy of the model − accuracy of the standard one, on the original.
        on_new: The same on the new set: relative robustness τ.
        interval: The interval of τ over images, both models on the same resample; None where
            nothing was resampled.
        effective: Effective robustness of the model − that of the standard one; NaN if either
            has none.
    """

    model: str
    standard: str
    on_original: float
    on_new: float
    interval: Interval | None
    effective: float


def relative_robustness(
    original: Resamples,
    new: Resamples,
    models: tuple[str, ...],
    standards: Mapping[str, str],
    rho: Mapping[str, float],
    level: float = 0.95,
) -> tuple[Relative, ...]:
    """τ(f') = accuracy of f' on the new set − that of f, its standard counterpart.

    An intervention helps where both τ and the gain in effective robustness are above zero: a
    model may lie above the line only because it lost on the original, and gain on the new set
    only because it is better everywhere. Source: Taori et al. (2020), "Measuring Robustness to
    Natural Distribution Shifts in Image Classification", section 2.

    Args:
        original: Resampled accuracies on the original, m models.
        new: Those on the new set.
        models: The m models' names.
        standards: Model → its standard counterpart; pairs with an unknown name are left out.
        rho: Model → effective robustness.
        level: The confidence level, in (0, 1).

    >>> x = np.array([[0.7, 0.6], [0.8, 0.6]])
    >>> sides = Resamples(x.mean(axis=0), x, 10), Resamples(x.mean(axis=0) - 0.1, x - 0.1, 10)
    >>> rho = {"new": 0.1, "old": 0.0}
    >>> found = relative_robustness(*sides, ("new", "old"), {"new": "old"}, rho)
    >>> found[0].standard, round(found[0].on_new, 3), found[0].effective
    ('old', 0.15, 0.1)
    """
    found = []
    for model, standard in standards.items():
        if model not in models or standard not in models or model == standard:
            continue
        i, j = models.index(model), models.index(standard)
        moved = new.accuracy[:, i] - new.accuracy[:, j]
        low, high = np.quantile(moved, [(1 - level) / 2, (1 + level) / 2])
        nan = float("nan")
        found.append(
            Relative(
                model,
                standard,
                float(original.observed[i] - original.observed[j]),
                float(new.observed[i] - new.observed[j]),
                Interval(float(low), float(high), level) if high - low > 1e-12 else None,
                rho.get(model, nan) - rho.get(standard, nan),
            )
        )
    return tuple(sorted(found, key=lambda item: (-item.on_new, item.model)))
