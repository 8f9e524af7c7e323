"""Lp attacks on a sample: each model sees images that were changed against it, within a budget.

FGSM (Goodfellow, Shlens and Szegedy 2015) and PGD (Madry et al. 2018), in L∞ or L2, by foolbox.
Images are changed where the model sees them: its own view, as numbers in [0, 1]; they are not
rounded to bytes. So the predictions are of another set for every model, and say how a model fares
against this attack; a stronger one may do worse.
"""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from replicate import __version__
from replicate.base.digests import digest_value
from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.base.randomness import stream, uniform
from replicate.zoo.image_sets import ImageSet
from replicate.zoo.loaded import LoadedModel
from replicate.zoo.machine import prepare_torch, usable_threads
from replicate.zoo.output_maps import OutputMap
from replicate.zoo.pixels import DECODER
from replicate.zoo.prediction_files import Key, Scored, intact, path_of, write
from replicate.zoo.scoring import TOP
from replicate.zoo.view_cache import cut_views

if TYPE_CHECKING:
    from torch import Tensor

METHODS, NORMS = ("fgsm", "pgd"), ("linf", "l2")
BATCH = 16
_CLASSES = {
    ("fgsm", "linf"): "LinfFastGradientAttack", ("fgsm", "l2"): "L2FastGradientAttack",
    ("pgd", "linf"): "LinfPGD", ("pgd", "l2"): "L2PGD",
}  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        method: ``fgsm`` (one step) or ``pgd`` (many, from a random start).
        norm: ``linf`` or ``l2``.
        epsilon: The budget: the largest change of any number, or the length of the change, of
            images in [0, 1].
        steps: Of ``pgd``; each is 2.5 · epsilon / steps long, as its authors have it.
    """

    method: str
    norm: str
    epsilon: float
    steps: int = 40

    def __post_init__(self) -> None:
        if (self.method, self.norm) not in _CLASSES or self.epsilon <= 0 or self.steps < 1:
            raise UsageError(
                f"There is no attack {self.method} {self.norm} {self.epsilon:g} of {self.steps} "
                "steps.",
                f"Methods: {', '.join(METHODS)}; norms: {', '.join(NORMS)}; epsilon above 0.",
            )

    @property
    def name(self) -> str:
        """Its name, which sets and files have.

        >>> Attack("pgd", "linf", 2 / 255).name
        'pgd40-linf-0.007843'
        """
        steps = str(self.steps) if self.method == "pgd" else ""
        return f"{self.method}{steps}-{self.norm}-{self.epsilon:.4g}"


def sample_of(images: ImageSet, n: int, seed: int) -> ImageSet:
    """Some images of a set, the same for all models; the whole set if it has no more than n.

    Raises:
        UsageError: The set's classes are not known.
    """
    if images.class_ids is None:
        raise UsageError(f"{images.root} has images outside of class folders.")
    if len(images.items) <= n:
        return images
    order = sorted(
        range(len(images.items)),
        key=lambda at: uniform(seed, "shifts", "sample", images.items[at]),
    )
    chosen = sorted(order[:n])
    items = tuple(images.items[at] for at in chosen)
    return replace(
        images,
        name=f"{images.name}-sample{n}",
        items=items,
        class_ids=tuple(images.class_ids[at] for at in chosen),
        digest=digest_value([images.digest, list(items)]),
    )


def attack_model(
    model: LoadedModel,
    outputs: OutputMap,
    images: ImageSet,
    attack: Attack,
    output: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> tuple[Path, int]:
    """Score a model on images that are changed against it, unless that is there.

    Args:
        model: The model.
        outputs: What its outputs mean on the set.
        images: The sample, with classes.
        attack: The attack.
        output: The folder of predictions.
        seed: The seed of random starts.
        device: Where the model runs.

    Returns:
        The prediction file, and images attacked now.

    Raises:
        MissingError: foolbox is not installed.
        ItemError: With reason ``no_gradient``, ``device`` or ``model_failed``.
    """
    way = f"{DECODER}+{model.description.preprocessing}+{attack.name}-seed{seed}@1"
    precision = "fp32" if device == "cpu" else f"fp32+{device.partition(':')[0]}"
    key = Key(model.weights_digest, way, precision, outputs.name, images.digest)
    name = f"{images.name}-{attack.name}"
    path = path_of(output / name, model.name, key)
    if intact(path, key, len(images.items)):
        return path, 0
    if not model.half:  # it runs outside of torch
        raise ItemError("no_gradient", f"{model.name} has no gradients to attack it with")
    labels = outputs.labels(images.class_ids or ())
    view, work = model.description.view, output / ".work" / name
    with cut_views(images.read, range(len(images.items)), [view], work, usable_threads()) as cache:
        scored = _scored(model, outputs, attack, cache.views[view], labels, (seed, device))
        for at in cache.failed:
            scored.classes[at], scored.scores[at], scored.log_sum_exp[at] = -1, np.nan, np.nan
        failed = {images.items[at]: reason for at, reason in cache.failed.items()}
    header = {
        "model": model.name,
        "family": model.description.family,
        "set": name,
        "n": len(images.items),
        "key": key.digest,
        "depends_on": asdict(key),
        "classes": list(outputs.classes),
        "failed_images": failed,
        "parameters": model.parameters,
        "card": dict(model.description.card),
        "attack": asdict(attack) | {"seed": seed},
        "versions": {"replicate": __version__, "foolbox": str(_foolbox().__version__)},
    }
    write(path, header, images.items, labels, scored)
    return path, len(images.items)


def _foolbox() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names in scipy that foolbox imports
            return importlib.import_module("foolbox")
    except ImportError as error:
        raise MissingError(
            "Attacks need the package foolbox, which is not installed.",
            "Install it: pip install 'replicate-testsets[attacks]'",
        ) from error


def _scored(
    model: LoadedModel,
    outputs: OutputMap,
    attack: Attack,
    views: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int32],
    where: tuple[int, str],
) -> Scored:
    import torch

    seed, device = where
    parts = []
    with _attackable(model, outputs, device) as attacked:
        for start in range(0, len(views), BATCH):
            batch = np.array(views[start : start + BATCH])
            pixels = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float() / 255
            truth = torch.from_numpy(labels[start : start + BATCH].astype(np.int64)).to(device)
            random = stream(seed, "shifts", attack.name, model.name, start)
            with torch.random.fork_rng():
                torch.manual_seed(int(random.integers(2**63)))
                try:
                    changed = perturbed(attacked, attack, pixels, truth)
                    with torch.inference_mode():
                        scores = attacked(changed).float()
                except RuntimeError as error:
                    raise ItemError("model_failed", f"{model.name}: {error}") from error
            best, classes = scores.sort(dim=1, descending=True, stable=True)
            top = min(TOP, scores.shape[1])
            parts.append(
                Scored(
                    classes[:, :top].to(torch.int32).cpu().numpy().copy(),
                    best[:, :top].cpu().numpy().copy(),
                    scores.logsumexp(dim=1).cpu().numpy().copy(),
                )
            )
    return parts[0].joined(parts[1:])


def perturbed(attacked: Any, attack: Attack, pixels: "Tensor", truth: "Tensor") -> "Tensor":
    """Images as an attack leaves them.

    Args:
        attacked: foolbox's model.
        attack: The attack.
        pixels: In [0, 1], shape (n, 3, height, width).
        truth: The right classes, shape (n,).
    """
    kind = getattr(_foolbox().attacks, _CLASSES[attack.method, attack.norm])
    if attack.method == "pgd":
        found = kind(rel_stepsize=2.5 / attack.steps, steps=attack.steps, random_start=True)
    else:
        found = kind(random_start=False)
    changed: Tensor = found(attacked, pixels, truth, epsilons=attack.epsilon)[1]
    return changed.detach()


@contextmanager
def _attackable(model: LoadedModel, outputs: OutputMap, device: str) -> Iterator[Any]:
    """The model as foolbox takes it: from numbers in [0, 1] to scores of the set's classes."""
    import torch

    class Mapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = model.module

        def forward(self, batch: "Tensor") -> Any:
            return outputs.scores(self.network(batch))

    prepare_torch()
    try:
        network = Mapped().eval().to(device)
    except (RuntimeError, AssertionError) as error:
        raise ItemError("device", f"{device} cannot be used: {error}") from error
    scaling = {"mean": model.description.mean, "std": model.description.std, "axis": -3}
    yield _foolbox().PyTorchModel(network, (0, 1), device=device, preprocessing=scaling)
