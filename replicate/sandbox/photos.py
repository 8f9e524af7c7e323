"""The photos of the local Flickr: real handwritten digits with planted, known faults.

A folder of image files with two tables. ``photos.csv`` is what the server knows and answers
searches from; ``truth.csv`` is what was planted, which the server never reads and tests compare
with. Photos are made from MNIST digits and digits of Dutch utility maps (mfeat); see
``pipelines/digits/data/README.md`` for their licences.

Planted, as shares of all photos (`SHARES`):

- ``mistagged``: the tags and title name another digit than the picture shows;
- ``near_duplicate``: an image of the optdigits test or training set, enlarged 4 to 8 times,
  darkened a little, moved by at most one pixel, recompressed;
- ``dead``: half of them redirect to a placeholder picture, half are gone (404);
- ``broken``: half are cut off, half are a web page in place of the picture.

About one photo in ten lies outside the study's upload dates, and one in ten has no open licence.
"""

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.errors import UsageError
from replicate.base.files import read_json, write_json
from replicate.base.randomness import stream
from replicate.sandbox.photo_drawn import make_drawn
from replicate.sandbox.photo_texts import describe
from replicate.sources.digits import counts_to_grey, packed, rows

VERSION = 1
SHARES = {"mistagged": 0.08, "near_duplicate": 0.015, "dead": 0.01, "broken": 0.01}

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PhotoRow:
    """One row of ``photos.csv``: what the server knows of a photo.

    ``status`` is ``ok``, ``placeholder`` (redirects to a placeholder picture), ``gone`` (404),
    ``hidden`` (counts in totals and is not shown) or ``drawn`` (the server draws a picture).
    ``date_upload`` is in seconds since 1970; ``tags`` are separated by spaces.
    """

    id: str
    owner: str
    ownername: str
    title: str
    description: str
    tags: str
    date_upload: int
    date_taken: str
    licence: int
    file: str
    width: int
    height: int
    status: str


@dataclass(frozen=True)
class TruthRow:
    """One row of ``truth.csv``: what was planted."""

    id: str
    true_class: str
    tagged_class: str
    kind: str
    duplicate_of: str
    origin: str


def ensure_photos(
    out_dir: Path, seed: int, n_photos: int, per_class: int | None = None, drawn: bool = False
) -> None:
    """Make the photos, unless they are there already.

    Args:
        out_dir: The folder.
        seed: The study's seed.
        n_photos: How many photos.
        per_class: See `make_photos`.
        drawn: A table only: the server draws a small picture of each when it is asked for.

    Raises:
        UsageError: The folder holds other photos.
    """
    recipe = {"version": VERSION, "seed": seed, "photos": n_photos, "per_class": per_class}
    if drawn:
        recipe["drawn"] = True
    if (out_dir / "recipe.json").exists():
        if read_json(out_dir / "recipe.json") != recipe:
            raise UsageError(
                f"{out_dir} holds photos made for another seed or another number of photos.",
                f"Remove the folder to have them made anew: rm -r {out_dir}",
            )
        return
    if out_dir.exists():
        raise UsageError(
            f"{out_dir} is there already, and was not made by the sandbox.",
            "Name a folder that does not exist yet.",
        )
    # A run that is killed leaves only the partial folder, which the next one throws away.
    partial = out_dir.with_name(f".{out_dir.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if drawn:
        make_drawn(partial, seed, n_photos)
    else:
        make_photos(partial, seed, n_photos, per_class)
    write_json(partial / "recipe.json", recipe)
    partial.replace(out_dir)


def make_photos(out_dir: Path, seed: int, n_photos: int, per_class: int | None = None) -> None:
    """Write the photos and their two tables into a folder.

    The same seed and number give the same bytes.

    Args:
        out_dir: The folder; made if it is not there.
        seed: The study's seed.
        n_photos: How many photos.
        per_class: The study uses only the first so many images of each class of each set; only
            those are planted as near-duplicates.
    """
    photos, truths = [], []
    for truth, rng in _plan(seed, n_photos, per_class):
        data, size = _render(truth, rng)
        suffix = ".jpg" if data[:2] == b"\xff\xd8" else ".png"
        file = f"files/{truth.id[-2:]}/{truth.id}_{rng.bytes(5).hex()}{suffix}"
        path = out_dir / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_break(data, rng) if truth.kind == "broken" else data)
        status = "ok"
        if truth.kind == "dead":
            status = "placeholder" if rng.random() < 0.5 else "gone"
        text = describe(truth.tagged_class, n_photos, rng)
        photos.append(
            PhotoRow(id=truth.id, file=file, width=size[0], height=size[1], status=status, **text)
        )
        truths.append(truth)
    _write_table(out_dir / "photos.csv", PhotoRow, photos)
    _write_table(out_dir / "truth.csv", TruthRow, truths)


def _write_table(path: Path, kind: type[Any], table: list[Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, [item.name for item in fields(kind)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(vars(row) for row in table)


def _plan(
    seed: int, n_photos: int, per_class: int | None
) -> Iterator[tuple[TruthRow, np.random.Generator]]:
    """What each photo shows, and the random stream that it is made with."""
    plan = stream(seed, "photos", "plan", n_photos)
    kinds = [kind for kind, share in SHARES.items() for _ in range(round(share * n_photos))]
    kinds += ["right"] * (n_photos - len(kinds))
    kinds = [kinds[i] for i in plan.permutation(n_photos)]
    tagged = plan.permutation(np.arange(n_photos) % 10)
    pools = {label: _pool(label, plan) for label in range(10)}
    originals = plan.permutation(_near_duplicate_rows(per_class))
    numbers = np.cumsum(plan.integers(1, 900, size=n_photos)) + 7_400_000_000
    used = dict.fromkeys(pools, 0)
    for place, kind in enumerate(kinds):
        rng = stream(seed, "photos", place)
        label, duplicate_of = int(tagged[place]), ""
        if kind == "near_duplicate":
            row = int(originals[used.setdefault(-1, 0) % len(originals)])
            used[-1] += 1
            label = int(packed("optdigits")[1][row])
            shown, origin = label, f"optdigits-{row:04d}"
            duplicate_of = origin
        else:
            shown = (label + int(rng.integers(1, 10))) % 10 if kind == "mistagged" else label
            origin = pools[shown][used[shown] % len(pools[shown])]
            used[shown] += 1
        yield TruthRow(str(numbers[place]), str(shown), str(label), kind, duplicate_of, origin), rng


def _pool(label: int, plan: np.random.Generator) -> list[str]:
    """The digits of a class that photos are made of, in random order."""
    found = [
        f"{collection}-{row:04d}"
        for collection in ("mnist", "mfeat")
        for row in np.flatnonzero(packed(collection)[1] == label)
    ]
    return [found[i] for i in plan.permutation(len(found))]


def _near_duplicate_rows(per_class: int | None) -> npt.NDArray[np.int64]:
    """Rows of optdigits' reference sets whose darkest pixel is black and brightest is white."""
    images, labels = packed("optdigits")
    both = np.concatenate(
        [
            members[labels[members] == label][:per_class]
            for members in (rows("original"), rows("train"))
            for label in range(10)
        ]
    )
    full = (images[both].max(axis=(1, 2)) == 16) & (images[both].min(axis=(1, 2)) == 0)
    chosen: npt.NDArray[np.int64] = both[full]
    return chosen


def _render(truth: TruthRow, rng: np.random.Generator) -> tuple[bytes, tuple[int, int]]:
    """The file of one photo, and its width and height."""
    collection, _, row = truth.origin.partition("-")
    source = packed(collection)[0][int(row)]
    if collection == "optdigits":
        pixels = _enlarged(counts_to_grey(source), rng)
    else:
        if collection == "mnist":
            side = int(rng.integers(56, 85))
            size = (side, side)
        else:
            # Each mfeat value covers 2 columns and 3 rows of the scanned map.
            scale, source = rng.uniform(1.2, 1.75), (source.astype(np.uint16) * 255 // 6)
            size = (round(15 * 2 * scale), round(16 * 3 * scale))
        pixels = _written(np.asarray(source, dtype=np.uint8), size, rng)
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    if rng.random() < 0.6:
        image.save(buffer, "JPEG", quality=int(rng.integers(75, 96)))
    else:
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue(), image.size


def _written(source: Grey, size: tuple[int, int], rng: np.random.Generator) -> Grey:
    """A digit at that size with a margin, in other greys, dark on bright or bright on dark."""
    large = np.asarray(Image.fromarray(source).resize(size, Image.Resampling.BICUBIC))
    top, bottom, left, right = (int(edge) for edge in rng.integers(2, 8, size=4))
    page = np.pad(large, ((top, bottom), (left, right))).astype(np.float64)
    ground, ink = rng.uniform(0, 45), rng.uniform(185, 255)
    page = ground + page * ((ink - ground) / 255)
    if rng.random() < 0.3:
        page = 255 - page
    return np.rint(page).astype(np.uint8)


def _enlarged(small: Grey, rng: np.random.Generator) -> Grey:
    """An 8×8 digit enlarged, darkened a little, and moved by at most one pixel."""
    kernel = Image.Resampling(int(rng.choice([0, 1, 2, 3])))
    side = 8 * int(rng.integers(4, 9))
    large = np.asarray(Image.fromarray(small).resize((side, side), kernel))
    down, right = (int(step) for step in rng.integers(-1, 2, size=2))
    place = np.arange(side)
    moved = large[np.clip(place - down, 0, side - 1)][:, np.clip(place - right, 0, side - 1)]
    return np.rint(moved * rng.uniform(0.88, 1.0)).astype(np.uint8)


def _break(data: bytes, rng: np.random.Generator) -> bytes:
    if rng.random() < 0.5:
        return data[: int(len(data) * rng.uniform(0.3, 0.8))]
    return b"<!DOCTYPE html><html><body><h1>This photo cannot be shown now</h1></body></html>\n"
