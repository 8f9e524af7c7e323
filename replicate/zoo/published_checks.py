"""What is wrong with published predictions, and the evidence for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from replicate.analysis.intervals import mcnemar_midp

Ids = npt.NDArray[np.int64]
# A fault must be this unlikely to be chance.
_P = 1e-3
_LEAST = 30  # items that a verdict about chance needs


@dataclass(frozen=True)
class Problem:
    """Why a model is left out of a set.

    Attributes:
        reason: A short name of the fault, such as ``worst_first``.
        evidence: What shows it, in a sentence.
    """

    reason: str
    evidence: str


def worst_first(predicted: Ids, labels: Ids) -> Problem | None:
    """Whether the last of several columns is right far more often than the first.

    Args:
        predicted: Class ids, shape (n, k), said to be best first.
        labels: The right ones, shape (n,).

    >>> truth = np.arange(40)
    >>> worst_first(np.stack([truth + 1, truth + 2, truth], 1), truth).reason
    'worst_first'
    """
    if predicted.shape[1] < 2:
        return None
    right = predicted == labels[:, None]
    first, last = right[:, 0], right[:, -1]
    best = int(right.sum(axis=0).argmax())
    if 0 < best < predicted.shape[1] - 1 and _more_often(right[:, best], first):
        return Problem(
            "columns_unsorted",
            f"column {best + 1} of {predicted.shape[1]} is right for {right[:, best].mean():.2%} "
            f"of the items, the first for {first.mean():.2%}: they are not stored best first",
        )
    steps = np.diff(predicted, axis=1)
    others = right[:, 1:].mean(axis=0).max()
    if predicted.shape[1] > 2 and others > 0.05 and (np.all(steps > 0) or np.all(steps < 0)):
        return Problem(
            "columns_unsorted",
            f"the {predicted.shape[1]} predictions of every item are sorted by class id; columns "
            f"are right for {', '.join(f'{share:.2%}' for share in right.mean(axis=0))}",
        )
    if not _more_often(last, first):
        return None
    shares = f"the last of {predicted.shape[1]} columns is right for {last.mean():.2%} of the "
    return Problem("worst_first", f"{shares}items, the first for {first.mean():.2%}")


def item_scores(values: npt.NDArray[Any], labels: Ids) -> Problem | None:
    """Whether values of items cannot be taken as how right each item is.

    Args:
        values: One an item, bool or float, shape (n,).
        labels: The right classes, shape (n,).

    >>> item_scores(np.array([0.2, 7.5]), np.array([0, 3])).reason
    'out_of_range'
    >>> item_scores(np.array([0.2, 0.5, 0.9]), np.array([0, 1, 0])).reason
    'no_classes'
    """
    if values.dtype.kind == "b":
        return None
    if values.min() < 0 or values.max() > 1:
        return Problem("out_of_range", "neither class ids nor scores in [0, 1]")
    if len(np.unique(labels)) == 2:
        return Problem(
            "no_classes",
            "values between 0 and 1, where the labels have two classes, may be probabilities: "
            "--metric auc compares them (per-item scores of such items go into a table: model, "
            "test_set, item, score)",
        )
    return None


def only_flags(predicted: Ids, labels: Ids) -> Problem | None:
    """Whether values of 0 and 1 alone may say wrong and right instead of a class.

    >>> only_flags(np.tile([[1], [0]], (40, 1)), np.arange(80) % 8).reason
    'no_classes'
    """
    kinds = len(np.unique(labels))
    if predicted.shape[1] != 1 or kinds < 3 or len(labels) < _LEAST:
        return None
    if np.unique(predicted).tolist() != [0, 1]:
        return None
    return Problem(
        "no_classes",
        f"it holds only 0 and 1, where the labels have {kinds} classes: if that means wrong and "
        f"right, say so in its name (MODEL_correct) or write true and false",
    )


def _more_often(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> bool:
    """Whether one is right more often than the other, beyond chance."""
    b, c = int((other & ~one).sum()), int((one & ~other).sum())
    return c > b and float(mcnemar_midp(b, c)) < _P


def off_by_one(predicted: Ids, labels: Ids) -> tuple[int, Problem] | None:
    """Whether predictions are right far more often once all are moved by one class.

    Returns:
        What must be added to the predictions, and the evidence; None where they fit as they are.

    >>> truth = np.tile(np.arange(4), 10)
    >>> off_by_one((truth + 1)[:, None], truth)[0]
    -1
    """
    first = predicted[:, 0]
    as_is = first == labels
    best = None
    for step in (-1, 1):
        moved = first + step == labels
        count = int(moved.sum())
        if _more_often(moved, as_is) and (best is None or count > best[0]):
            best = (count, step, float(moved.mean()))
    if best is None:
        return None
    _, step, share = best
    side = "above" if step < 0 else "below"
    return step, Problem(
        "off_by_one",
        f"predictions lie one class {side} the labels: right for {as_is.mean():.2%} of the items "
        f"as they are, for {share:.2%} once moved by {step:+d}",
    )


def class_order(predicted: Ids, labels: Ids) -> Problem | None:
    """Whether predictions at chance level fit once the classes are put in another order.

    First the order of class folders sorted as text (0, 1, 10, 11, …, 2, 20, …) is tried, then
    the one-to-one relabelling that fits best (assignment by scipy), where there are enough items.

    >>> truth = np.tile(np.arange(12), 10)
    >>> as_text = np.argsort(np.argsort([str(i) for i in range(12)]))
    >>> class_order(as_text[truth][:, None], truth).reason
    'class_order'
    """
    first = predicted[:, 0]
    count = int(max(first.max(), labels.max())) + 1
    if count < 2 or first.min() < 0 or labels.min() < 0 or count > 100_000:
        return None
    chance = 1 / max(len(np.unique(labels)), 2)
    as_is = float((first == labels).mean())
    error = float(np.sqrt(chance * (1 - chance) / len(labels)))
    if as_is > 0.5 or len(labels) < _LEAST:
        return None
    for size in sorted({count, len(np.unique(labels)), 10, 100, 1000}):
        if size < count:
            continue
        order = np.array(sorted(range(size), key=str))  # place → class
        for mapped in (order[first], np.argsort(order)[first]):
            share = float((mapped == labels).mean())
            if share > max(chance + 10 * error, 3 * as_is):
                return Problem(
                    "class_order",
                    f"right for {as_is:.2%} of the items as they are (chance: {chance:.2%}), but "
                    f"for {share:.2%} if class ids are places in a list of 0 to {size - 1} sorted "
                    f"as text (0, 1, 10, 100, …)",
                )
    if as_is > chance + 3 * error or len(labels) < 20 * count:
        return None
    table = np.bincount(first * count + labels, minlength=count * count).reshape(count, count)
    rows, columns = linear_sum_assignment(-table)
    share = float(table[rows, columns].sum()) / len(labels)
    if share < max(3 * chance, 0.3):
        return None
    return Problem(
        "class_order",
        f"right for {as_is:.2%} of the items, no better than chance, but for {share:.2%} once "
        f"the classes are relabelled one to one: their order is another one",
    )


def near_chance(
    accuracy: float, n: int, n_classes: int, others: Sequence[float], elsewhere: Sequence[float]
) -> Problem | None:
    """Whether a model is no better than guessing where everything else says that it should be.

    Args:
        accuracy: The model's accuracy on this set.
        n: The number of items.
        n_classes: How many classes the labels have.
        others: The other models' accuracies on this set.
        elsewhere: This model's accuracies on the other sets.

    >>> near_chance(0.1, 1000, 10, [0.8, 0.9], [0.85]).reason
    'near_chance'
    >>> near_chance(0.1, 1000, 10, [0.11, 0.1], [0.12]) is None
    True
    """
    chance = 1 / max(n_classes, 2)
    error = float(np.sqrt(chance * (1 - chance) / n))
    clear = chance + 0.3 * (1 - chance)
    if n < _LEAST or accuracy > chance + 3 * error:
        return None
    peers = float(np.median(others)) if others else 0.0
    own = max(elsewhere, default=0.0)
    everybody = bool(others) and max(others) <= chance + 3 * error
    if peers > clear and (own > clear or not elsewhere):
        evidence = f"the other models' median is {peers:.2%}"
    elif own > clear and (everybody or not others) and accuracy > chance - 3 * error:
        evidence = "no model does better on this set"
    else:
        return None
    if elsewhere:
        evidence += f", and on another set it is right for {own:.2%}"
    return Problem(
        "near_chance",
        f"right for {accuracy:.2%} of the items, where guessing gives {chance:.2%}; {evidence}: "
        f"are its items or classes in another order?",
    )


def same_predictions(predicted: Mapping[str, npt.NDArray[Any]], labels: Ids) -> dict[str, str]:
    """Models whose predictions are those of an earlier model, errors included.

    Args:
        predicted: First choices by model, each of shape (n,).
        labels: The right ones.

    Returns:
        The copy → the model that it copies; only where at least ten errors agree, which
        different models do not.

    >>> wrong = np.arange(20) + 1
    >>> same_predictions({"a": wrong, "b": wrong.copy(), "c": wrong + 1}, np.arange(20))
    {'b': 'a'}
    """
    seen: dict[bytes, str] = {}
    copies: dict[str, str] = {}
    for name, values in predicted.items():
        if int((values != labels).sum()) < 10:
            continue
        key = np.ascontiguousarray(values).tobytes()
        if key in seen:
            copies[name] = seen[key]
        else:
            seen[key] = name
    return copies
