"""How simulated workers see: kernel-weighted nearest neighbours among remembered images.

Each worker remembers a random part of a gallery of labelled images, and believes that an image
is an X as far as the remembered images near it are X's. No model of the zoo works like this, so
workers and models err on different images. The very image that is being judged is never
remembered: a worker judges it by others like it.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.errors import ItemError, UsageError
from replicate.base.images import decode, grey
from replicate.base.randomness import stream, uniform

SIDE = 8
NEAREST = 240  # neighbours kept of each image: enough that every worker remembers some of them
ATTENTION = 12  # how many of the remembered neighbours a worker heeds
SAME = 1e-3  # mean squared difference of grey values in [0, 1] up to which two images are one

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Worker:
    """One simulated worker.

    Attributes:
        number: 0, 1 …
        sensitivity: How often a clear image of the class is selected.
        specificity: How often an image that is clearly none is not selected.
        lapse: How often the worker does not look, and ticks at random.
        bandwidth: How far resemblance reaches, in squared distances of the typical neighbour.
        memory: Which part of the gallery is remembered, in (0, 1].
        careless: Whether this is one who hardly ever looks.
    """

    number: int
    sensitivity: float
    specificity: float
    lapse: float
    bandwidth: float
    memory: float
    careless: bool


@dataclass(frozen=True)
class _Neighbours:
    """The gallery images nearest to an image: indices, labels and squared distances, sorted."""

    indices: npt.NDArray[np.intp]
    labels: npt.NDArray[np.int64]
    distances: Floats


def make_workers(seed: int, count: int) -> list[Worker]:
    """Workers whose abilities differ; one in 24 (at least one of a dozen or more) is careless.

    Args:
        seed: The study's seed.
        count: How many, at least 1.
    """
    if count < 1:
        raise UsageError(f"A crowd needs at least one worker, not {count}.")
    careless = max(1, round(count / 24)) if count >= 12 else 0
    idlers = sorted(range(count), key=lambda number: uniform(seed, "careless", number))[:careless]
    workers = []
    for number in range(count):
        rng = stream(seed, "worker", number)
        idle = number in idlers
        workers.append(
            Worker(
                number=number,
                sensitivity=float(rng.uniform(0.88, 0.99)),
                specificity=float(rng.uniform(0.94, 0.995)),
                lapse=float(rng.uniform(0.9, 1.0) if idle else rng.uniform(0.0, 0.04)),
                bandwidth=float(np.exp(rng.normal(np.log(0.45), 0.35))),
                memory=float(rng.uniform(0.12, 0.25)),
                careless=idle,
            )
        )
    return workers


class Eyes:
    """What the workers of one crowd see; judgements depend on the seed and on content alone.

    Args:
        seed: The study's seed.
        workers: The workers, from `make_workers`.
        images: Gallery images, shape (n, 8, 8), uint8, bright ink on black.
        labels: Their classes, shape (n,): integers whose text is the class's id.
    """

    def __init__(
        self,
        seed: int,
        workers: list[Worker],
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.integer],
    ) -> None:
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or len(images) != len(labels):
            raise UsageError(
                f"A gallery has images of shape (n, 8, 8) and n labels, not {images.shape} and "
                f"{labels.shape}."
            )
        self._seed = seed
        self._workers = workers
        self._gallery = images.reshape(len(images), -1).astype(np.float32) / 255
        self._norms = (self._gallery**2).sum(axis=1)
        self._labels = labels.astype(np.int64)
        self._remembered = np.stack(
            [
                stream(seed, "memory", worker.number).random(len(images)) < worker.memory
                for worker in workers
            ]
        )
        self._seen: dict[str, _Neighbours | None] = {}
        self._beliefs: dict[tuple[str, str], Floats] = {}

    def look(self, digest: str, data: bytes) -> None:
        """Look at an image file for the first time; later looks cost nothing.

        Args:
            digest: The SHA-256 of the file.
            data: The file.
        """
        if digest not in self._seen:
            pixels = reduce(data)
            self._seen[digest] = None if pixels is None else self._neighbours(pixels)

    def votes(self, number: int, digests: list[str], class_id: str) -> list[str]:
        """How a worker judges some images that were looked at: ``yes``, ``no`` or ``broken``.

        An image that comes twice is judged anew the second time, as people do who have doubts.

        Args:
            number: The worker.
            digests: The images' SHA-256.
            class_id: What is asked for.
        """
        worker = self._workers[number]
        votes = []
        times: Counter[str] = Counter()
        for digest in digests:
            times[digest] += 1
            if self._seen[digest] is None:
                votes.append("broken")
                continue
            belief = self._belief(digest, class_id)[number]
            chance = belief * worker.sensitivity + (1 - belief) * (1 - worker.specificity)
            chance = worker.lapse / 2 + (1 - worker.lapse) * chance
            which = (digest, class_id, *range(2, times[digest] + 1))
            draw = uniform(self._seed, "vote", number, *which)
            votes.append("yes" if draw < chance else "no")
        return votes

    def _neighbours(self, pixels: npt.NDArray[np.float32]) -> _Neighbours:
        flat = pixels.reshape(-1)
        squared = (self._norms - 2 * (self._gallery @ flat) + flat @ flat) / flat.size
        kept = np.flatnonzero(squared > SAME)
        if len(kept) > NEAREST:
            kept = kept[np.argpartition(squared[kept], NEAREST)[:NEAREST]]
        order = kept[np.argsort(squared[kept], kind="stable")]
        return _Neighbours(order, self._labels[order], squared[order].astype(np.float64))

    def _belief(self, digest: str, class_id: str) -> Floats:
        """How sure each worker is that the image shows the class: shape (workers,), in [0, 1]."""
        key = (digest, class_id)
        if key not in self._beliefs:
            found = self._seen[digest]
            if found is None or not class_id.isdecimal() or len(found.indices) == 0:
                self._beliefs[key] = np.zeros(len(self._workers))
            else:
                self._beliefs[key] = self._judge(found, int(class_id))
        return self._beliefs[key]

    def _judge(self, found: _Neighbours, wanted: int) -> Floats:
        mine = self._remembered[:, found.indices]
        heeded = mine & (mine.cumsum(axis=1) <= ATTENTION)
        widths = np.array([worker.bandwidth for worker in self._workers])[:, None]
        nearest = np.where(heeded, found.distances, np.inf).min(axis=1, initial=np.inf)
        base = np.where(np.isfinite(nearest), nearest, 1.0)[:, None]
        weights: Floats = np.where(heeded, np.exp(-(found.distances - base) / (widths * base)), 0.0)
        total = weights.sum(axis=1)
        right = weights[:, found.labels == wanted].sum(axis=1)
        return np.asarray(np.divide(right, total, out=np.zeros_like(total), where=total > 0))


def reduce(data: bytes) -> npt.NDArray[np.float32] | None:
    """An image as workers see it: 8×8 grey values in [0, 1]; None if it cannot be decoded.

    A picture that was enlarged from 8×8, to equal blocks or bicubically, is seen as it was.
    """
    try:
        pixels = grey(decode(data))
    except ItemError:
        return None
    height, width = pixels.shape
    if height % SIDE or width % SIDE:
        small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
        return np.asarray(np.asarray(small) / 255, dtype=np.float32)
    blocks = pixels.reshape(SIDE, height // SIDE, SIDE, width // SIDE)
    means = blocks.mean(axis=(1, 3)) / 255
    if not (blocks == blocks[:, :1, :, :1]).all():
        means = _unblur(height // SIDE) @ means @ _unblur(width // SIDE).T
    return np.asarray(np.clip(means, 0, 1), dtype=np.float32)


@lru_cache(maxsize=8)
def _unblur(factor: int) -> Floats:
    """What undoes, in block means, that an image was enlarged bicubically: shape (8, 8)."""
    unit = Image.fromarray(np.eye(SIDE, dtype=np.float32))
    wide = unit.resize((SIDE * factor, SIDE), Image.Resampling.BICUBIC)
    means = np.asarray(wide, dtype=np.float64).reshape(SIDE, SIDE, factor).mean(axis=2)
    return np.asarray(np.linalg.inv(means.T))
