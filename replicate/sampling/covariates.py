"""Covariates: of the images that a match of frequencies is free to choose from, which to take.

matched-estimated says how many images of each (votes, misses) a class gives. Images of one cell are
equal to it, so the class's mean of a year, a query rank or a size can be brought to the original's
by exchanging images within cells: the match of frequencies stays as it is, vote for vote. What is
left over is carried to the next class, so that it does not add up; what a class cannot match, not.
A covariate that says something of the true frequency beyond the votes shifts true frequencies a
little nevertheless, which only votes set aside can show.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.sampling.frequencies import Frequencies

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Values = Mapping[tuple[str, str], tuple[float, ...]]

MISSING = "missing_covariate"
_ENOUGH = 0.05  # of a standard deviation, in the sum over a class
_IN, _OUT = 32, 128  # images of a cell that one step looks at
_CARRIED = 1.0  # standard deviations, in the sum: more is no left-over
_PATIENCE = 8  # steps without a better exchange before a class is left as it is


@dataclass(frozen=True)
class Balance:
    """One covariate's mean in the original, and in the set without and with matching it.

    Attributes:
        name: The covariate.
        original: Mean over the original's images, each class counting as much as in the set.
        before: Mean of the set that frequencies alone would give.
        after: Mean of the set.
        sd: Standard deviation over the original's images, within classes.
    """

    name: str
    original: float
    before: float
    after: float
    sd: float

    def as_dict(self) -> dict[str, Any]:
        """JSON values.

        >>> Balance("year", 2010.0, 2012.0, 2010.5, 4.0).as_dict()["after"]
        2010.5
        """
        return asdict(self)


@dataclass
class Covariates:
    """Brings the means of covariates to the original's, class by class in a fixed order.

    Args:
        names: The covariates.
        pool: By (image id, class id) of the candidates: a number for each covariate.
        original: Likewise of the original's images.
        counted: The original's images whose frequencies are matched.

    Raises:
        UsageError: None of those has all the covariates.
    """

    names: tuple[str, ...]
    pool: Values
    original: Values
    counted: Frequencies
    _means: dict[str, Floats] = field(init=False)
    _sd: Floats = field(init=False)
    _sums: Floats = field(init=False)
    _carried: Floats = field(init=False)
    _images: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        groups: dict[str, list[tuple[float, ...]]] = {}
        keys = zip(self.counted.image_id.tolist(), self.counted.class_id.tolist(), strict=True)
        for key in keys:
            if key in self.original:
                groups.setdefault(key[1], []).append(self.original[key])
        if not groups:
            raise UsageError(
                f"No original image with enough votes has {' and '.join(self.names)}.",
                "Covariates are numbers, in columns of both tables.",
            )
        self._means = {name: np.mean(rows, axis=0) for name, rows in groups.items()}
        within = np.vstack([np.array(rows) - self._means[name] for name, rows in groups.items()])
        spread = within.std(axis=0)
        self._sd = np.where(spread > 0, spread, 1.0)
        self._sums = np.zeros((3, len(self.names)))
        self._carried = np.zeros(len(self.names))

    def exchange(self, there: Frequencies, places: Counts, chosen: Mask, order: Counts) -> Mask:
        """Exchange chosen images of a class for others of the same cell.

        Args:
            there: The class's candidates, each with all covariates.
            places: The cell of each, shape (n,).
            chosen: Which the match of frequencies took, shape (n,).
            order: Their random order, shape (n,): where exchanges are equal, the first is made.

        Returns:
            Which to take, shape (n,); of each cell as many as before.

        Raises:
            UsageError: The original has no image of the class that has all covariates.
        """
        class_id = str(there.class_id[0])
        if class_id not in self._means:
            raise UsageError(
                f"No original image of class {class_id} has {' and '.join(self.names)}.",
                "Covariates are numbers, in columns of both tables.",
            )
        raw = np.array([self.pool[image, class_id] for image in there.image_id.tolist()])
        mean, images = self._means[class_id], int(chosen.sum())
        values = ((raw - mean) / self._sd)[order]
        taken = _exchanged(values, places[order], chosen[order], self._carried)
        result = np.zeros_like(chosen)
        result[order] = taken
        left = self._carried - values[taken].sum(axis=0)
        self._carried = np.clip(left, -_CARRIED, _CARRIED)
        self._sums += [mean * images, raw[chosen].sum(axis=0), raw[result].sum(axis=0)]
        self._images += images
        return result

    def balance(self) -> tuple[Balance, ...]:
        """Each covariate's means over the classes so far; none if there were no classes."""
        if not self._images:
            return ()
        rows = np.vstack([self._sums / self._images, self._sd]).T.tolist()
        return tuple(Balance(name, *row) for name, row in zip(self.names, rows, strict=True))


def _exchanged(values: Floats, places: Counts, chosen: Mask, target: Floats) -> Mask:
    """Make the best exchange there is, again and again, until the sum is near the target.

    Each step looks at some images of every cell, other ones each time, so that a class of any
    size is served and images at the ends of a covariate's range are not the first to be taken.
    """
    taken = chosen.copy()
    gap = target - values[taken].sum(axis=0)
    idle = step = 0
    cells = [np.flatnonzero(places == place) for place in np.unique(places[chosen])]
    while idle < _PATIENCE and float(gap @ gap) > _ENOUGH**2:
        best, pair = float(gap @ gap) - 1e-9, None
        for cell in cells:
            inside, outside = cell[taken[cell]], cell[~taken[cell]]
            if not len(inside) or not len(outside):
                continue
            first = inside[(step * _IN + np.arange(min(_IN, len(inside)))) % len(inside)]
            other = outside[(step * _OUT + np.arange(min(_OUT, len(outside)))) % len(outside)]
            left = gap - (values[other][None] - values[first][:, None])
            size = np.einsum("ijk,ijk->ij", left, left)
            place = int(size.argmin())
            if size.flat[place] < best:
                best = float(size.flat[place])
                pair = int(first[place // len(other)]), int(other[place % len(other)])
        step += 1
        idle = 0 if pair else idle + 1
        if pair:
            taken[pair[0]], taken[pair[1]] = False, True
            gap = gap - (values[pair[1]] - values[pair[0]])
    return taken
