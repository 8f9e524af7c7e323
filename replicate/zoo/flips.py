"""How many predictions change between two ways to score the same model on the same images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from replicate.analysis.intervals import mcnemar_midp
from replicate.base.errors import UsageError
from replicate.zoo.prediction_files import PredictionFile, read


@dataclass(frozen=True)
class Flips:
    """Two prediction files beside each other.

    Attributes:
        n: Images that both could read.
        flips: Images with another best class.
        top5: Images whose best five are another set.
        n_labelled: Images with a label.
        correct: Right by the first and by the second.
        only_first: Right by the first alone.
        only_second: Right by the second alone.
        p: McNemar's mid-p of equal accuracies; NaN without labels.
        largest: The largest change of a best class's score; NaN where scores are not known.
    """

    n: int
    flips: int
    top5: int
    n_labelled: int
    correct: tuple[int, int]
    only_first: int
    only_second: int
    p: float
    largest: float


def flips(first: Path, second: Path) -> Flips:
    """Compare two prediction files, image by image.

    An accuracy that hardly moves can hide many changes: as many images turn right as wrong.

    Raises:
        UsageError: They are not of the same images and classes.
        ItemError: One of them is no prediction file.
    """
    a, b = read(first), read(second)
    _same(a, b)
    both = a.readable & b.readable
    best = [side.scored.classes[both, 0] for side in (a, b)]
    labels = a.labels[both]
    known = labels >= 0
    right = [(side == labels) & known for side in best]
    one, two = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    sets = [np.sort(side.scored.classes[both], axis=1) for side in (a, b)]
    moved = np.abs(a.scored.scores[both, 0] - b.scored.scores[both, 0])
    return Flips(
        int(both.sum()),
        int((best[0] != best[1]).sum()),
        int((sets[0] != sets[1]).any(axis=1).sum()),
        int(known.sum()),
        (int(right[0].sum()), int(right[1].sum())),
        one,
        two,
        float(mcnemar_midp(one, two)) if known.any() else float("nan"),
        float(moved.max(initial=0)),
    )


def _same(a: PredictionFile, b: PredictionFile) -> None:
    if a.items != b.items:
        raise UsageError(
            f"The two are not of the same images ({len(a.items)} and {len(b.items)}).",
            "Compare predictions of one model on one set.",
        )
    if a.header["classes"] != b.header["classes"]:
        raise UsageError("The two have different classes, so their predictions cannot be compared.")
