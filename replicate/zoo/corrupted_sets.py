"""Folders of corrupted images: one a kind and severity, laid out as the folder they come from."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from replicate.base.errors import ItemError, UsageError
from replicate.base.executors import run
from replicate.base.files import read_json, write_bytes, write_json
from replicate.base.images import encode_png
from replicate.base.randomness import stream
from replicate.zoo.corruptions import VERSION, corrupt
from replicate.zoo.image_sets import ImageSet
from replicate.zoo.pixels import DECODER, reference_rgb
from replicate.zoo.views import View, cut

CLEAN = "clean"  # cut and encoded alike, but not corrupted: the set to compare with
_NOTE = ".shift.json"


@dataclass(frozen=True)
class Shift:
    """One generated set.

    Attributes:
        kind: A corruption, or ``clean``.
        severity: 1 to 5; 0 for ``clean``.
    """

    kind: str
    severity: int

    @property
    def name(self) -> str:
        """The set's name, which its folder has.

        >>> Shift("fog", 3).name, Shift("clean", 0).name
        ('fog-3', 'clean')
        """
        return f"{self.kind}-{self.severity}" if self.severity else self.kind


@dataclass(frozen=True)
class Made:
    """What came of one set.

    Attributes:
        shift: The set.
        folder: Where it is.
        n: Images in it.
        done: Images made now.
        failed: Item → why it is not in it.
    """

    shift: Shift
    folder: Path
    n: int
    done: int
    failed: dict[str, str]


def view_of(size: int) -> View | None:
    """What is cut out of an image before it is corrupted, as ImageNet-C does: None for 0.

    The shorter side becomes 256/224 of the size, then the centre is taken.

    >>> view_of(224).name
    'short256-bilinear-crop224x224@1'
    """
    if size == 0:
        return None
    shorter = round(size * 256 / 224)
    return View((size, size), "short", (shorter, shorter), "bilinear")


def make_shift(
    images: ImageSet,
    shift: Shift,
    output: Path,
    *,
    size: int = 224,
    seed: int = 0,
    executor: str = "local",
    workers: int = 1,
) -> Made:
    """Make one set, as far as it is not there; every image whole or not there.

    Noise depends on the seed, the set and the image's name alone.

    Args:
        images: What it is made of.
        shift: What is done to them.
        output: The folder of sets.
        size: Pixels of a side of the images that are cut out first; 0: whole, as they are.
        seed: The seed.
        executor: ``local`` or ``ray``.
        workers: How many work at a time.

    Raises:
        UsageError: The folder holds another set, or two images would have one name.
    """
    folder = output / shift.name
    targets = _targets(images)
    _claim(folder, images, shift, size, seed)
    todo = [at for at, target in enumerate(targets) if not (folder / target).exists()]
    names = [(images.items[at], targets[at]) for at in todo]
    task = partial(_one, images.root, folder, shift, size, seed)
    reasons: Iterator[str | None] = run(task, names, executor, workers)
    failed = {images.items[at]: reason for at, reason in zip(todo, reasons, strict=True) if reason}
    return Made(shift, folder, len(targets) - len(failed), len(todo) - len(failed), failed)


def _targets(images: ImageSet) -> Sequence[str]:
    targets = [str(PurePosixPath(item).with_suffix(".png")) for item in images.items]
    name, times = Counter(targets).most_common(1)[0]
    if times > 1:
        raise UsageError(f"{images.root} has {times} images that would all be called {name}.")
    return targets


def _claim(folder: Path, images: ImageSet, shift: Shift, size: int, seed: int) -> None:
    """Note what a folder holds; refuse one that holds something else."""
    note = {
        "of": images.digest, "kind": shift.kind, "severity": shift.severity, "size": size,
        "seed": seed, "version": VERSION, "decoder": DECODER,
    }  # fmt: skip
    path = folder / _NOTE
    if path.exists():
        known = read_json(path)
        other = [key for key, value in note.items() if known.get(key) != value]
        if other:
            raise UsageError(
                f"{folder} was made otherwise ({', '.join(other)}).",
                "Take another --output, or delete that folder.",
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is there and holds something else.", "Take another --output.")
    write_json(path, note)


def _one(
    root: Path, folder: Path, shift: Shift, size: int, seed: int, names: tuple[str, str]
) -> str | None:
    """Make one image; the reason if that cannot be."""
    item, target = names
    try:
        pixels = reference_rgb((root / item).read_bytes())
    except ItemError as error:
        return error.reason
    except OSError:
        return "file_missing"
    view = view_of(size)
    if view is not None:
        pixels = cut(pixels, view)
    if min(pixels.shape[:2]) < 32:
        return "too_small"
    if shift.severity:
        random = stream(seed, "shifts", shift.kind, shift.severity, item)
        pixels = corrupt(pixels, shift.kind, shift.severity, random)
    write_bytes(folder / target, encode_png(pixels))
    return None
