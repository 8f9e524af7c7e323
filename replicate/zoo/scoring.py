"""One model over cached views: batches, number formats, memory that runs out. Torch comes late."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError, UsageError
from replicate.zoo.loaded import LoadedModel
from replicate.zoo.machine import prepare_torch
from replicate.zoo.output_maps import OutputMap
from replicate.zoo.prediction_files import Scored
from replicate.zoo.tensors import standardised

if TYPE_CHECKING:
    from torch import nn

PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
TOP = 5
_FIRST_BATCH = {"cpu": 32, "cuda": 256}


@dataclass(frozen=True)
class Arithmetic:
    """How a model is run.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        precision: One of `PRECISIONS`; the two halves by automatic mixed precision.
        channels_last: Whether images lie in memory channel by channel, or pixel by pixel.
        compile: Whether ``torch.compile`` is asked for.
        batch: Images at a time; 0: found by itself, halved when memory runs out.
        logits: Whether all scores are kept.
    """

    device: str = "cpu"
    precision: str = "fp32"
    channels_last: bool = False
    compile: bool = False
    batch: int = 0
    logits: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"There is no precision {self.precision!r}.", f"Known: {', '.join(PRECISIONS)}."
            )
        if self.precision == "tf32" and not self.device.startswith("cuda"):
            raise UsageError("tf32 is a format of CUDA devices.", "Take --precision fp32.")

    @property
    def name(self) -> str:
        """What predictions are keyed by: formats that give other numbers have other names.

        >>> Arithmetic(precision="bf16", channels_last=True).name
        'bf16+channels_last'
        """
        more = ["channels_last"] * self.channels_last + ["compile"] * self.compile
        device = [] if self.device == "cpu" else [self.device.partition(":")[0]]
        return "+".join([self.precision, *more, *device])

    @property
    def kept_as(self) -> str:
        """The name, and whether all scores are kept."""
        return self.name + "+logits" * self.logits


@dataclass
class Runner:
    """A model on its device, ready for batches.

    Attributes:
        batch: Images at a time, as found so far.
    """

    model: LoadedModel
    outputs: OutputMap
    how: Arithmetic
    batch: int
    _module: "nn.Module"

    def score(
        self,
        views: npt.NDArray[np.uint8],
        progress: Callable[[int], None] = lambda _done: None,
    ) -> Scored:
        """Score views, in order.

        Every batch has the same number of images, the last one filled up with black ones, so that
        the same kernels run whatever the size of a set.

        Args:
            views: Shape (n, height, width, 3).
            progress: Told how many images are done.

        Raises:
            ItemError: With reason ``out_of_memory`` (even for one image), ``model_failed`` or
                ``not_finite``.
        """
        parts: list[Scored] = []
        at = 0
        while at < len(views):
            try:
                parts.append(self._batch(np.asarray(views[at : at + self.batch])))
            except Exception as error:
                if not _out_of_memory(error):
                    raise ItemError(
                        "model_failed", f"{self.model.name}: {type(error).__name__}: {error}"
                    ) from error
                if self.batch == 1:
                    raise ItemError(
                        "out_of_memory", f"{self.model.name}: no memory for a single image"
                    ) from error
                self._smaller()
                continue
            at += len(parts[-1].classes)
            progress(at)
        if not parts:
            raise ItemError("empty", "there are no images to score")
        found = parts[0].joined(parts[1:])
        if not np.isfinite(found.log_sum_exp).all():
            raise ItemError("not_finite", f"{self.model.name} gives scores that are not finite")
        return found

    def _smaller(self) -> None:
        import torch

        self.batch = max(1, self.batch // 2)
        if self.how.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _batch(self, views: npt.NDArray[np.uint8]) -> Scored:
        import torch

        n, description = len(views), self.model.description
        full = np.zeros((self.batch, *views.shape[1:]), np.uint8)
        full[:n] = views
        batch = standardised(full, description.mean, description.std, self.how.device)
        if self.how.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), self._formats():
            logits = self._module(batch)[:n].float()
            scores = self.outputs.scores(logits)
            top = min(TOP, scores.shape[1])
            best, classes = scores.sort(dim=1, descending=True, stable=True)
            total = scores.logsumexp(dim=1)
        return Scored(
            classes[:, :top].to(torch.int32).cpu().numpy(),
            best[:, :top].cpu().numpy(),
            total.cpu().numpy(),
            scores.cpu().numpy() if self.how.logits else None,
        )

    def _formats(self) -> AbstractContextManager[Any]:
        import torch

        kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
        if self.how.precision not in kinds:
            return nullcontext()
        kind = self.how.device.partition(":")[0]
        return torch.autocast(kind, kinds[self.how.precision])


def runner(model: LoadedModel, outputs: OutputMap, how: Arithmetic) -> Runner:
    """Move a model to its device.

    Raises:
        ItemError: With reason ``device``: the device is not there, or the model cannot go there.
    """
    import torch

    kind = how.device.partition(":")[0]
    if how.device != "cpu" and not model.half:
        raise ItemError("device", f"{model.name} runs on the CPU only")
    if not model.half and how.precision != "fp32":
        raise ItemError("device", f"{model.name} runs in its own number format only (fp32)")
    # TF32 is another format: off unless asked for.
    torch.backends.cuda.matmul.allow_tf32 = how.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = how.precision == "tf32"
    prepare_torch()
    try:
        module = model.module.to(how.device)
    except (RuntimeError, AssertionError) as error:
        raise ItemError("device", f"{how.device} cannot be used: {error}") from error
    if how.channels_last:
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if how.compile:
        module = cast("nn.Module", torch.compile(module))
    batch = how.batch or _FIRST_BATCH.get(kind, 32)
    return Runner(model, outputs, how, batch, module)


def _out_of_memory(error: Exception) -> bool:
    import torch

    words = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in words or "can't allocate memory" in words)
    )
