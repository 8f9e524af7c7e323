"""Accuracies that raise the question of class order, with the likely cause."""

from replicate.zoo.classmaps import near_chance
from replicate.zoo.output_maps import sorted_as_text
from replicate.zoo.prediction_files import PredictionFile


def doubt(found: PredictionFile, remedy: str) -> str | None:
    """What is doubtful about predictions that are no better than guessing; None if they are.

    The usual cause is named if it explains them: folders 0, 1, 10, … that were sorted as text.

    Args:
        found: The predictions.
        remedy: What to do about a wrong order, as it ends a sentence.
    """
    n, right = found.counts
    classes = found.header["classes"]
    words = near_chance(right, n, len(classes))
    if words is None:
        return None
    share = sorted_as_text(found.labels, found.scored.classes[:, 0], len(classes))
    if share > max(3 * right / n, 0.2):
        return (
            f"{words} If the folders 0, 1, 10, … were read as text it would be "
            f"{100 * share:.0f} %: {remedy}."
        )
    return words
