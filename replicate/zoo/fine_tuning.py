"""Fine-tuning on a small set: a model's last layer made anew, then all of it trained a little.

Beside a linear probe, which says what frozen features hold, this says what a model can become with
few images (Kornblith, Shlens and Le 2019, section 4.4: stochastic gradient descent with Nesterov's
momentum, the rate falling as a cosine, chosen on held-out training images). Images are the model's
own views, mirrored at random; no other augmentation. Killed at any moment it carries on from the
last whole epoch and ends in the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError
from replicate.base.randomness import stream
from replicate.zoo.arrays import read_arrays, write_arrays
from replicate.zoo.embedding import last_layer
from replicate.zoo.loaded import LoadedModel
from replicate.zoo.machine import prepare_torch
from replicate.zoo.tensors import standardised

if TYPE_CHECKING:
    from torch import Tensor, nn

VERSION = 1  # a change of anything that changes weights must change this number
_MOMENTUM = 0.9
_HELD_OUT = 5  # every fifth training image, where rates are chosen


@dataclass(frozen=True)
class Recipe:
    """How a model is fine-tuned.

    Attributes:
        epochs: Passes over the training images.
        rates: Peak learning rates; of several the best on held-out training images.
        decay: Of weights, per step.
        batch: Images a step.
        mirror: Whether images are mirrored at random.
        seed: Of the order of images, of mirroring, of dropout.
    """

    epochs: int = 10
    rates: tuple[float, ...] = (0.01,)
    decay: float = 1e-4
    batch: int = 32
    mirror: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Views:
    """Images as a model sees them.

    Attributes:
        pixels: uint8, shape (n, height, width, 3).
        classes: Codes, shape (n,).
    """

    pixels: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.int64]

    def part(self, keep: npt.NDArray[np.bool_]) -> "Views":
        """Some of them."""
        return Views(np.asarray(self.pixels[keep]), self.classes[keep])


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes:
        scores: Of the test images, shape (m, classes).
        rate: The rate that was used.
        by_rate: Rate → accuracy on held-out training images; empty for a single rate.
    """

    scores: npt.NDArray[np.float32]
    rate: float
    by_rate: dict[float, float]


def fine_tune(
    open_model: Callable[[], LoadedModel],
    train: Views,
    test: Views,
    n_classes: int,
    recipe: Recipe,
    work: Path,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Tuned:
    """Fine-tune a model and score the test images.

    Args:
        open_model: Gives the model as it was; called once a rate and once for the end.
        train: Training images.
        test: Test images.
        n_classes: How many classes.
        recipe: How.
        work: Where epochs that are done are kept until the end.
        device: Where it runs.
        progress: Told how many epochs are done, of how many.

    Raises:
        ItemError: With reason ``no_features``, ``no_gradient``, ``device``, ``diverged`` or
            ``model_failed``.
    """
    by_rate: dict[float, float] = {}
    total = recipe.epochs * (1 + (len(recipe.rates) if len(recipe.rates) > 1 else 0))
    done = 0

    def one(data: Views, rate: float, name: str) -> "_Run":
        nonlocal done
        run = _Run(open_model(), n_classes, recipe, rate, device)
        for _ in run.epochs(data, work / name):
            done += 1
            progress(done, total)
        return run

    if len(recipe.rates) > 1:
        held = _held_out(train.classes, recipe.seed)
        for rate in recipe.rates:
            run = one(train.part(~held), rate, f"rate-{rate:g}")
            found = run.scores(train.pixels[held]).argmax(axis=1)
            by_rate[rate] = float((found == train.classes[held]).mean())
    rate = max(by_rate, key=lambda each: by_rate[each]) if by_rate else recipe.rates[0]
    run = one(train, rate, "all")
    return Tuned(run.scores(test.pixels), rate, by_rate)


def _held_out(classes: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """About a fifth of each class, but never a whole class."""
    held = np.zeros(len(classes), np.bool_)
    random = stream(seed, "fine-tune", "held out")
    for code in np.unique(classes):
        places = random.permutation(np.flatnonzero(classes == code))
        held[places[: max(1, len(places) // _HELD_OUT) if len(places) > 1 else 0]] = True
    return held


class _Run:
    """One training of one model."""

    def __init__(
        self, model: LoadedModel, n_classes: int, recipe: Recipe, rate: float, device: str
    ) -> None:
        import torch

        if not model.half:  # it runs outside of torch
            raise ItemError("no_gradient", f"{model.name} has no gradients to train it with")
        self.model, self.recipe, self.rate, self.device = model, recipe, rate, device
        self.module = _with_new_head(model, n_classes)
        prepare_torch()
        try:
            self.module = self.module.float().to(device)
        except (RuntimeError, AssertionError) as error:
            raise ItemError("device", f"{device} cannot be used: {error}") from error
        self.parameters = [p.requires_grad_() for p in self.module.parameters()]
        self.speeds = [torch.zeros_like(p) for p in self.parameters]

    def epochs(self, data: Views, kept: Path) -> Iterator[int]:
        """Train, epoch by epoch, from where a run before this one was killed."""
        first = self._load(kept)
        for epoch in range(self.recipe.epochs):
            if epoch >= first:
                try:
                    self._epoch(data, epoch)
                except RuntimeError as error:
                    raise ItemError("model_failed", f"{self.model.name}: {error}") from error
                self._save(kept, epoch + 1)
            yield epoch

    def _epoch(self, data: Views, epoch: int) -> None:
        import torch
        from torch.nn.functional import cross_entropy

        random = stream(self.recipe.seed, "fine-tune", self.model.name, f"{self.rate:g}", epoch)
        order = random.permutation(len(data.classes))
        mirrored = random.random(len(order)) < 0.5 * self.recipe.mirror
        batches = _batches(order, self.recipe.batch)
        steps = len(batches) * self.recipe.epochs
        self.module.train()
        with torch.random.fork_rng():
            torch.manual_seed(int(random.integers(2**63)))
            for at, places in enumerate(batches, epoch * len(batches)):
                pixels = np.array(data.pixels[np.sort(places)])
                flip = mirrored[np.sort(places)]
                pixels[flip] = pixels[flip, :, ::-1]
                truth = torch.from_numpy(data.classes[np.sort(places)]).to(self.device)
                loss = cross_entropy(self.module(self._batch(pixels)), truth)
                loss.backward()  # type: ignore[no-untyped-call]
                if not bool(loss.isfinite()):
                    raise ItemError("diverged", f"{self.model.name} diverged at rate {self.rate:g}")
                self._step(self.rate * 0.5 * (1 + np.cos(np.pi * at / steps)))

    def _step(self, rate: float) -> None:
        """Nesterov's momentum, as torch.optim.SGD has it."""
        import torch

        with torch.no_grad():
            for parameter, speed in zip(self.parameters, self.speeds, strict=True):
                if parameter.grad is None:
                    continue
                slope = parameter.grad.add(parameter, alpha=self.recipe.decay)
                speed.mul_(_MOMENTUM).add_(slope)
                parameter.sub_(slope.add(speed, alpha=_MOMENTUM), alpha=float(rate))
                parameter.grad = None

    def _batch(self, pixels: npt.NDArray[np.uint8]) -> "Tensor":
        found = self.model.description
        return standardised(pixels, found.mean, found.std, self.device)

    def scores(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Scores of images, shape (n, classes)."""
        import torch

        self.module.eval()
        parts = []
        with torch.inference_mode():
            for at in range(0, len(pixels), self.recipe.batch):
                batch = self._batch(np.array(pixels[at : at + self.recipe.batch]))
                parts.append(self.module(batch).float().cpu().numpy().copy())
        return np.concatenate(parts)

    def _load(self, kept: Path) -> int:
        """Take up the last whole epoch; how many are done."""
        import torch

        for path in sorted(kept.glob("*.npz"), key=lambda each: -int(each.stem)):
            try:
                arrays = read_arrays(path)
                state = {key[6:]: v for key, v in arrays.items() if key.startswith("state.")}
                self.module.load_state_dict({key: torch.from_numpy(v) for key, v in state.items()})
                for at, speed in enumerate(self.speeds):
                    speed.copy_(torch.from_numpy(arrays[f"speed.{at}"]))
            except (OSError, ValueError, KeyError, RuntimeError):
                continue  # damaged: the epoch before it, or from the start
            return int(path.stem)
        return 0

    def _save(self, kept: Path, done: int) -> None:
        arrays: dict[str, Any] = {
            f"state.{name}": tensor.cpu().numpy()
            for name, tensor in self.module.state_dict().items()
        }
        arrays |= {f"speed.{at}": speed.cpu().numpy() for at, speed in enumerate(self.speeds)}
        write_arrays(kept / f"{done}.npz", arrays)
        for path in kept.glob("*.npz"):
            if int(path.stem) != done:
                path.unlink(missing_ok=True)


def _batches(order: npt.NDArray[Any], size: int) -> list[npt.NDArray[Any]]:
    """Parts of an order; none of a single image, which normalisation over a batch cannot take."""
    starts = list(range(0, len(order), size))
    if len(starts) > 1 and len(order) - starts[-1] == 1:
        starts.pop()
    ends = [*starts[1:], len(order)]
    return [order[start:end] for start, end in zip(starts, ends, strict=True)]


def _with_new_head(model: LoadedModel, n_classes: int) -> "nn.Module":
    """The model with a last layer for other classes, which begins at zero."""
    import torch

    name, head = last_layer(model)
    fresh = torch.nn.Linear(head.in_features, n_classes)
    with torch.no_grad():
        fresh.weight.zero_()
        fresh.bias.zero_()
    if not name:
        return fresh
    parent, _, last = name.rpartition(".")
    setattr(model.module.get_submodule(parent), last, fresh)
    return model.module


def recipe_digest(model: LoadedModel, sets: tuple[str, str], recipe: Recipe, device: str) -> str:
    """A name for all that decides the outcome, but for the machine and its libraries.

    Args:
        model: The model.
        sets: The digests of the training and the test set.
        recipe: How it is fine-tuned.
        device: Where it runs.
    """
    way = [VERSION, model.name, model.weights_digest, model.description.preprocessing]
    return digest_value([*way, *sets, asdict(recipe), device.partition(":")[0]])
