"""Hashing beside imagehash and PDQ, resizing beside Pillow, in one run (--benchmark-only)."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import perf_counter, process_time

import imagehash
import numpy as np
import pdqhash
import pytest
import simplejpeg
from PIL import Image
from support.photos import photo_files

from replicate.base.executors import one_thread, run
from replicate.base.randomness import stream
from replicate.base.resample import resize
from replicate.duplicates import hash_many
from replicate.duplicates.hash_files import HashSet
from replicate.duplicates.hash_many import Recipe, hash_paths
from replicate.duplicates.hashing import phash_greys
from replicate.duplicates.search import distances

BYTES = 79_000  # of an ImageNet photo, in the mean
SIZE = (500, 375)
FILES = 12_000
HUNDRED_THOUSAND = 100_000


@cache
def photo_bytes() -> list[bytes]:
    """JPEGs of 500×375 pixels, two pieces of each photo, each as near to 79 KB as it gets."""
    made = []
    for path in photo_files():
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        scale = max(1.0, SIZE[0] / image.width, SIZE[1] / image.height)
        image = image.resize((round(image.width * scale), round(image.height * scale)))
        for x, y in ((0, 0), (image.width - SIZE[0], image.height - SIZE[1])):
            piece = image.crop((x, y, x + SIZE[0], y + SIZE[1]))
            choices = []
            for quality in range(50, 100, 4):
                buffer = io.BytesIO()
                piece.save(buffer, "JPEG", quality=quality)
                choices.append(buffer.getvalue())
            made.append(min(choices, key=lambda data: abs(len(data) - BYTES)))
    return made


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    names = []
    for number, data in enumerate(photo_bytes()):
        (folder / f"{number:03d}.jpg").write_bytes(data)
        names.append(str(folder / f"{number:03d}.jpg"))
    return names


def fastest(
    ways: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = process_time
) -> dict[str, float]:
    """Seconds of each way's best round; all take turns, so that a busy machine slows all alike.

    The processor's time, unless another clock is given: what else runs does not count.
    """
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            begin = clock()
            way()
            best[name] = min(best[name], clock() - begin)
    return best


def table(title: str, seconds: dict[str, float], number: int, base: str, what: str) -> None:
    print(f"\n{title}")
    for name, taken in seconds.items():
        rate = number / taken
        print(f"  {name:44s}{rate:9,.0f} {what}/s  {seconds[base] / taken:6.2f} × {base}")


def all_processes() -> float:
    """The processor's time of this process and of those that it has started and seen end."""
    return sum(os.times()[:4])


def by_imagehash(paths: list[str]) -> list[imagehash.ImageHash]:
    return [imagehash.phash(Image.open(path)) for path in paths]


def by_pdq(paths: list[str]) -> None:
    for path in paths:
        pdqhash.compute(np.asarray(Image.open(path).convert("RGB")))


def entropy_alone(paths: list[str]) -> None:
    """As near as one gets: brightness alone, an eighth as wide and high."""
    for path in paths:
        data = Path(path).read_bytes()
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)


def test_hashes_a_second_a_core(benchmark, photos, monkeypatch) -> None:
    monkeypatch.setattr(hash_many, "_FEW", 0)
    mine = hash_paths(photos)
    ours = [int(word) for word in mine.hashes]
    theirs = [int(str(one), 16) for one in by_imagehash(photos)]
    apart = distances(hash_paths(photos, Recipe("phash-fast")).hashes, mine.hashes)
    photos = photos * 4
    ways = {
        "imagehash.phash": lambda: by_imagehash(photos),
        "replicate phash": lambda: hash_paths(photos),
        "replicate phash, 256 bits": lambda: hash_paths(photos, Recipe(bits=256)),
        "replicate phash with flips and turns": lambda: hash_paths(photos, Recipe(turned=True)),
        "replicate phash-fast": lambda: hash_paths(photos, Recipe("phash-fast")),
        "imagehash.dhash": lambda: [imagehash.dhash(Image.open(path)) for path in photos],
        "imagehash.whash": lambda: [imagehash.whash(Image.open(path)) for path in photos],
        "PDQ (pdqhash)": lambda: by_pdq(photos),
        "limit: entropy decoding alone": lambda: entropy_alone(photos),
    }
    with one_thread():
        seconds = benchmark.pedantic(fastest, args=(ways, 5), rounds=1)
    mean = np.mean([len(data) for data in photo_bytes()]) / 1000
    title = f"{len(photos)} photos of 500×375 pixels, {mean:.0f} KB, one core"
    table(title, seconds, len(photos), "imagehash.phash", "images")
    within = (apart <= 2).mean()
    print(f"  phash identical to imagehash's: {np.mean(np.equal(ours, theirs)):.1%}")
    print(f"  phash-fast identical: {(apart == 0).mean():.1%}, within 2 bits: {within:.1%}")
    assert ours == theirs
    assert within >= 0.99
    assert seconds["imagehash.phash"] / seconds["replicate phash"] >= 1.3
    assert seconds["imagehash.phash"] / seconds["replicate phash-fast"] >= 1.9


def test_from_disk_in_two_processes(benchmark, photos, tmp_path: Path) -> None:
    names = []
    for number in range(FILES):
        (tmp_path / f"{number:05d}.jpg").hardlink_to(photos[number % len(photos)])
        names.append(str(tmp_path / f"{number:05d}.jpg"))
    shards = [names[start : start + 250] for start in range(0, FILES, 250)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hash_many, "SHARD", 250)
        ways = {
            "imagehash.phash": lambda: list(run(by_imagehash, shards, workers=2)),
            "replicate phash": lambda: hash_paths(names, processes=2),
            "replicate phash-fast": lambda: hash_paths(names, Recipe("phash-fast"), processes=2),
        }
        seconds = benchmark.pedantic(fastest, args=(ways, 1, all_processes), rounds=1)
    title = f"{FILES:,} files from disk, two processes with their start (both cores to themselves)"
    table(
        title,
        {name: taken / 2 for name, taken in seconds.items()},
        FILES,
        "imagehash.phash",
        "images",
    )
    assert seconds["imagehash.phash"] / seconds["replicate phash-fast"] >= 1.8


def test_resizing_beside_pillow(benchmark) -> None:
    random = stream(1, "bench")
    colour = random.integers(0, 256, (375, 500, 3)).astype(np.uint8)
    grey, crop = np.ascontiguousarray(colour[..., 0]), (58, 16, 282, 240)
    in_colour, in_grey = Image.fromarray(colour), Image.fromarray(grey)
    lanczos, bicubic = Image.Resampling.LANCZOS, Image.Resampling.BICUBIC
    times = range(200)
    ways = {
        "Pillow, Lanczos, grey to 32×32": lambda: [
            in_grey.resize((32, 32), lanczos) for _ in times
        ],
        "replicate, Lanczos, grey to 32×32": lambda: [resize(grey, (32, 32)) for _ in times],
        "Pillow, bicubic, RGB to 256, middle 224": lambda: [
            in_colour.resize((341, 256), bicubic).crop(crop) for _ in times
        ],
        "replicate, bicubic, RGB to 256, middle 224": lambda: [
            resize(colour, (341, 256), "bicubic", crop=crop) for _ in times
        ],
    }
    resize(grey, (32, 32))
    seconds = benchmark.pedantic(fastest, args=(ways, 5), rounds=1)
    names = list(seconds)
    table("A picture of 500×375 pixels", seconds, len(times), names[0], "images")
    for theirs, ours in (names[:2], names[2:]):
        assert seconds[theirs] / seconds[ours] >= 3


def test_a_stack_of_small_images_hashes_twice_as_fast_as_one_by_one(benchmark) -> None:
    pixels = stream(1, "bench").integers(0, 256, size=(500, 8, 8)).astype(np.uint8)
    begin = perf_counter()
    for image in pixels:
        imagehash.phash(Image.fromarray(image))
    one_by_one = perf_counter() - begin
    benchmark.pedantic(phash_greys, args=(pixels, 64), rounds=3, warmup_rounds=1)
    assert benchmark.stats.stats.min < one_by_one / 2


HASH = """
import os, sys
from pathlib import Path
from replicate.duplicates.hash_many import Recipe, hash_paths
if __name__ == "__main__":
    paths = sorted(entry.path for entry in os.scandir(sys.argv[1]))
    peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    before = peak()
    out, recipe = Path(sys.argv[2]), Recipe("phash-fast", file_digests=True)
    hash_paths(paths, recipe, processes=2, keep=out.with_suffix(".shards")).write(out)
    print(peak() - before)
"""


def test_a_hundred_thousand_images_killed_and_carried_on(benchmark, tmp_path: Path) -> None:
    folder, script = tmp_path / "images", tmp_path / "hash.py"
    folder.mkdir()
    script.write_text(HASH)
    random = stream(1, "bench", "many")
    coarse = random.integers(0, 256, (HUNDRED_THOUSAND, 6, 6, 3), dtype=np.uint8)
    for number, pixels in enumerate(coarse):
        image = Image.fromarray(pixels).resize((64, 48), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:06d}.jpg", quality=80)
    out, killed = tmp_path / "killed.npz", []
    shards = tmp_path / "killed.shards"
    for wanted in (13, 55, 80):
        process = subprocess.Popen([sys.executable, str(script), str(folder), str(out)])
        while process.poll() is None and len(list(shards.glob("*.npz"))) < wanted:
            time.sleep(0.01)
        process.kill()
        process.wait()
        killed.append(len(list(shards.glob("*.npz"))))
    assert not out.exists()

    def carry_on(target: Path) -> int:
        command = [sys.executable, str(script), str(folder), str(target)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    begin = perf_counter()
    benchmark.pedantic(carry_on, args=(out,), rounds=1)
    carried = perf_counter() - begin
    begin = perf_counter()
    kib = carry_on(tmp_path / "whole.npz")
    whole = perf_counter() - begin
    assert out.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert len(HashSet.read(out)) == HUNDRED_THOUSAND
    print(
        f"\n{HUNDRED_THOUSAND:,} images of 64×48 pixels in two processes: {whole:.1f} s at once; "
        f"killed with {killed} of 100 shards done, then carried on in {carried:.1f} s: same bytes."
        f"\n  {kib * 1024 / HUNDRED_THOUSAND:.0f} bytes an image in the process that gathers"
    )
    assert kib * 1024 < 25e6 + 150 * HUNDRED_THOUSAND
    assert out.stat().st_size < 100 * HUNDRED_THOUSAND
