"""Covariates: of the images that a match of frequencies is free to choose from, which to take.

matched-estimated says how many images of each (votes, misses) a class gives. Images of one cell are
equal to it, so the class's mean of a year, a query rank or a size can be brought to the original's
by exchanging images within cells: the numbers of each cell stay as they are. What is left over is
carried to the next class, so that it does not add up; what a class cannot match, not.

Frequencies come first. A covariate that says something of the true frequency beyond the votes would
shift true frequencies by the exchange. By how much is estimated (`tilt`), and the cells are chosen
anew so that true frequencies, covariates taken into account, have the original's moments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.sampling.frequencies import Frequencies
from replicate.sampling.tilt import Tilt, tilt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Key = tuple[str, str]
Values = Mapping[Key, tuple[float, ...]]

MISSING = "missing_covariate"
_WHERE = (
    "Covariates are columns of numbers in both tables; in a study, year and rank of the original's "
    "images come from the table that [original] metadata names."
)
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
        sd: Standard deviation within classes: root of the mean of the variances of the original's
            images and of the candidates, as in standardised differences.
    """

    name: str
    original: float
    before: float
    after: float
    sd: float

    def as_dict(self) -> dict[str, Any]:
        """JSON values.

        >>> Balance("year", 2010.0, 2012.0, 2010.5, 4.0).as_dict()["difference_before"]
        0.5
        """
        return asdict(self) | {
            "difference_before": (self.before - self.original) / self.sd,
            "difference_after": (self.after - self.original) / self.sd,
        }


@dataclass(frozen=True)
class Shift:
    """What matching covariates would have done to the mean true frequency of the set.

    Attributes:
        expected: The estimated shift, which the choice of votes made up for.
        se: Its standard error, over candidates: what may be left of it unseen.
        left: The set's mean true frequency minus the original's, by the estimates.
    """

    expected: float
    se: float
    left: float

    def as_dict(self) -> dict[str, Any]:
        """JSON values.

        >>> Shift(-0.01, 0.002, 0.0).as_dict()["se"]
        0.002
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
    left_over: float = field(init=False, default=0.0)
    _means: dict[str, Floats] = field(init=False)
    _sd: Floats = field(init=False)
    _sums: Floats = field(init=False)
    _carried: Floats = field(init=False)
    _images: int = field(init=False, default=0)
    _tilt: Tilt | None = field(init=False, default=None)
    _surplus: Floats = field(init=False)

    def __post_init__(self) -> None:
        groups: dict[str, list[tuple[float, ...]]] = {}
        keys = zip(self.counted.image_id.tolist(), self.counted.class_id.tolist(), strict=True)
        for key in keys:
            if key in self.original:
                groups.setdefault(key[1], []).append(self.original[key])
        if not groups:
            raise UsageError(
                f"No original image with enough votes has {' and '.join(self.names)}.",
                _WHERE,
            )
        self._means = {name: np.mean(rows, axis=0) for name, rows in groups.items()}
        within = np.vstack([np.array(rows) - self._means[name] for name, rows in groups.items()])
        spread = np.sqrt((within.var(axis=0) + self._variance_in_pool()) / 2)
        self._sd = np.where(spread > 0, spread, 1.0)
        self._sums = np.zeros((3, len(self.names)))
        self._carried = np.zeros(len(self.names))
        self._surplus = np.zeros(len(self.names))

    def _variance_in_pool(self) -> Floats:
        """Of each covariate, within classes, over all candidates."""
        groups: dict[str, list[tuple[float, ...]]] = {}
        for (_, class_id), row in self.pool.items():
            groups.setdefault(class_id, []).append(row)
        within = [np.array(rows) - np.mean(rows, axis=0) for rows in groups.values()]
        if not within:
            return np.zeros(len(self.names))
        found: Floats = np.vstack(within).var(axis=0)
        return found

    def of_class(self, class_id: str, images: Sequence[str]) -> list[Any]:
        """The numbers of one class, as JSON values: for digests."""
        keys = [(image, class_id) for image in images if (image, class_id) in self.pool]
        known = [
            [image, *self.original[image, of]] for image, of in self.original if of == class_id
        ]
        return [list(self.names), sorted(known), [[key[0], *self.pool[key]] for key in keys]]

    def relate(self, good: Frequencies, moments: Floats) -> None:
        """Estimate what the covariates say of true frequencies beyond the votes.

        Args:
            good: The eligible candidates, each with all covariates.
            moments: Expected powers 0 to 3 of the true share of misses (1 - frequency) of each
                given its votes, shape (n, 4).
        """
        keys = zip(good.image_id.tolist(), good.class_id.tolist(), strict=True)
        values = np.array([self.pool[key] for key in keys]) / self._sd
        mean = moments[:, 1]
        self._tilt = tilt(good, values, mean, np.maximum(moments[:, 2] - mean**2, 0.0))

    def shift(self, class_id: str, chosen: Mask, moments: Floats) -> Floats:
        """What the covariates of chosen images add to the sums of powers of their true misses.

        Args:
            class_id: The class.
            chosen: Which of its eligible candidates are taken, shape (n,).
            moments: As for `relate`, of these candidates.

        Returns:
            Shape (4,): to first order, power j changes by j times the power j - 1.
        """
        if self._tilt is None:
            return np.zeros(moments.shape[1])
        delta = -(self._tilt.surplus[class_id][chosen] @ self._tilt.slopes)
        found = np.zeros(moments.shape[1])
        found[1:] = np.arange(1, len(found)) * (delta @ moments[chosen][:, :-1])
        return found

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
                _WHERE,
            )
        raw = np.array([self.pool[image, class_id] for image in there.image_id.tolist()])
        values = ((raw - self._means[class_id]) / self._sd)[order]
        result = np.zeros_like(chosen)
        result[order] = _exchanged(values, places[order], chosen[order], self._carried)
        return result

    def settle(self, there: Frequencies, alone: Mask, chosen: Mask) -> None:
        """Take a class as drawn: its means count, and what is left over is carried.

        Args:
            there: The class's candidates.
            alone: Which would be taken by frequencies alone, shape (n,).
            chosen: Which are taken, shape (n,).
        """
        class_id = str(there.class_id[0])
        keys = [(image, class_id) for image in there.image_id.tolist()]
        taken = [key for key, each in zip(keys, chosen.tolist(), strict=True) if each]
        self.count([key for key, each in zip(keys, alone.tolist(), strict=True) if each], taken)
        values = np.array([self.pool[key] for key in taken]).reshape(-1, len(self.names))
        left = self._carried - ((values - self._means[class_id]) / self._sd).sum(axis=0)
        self._carried = np.clip(left, -_CARRIED, _CARRIED)
        if self._tilt is not None:
            self._surplus += self._tilt.surplus[class_id][chosen].sum(axis=0)

    def count(self, alone: Sequence[Key], chosen: Sequence[Key]) -> None:
        """Count images of the set, and those in their place by frequencies alone, as many."""
        for place, keys in ((1, alone), (2, chosen)):
            for key in keys:
                self._sums[place] += self.pool[key]
        for _, class_id in chosen:
            self._sums[0] += self._means[class_id]
        self._images += len(chosen)

    def frequency_shift(self) -> Shift | None:
        """What matching did to true frequencies; None if nothing was matched."""
        if self._tilt is None or not self._images:
            return None
        surplus, known = self._surplus / self._images, self._tilt
        return Shift(
            expected=float(surplus @ known.slopes),
            se=max(float(surplus @ known.covariance @ surplus), 0.0) ** 0.5,
            left=self.left_over / self._images,
        )

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
