"""What `replicate transfer --fine-tune` does with one model."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate.cli.output import say

if TYPE_CHECKING:
    from replicate.zoo.fine_tuning import Recipe, Views
    from replicate.zoo.image_sets import ImageSet
    from replicate.zoo.loaded import LoadedModel


def fine_tuned(
    open_model: "Callable[[], LoadedModel]",
    sides: "tuple[ImageSet, ImageSet]",
    output: Path,
    recipe: "Recipe",
    device: str,
) -> dict[str, Any]:
    """Fine-tune a model on one side and test it on the other, unless the result is there.

    Args:
        open_model: Gives the model as it was.
        sides: Training and test set, with classes; the test set's are among the training set's.
        output: The folder where results are kept.
        recipe: How.
        device: Where it runs.

    Raises:
        ItemError: The model cannot be fine-tuned.
    """
    from replicate.base.files import read_json, write_json
    from replicate.zoo.fine_tuning import fine_tune, recipe_digest

    model = open_model()
    digest = recipe_digest(model, (sides[0].digest, sides[1].digest), recipe, device)
    folder = output / "fine-tuned"
    path, work = folder / f"{digest[:32]}.json", folder / ".work" / digest[:32]
    if path.is_file():
        kept: dict[str, Any] = read_json(path)
        return kept
    names = sorted(set(sides[0].class_ids or ()))
    with (
        _views(model, sides[0], names, work) as train,
        _views(model, sides[1], names, work) as test,
    ):
        found = fine_tune(
            open_model, train.views, test.views, len(names), recipe, work, device=device,
            progress=lambda done, of: say(f"{model.name}: {done} of {of} epochs"),
        )  # fmt: skip
        value = _measures(found.scores, test.views.classes)
    value |= {
        "model": model.name, "train": sides[0].name, "test": sides[1].name, "rate": found.rate,
        "by_rate": {f"{rate:g}": share for rate, share in found.by_rate.items()},
        "recipe": asdict(recipe) | {"rates": list(recipe.rates)}, "device": device,
        "weights": model.weights_digest, "preprocessing": model.description.preprocessing,
        "n_train": len(train.views.classes), "failed_images": train.failed + test.failed,
    }  # fmt: skip
    write_json(path, value)
    shutil.rmtree(work, ignore_errors=True)
    return value


@dataclass(frozen=True)
class _Side:
    """The readable images of a set, as a model sees them."""

    views: "Views"
    failed: int


@contextmanager
def _views(
    model: "LoadedModel", images: "ImageSet", names: list[str], work: Path
) -> Iterator[_Side]:
    """One side's images, on disk while the block runs."""
    import numpy as np

    from replicate.zoo.fine_tuning import Views
    from replicate.zoo.machine import usable_threads
    from replicate.zoo.view_cache import cut_views

    view, places = model.description.view, range(len(images.items))
    place = {name: at for at, name in enumerate(names)}
    codes = np.array([place[name] for name in images.class_ids or ()], np.int64)
    with cut_views(images.read, places, [view], work, usable_threads()) as cache:
        whole, keep = Views(cache.views[view], codes), np.ones(len(codes), np.bool_)
        keep[list(cache.failed)] = False
        yield _Side(whole if keep.all() else whole.part(keep), len(cache.failed))


def _measures(scores: Any, classes: Any) -> dict[str, Any]:
    import numpy as np

    from replicate.analysis.intervals import clopper_pearson
    from replicate.analysis.probe import mean_average_precision

    right = scores.argmax(axis=1) == classes
    n, correct = len(right), int(right.sum())
    ends = clopper_pearson(correct, n)
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "ci": [ends.low, ends.high],
        "mean_per_class": float(np.mean([right[classes == c].mean() for c in np.unique(classes)])),
        "average_precision": mean_average_precision(scores, classes),
    }
