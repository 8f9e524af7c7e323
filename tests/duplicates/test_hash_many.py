"""Many files: imagehash's hashes, unreadable ones as rows, the same bytes however it is run."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps
from support.photos import photo_tiles

from replicate.base.errors import UsageError
from replicate.cli.duplicates import duplicates
from replicate.duplicates import hash_many
from replicate.duplicates.hash_files import HashSet
from replicate.duplicates.hash_many import Recipe, hash_paths
from replicate.duplicates.hashing import pack_bits
from replicate.duplicates.search import distances, popcount
from replicate.duplicates.transforms import TRANSFORMS


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of several formats, grey and colour, upright and turned."""
    folder = tmp_path_factory.mktemp("photos")
    names = []
    for number, tile in enumerate(photo_tiles()[::12]):
        ending = ("jpg", "png", "jpg", "webp", "jpg")[number % 5]
        image = tile.convert("L") if number % 7 == 3 else tile
        image = image.crop((0, 0, 200, 90 + number % 100))
        path = folder / f"{number:03d}.{ending}"
        how = {}
        if ending == "jpg" and number % 3 == 0:
            how["exif"] = image.getexif()
            how["exif"][0x0112] = 1 + number % 8
        image.save(path, quality=60 + number % 40, **how)
        names.append(str(path))
    return names


def into_file(paths: list[str], out: Path, recipe: Recipe | None = None, **how) -> HashSet:
    """As the command does it: finished shards are kept until the result is whole."""
    made = hash_paths(paths, recipe, keep=out.with_suffix(".shards"), **how)
    made.write(out)
    return made


def oracle(path: str, name: str, bits: int) -> np.ndarray:
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        made = getattr(imagehash, name)(upright, hash_size=int(bits**0.5))
    return pack_bits(made.hash.reshape(1, bits))[0]


def same(one: HashSet, two: HashSet) -> bool:
    arrays = ("hashes", "structure", "turned", "file_digest", "pixel_digest")
    return (
        (one.paths, one.info, one.failed) == (two.paths, two.info, two.failed)
        and all(np.array_equal(getattr(one, name), getattr(two, name)) for name in arrays)
    )  # fmt: skip


@pytest.mark.parametrize("few", [True, False], ids=["pillow", "compiled"])
@pytest.mark.parametrize("bits", [64, 256])
def test_phash_is_imagehashs(photos, bits: int, few: bool, monkeypatch) -> None:
    monkeypatch.setattr(hash_many, "_FEW", 10**6 if few else 0)
    made = hash_paths(photos, Recipe("phash", bits))
    expected = [oracle(path, "phash", bits) for path in photos]
    assert np.array_equal(made.hashes, np.array(expected))
    assert made.paths == photos
    assert not made.failed
    assert (made.structure > 0.2).mean() > 0.9


@pytest.mark.parametrize(
    ("algorithm", "name"), [("dhash", "dhash"), ("whash", "whash"), ("average", "average_hash")]
)
def test_the_other_hashes_are_imagehashs(photos, algorithm: str, name: str) -> None:
    some = photos[:12]
    for bits in (64, 256):
        made = hash_paths(some, Recipe(algorithm, bits))
        assert np.array_equal(made.hashes, np.array([oracle(path, name, bits) for path in some]))
        assert len(made.structure) == len(some)


@pytest.mark.parametrize("few", [True, False], ids=["pillow", "compiled"])
def test_the_fast_hash_is_within_two_bits_on_photos(photos, few: bool, monkeypatch) -> None:
    monkeypatch.setattr(hash_many, "_FEW", 10**6 if few else 0)
    fast = hash_paths(photos, Recipe("phash-fast"))
    apart = distances(fast.hashes, hash_paths(photos).hashes)
    assert (apart <= 2).mean() >= 0.99
    assert (fast.decoder, fast.algorithm) == ("jpeg-luma", "phash-fast")
    assert "simplejpeg" in fast.versions


def test_what_else_is_kept(photos) -> None:
    recipe = Recipe("phash", 256, turned=True, file_digests=True, pixel_digests=True)
    made = hash_paths(photos[:8], recipe)
    assert made.turned.shape == (8, 7, 4)
    turned = Image.open(photos[1]).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    expected = pack_bits(imagehash.phash(turned, 16).hash.reshape(1, 256))[0]
    place = TRANSFORMS.index("flip_left_right")
    assert popcount(expected ^ made.turned[1, place]).sum() <= 4
    files = [hashlib.sha256(Path(path).read_bytes()).digest() for path in photos[:8]]
    assert [row.tobytes() for row in made.file_digest] == files
    with pytest.raises(UsageError, match="no hashes of flips"):
        Recipe("dhash", turned=True)


def test_exact_copies_have_one_digest(tmp_path: Path) -> None:
    """A PNG and a BMP of the same pixels differ as files, not as pictures."""
    tile = photo_tiles()[3]
    for name in ("a.png", "b.bmp", "c.png"):
        (tile.rotate(90) if name == "c.png" else tile).save(tmp_path / name)
    names = [str(tmp_path / name) for name in ("a.png", "b.bmp", "c.png")]
    made = hash_paths(names, Recipe(file_digests=True, pixel_digests=True))
    a, b, c = (row.tobytes() for row in made.pixel_digest)
    assert a == b != c
    assert len({row.tobytes() for row in made.file_digest}) == 3


def test_flat_images_are_flagged_and_kept(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (90, 120, 200)).save(tmp_path / "sky.jpg")
    photo_tiles()[0].save(tmp_path / "photo.jpg")
    made = hash_paths([str(tmp_path / "sky.jpg"), str(tmp_path / "photo.jpg")])
    assert len(made) == 2
    assert made.structure[0] < 0.2 < made.structure[1]


def test_what_cannot_be_read_is_a_row_with_a_reason(photos, tmp_path: Path) -> None:
    whole = Path(photos[0]).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    bad = {
        "cut.jpg": "truncated",
        "text.jpg": "not_an_image",
        "empty.png": "empty",
        "folder.jpg": "unreadable",
        "gone.jpg": "missing",
    }
    names = [photos[0], *(str(tmp_path / name) for name in bad), photos[1]]
    made = hash_paths(names)
    assert made.paths == [photos[0], photos[1]]
    assert made.failed == {str(tmp_path / name): reason for name, reason in bad.items()}
    nothing = hash_paths(names[1:3], Recipe(bits=256, turned=True))
    assert (len(nothing), nothing.hashes.shape, nothing.turned.shape) == (0, (0, 4), (0, 7, 4))


def test_shards_and_processes_change_nothing(photos, tmp_path: Path, monkeypatch) -> None:
    names = [*photos[:20], str(tmp_path / "gone.jpg"), *photos[20:]]
    recipe = Recipe(turned=True, file_digests=True)
    whole = into_file(names, tmp_path / "whole.npz", recipe)
    monkeypatch.setattr(hash_many, "SHARD", 7)
    monkeypatch.setattr(hash_many, "_BATCH", 3)
    monkeypatch.setattr(hash_many, "_FEW", 0)
    seen = []
    sharded = into_file(
        names,
        tmp_path / "sharded.npz",
        recipe,
        processes=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert same(whole, sharded)
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "sharded.npz").read_bytes()
    assert seen[-1] == (len(names), len(names))
    assert same(HashSet.read(tmp_path / "whole.npz"), whole)


KILLED = """
import sys
from pathlib import Path
from replicate.cli.duplicates import duplicates
from replicate.duplicates import hash_many
hash_many.SHARD = 5
hash_many.hash_paths(sys.argv[2:], keep=Path(sys.argv[1]).with_suffix('.shards'))
"""


def test_killed_and_carried_on_is_the_same_file(photos, tmp_path: Path, monkeypatch) -> None:
    out, shards = tmp_path / "h.npz", tmp_path / "h.shards"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(out), *photos])
    deadline = time.monotonic() + 60
    while len(list(shards.glob("*.npz"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path.name for path in shards.glob("*.npz")}
    monkeypatch.setattr(hash_many, "SHARD", 5)
    hashed = []
    real = hash_many._hashed

    def counting(recipe, few, paths):
        hashed.extend(paths)
        return real(recipe, few, paths)

    monkeypatch.setattr(hash_many, "_hashed", counting)
    into_file(photos, out)
    assert len(hashed) == len(photos) - 5 * len(kept)
    into_file(photos, tmp_path / "at_once.npz")
    assert out.read_bytes() == (tmp_path / "at_once.npz").read_bytes()


def test_a_changed_file_or_a_broken_shard_is_hashed_again(tmp_path: Path) -> None:
    tiles, path, keep = photo_tiles(), tmp_path / "a.png", tmp_path / "keep"
    tiles[0].save(path)
    first = hash_paths([str(path)], keep=keep)
    tiles[1].save(path)
    second = hash_paths([str(path)], keep=keep)
    assert first.hashes != second.hashes
    for shard in keep.glob("*.npz"):
        shard.write_bytes(shard.read_bytes()[:50])
    assert hash_paths([str(path)], keep=keep).hashes == second.hashes


def test_the_command_gives_the_same_bytes_on_ray(photos, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(hash_many, "SHARD", 20)
    folder = str(Path(photos[0]).parent)
    for executor in ("local", "ray"):
        saved = str(tmp_path / f"{executor}.npz")
        command = ["--reference", folder, "--save-hashes", saved, "--json"]
        duplicates.main(
            [*command, "--executor", executor, "--processes", "2"], standalone_mode=False
        )
    assert len(HashSet.read(tmp_path / "ray.npz")) == len(photos)
    assert (tmp_path / "local.npz").read_bytes() == (tmp_path / "ray.npz").read_bytes()


def test_a_picture_without_an_ending_is_one(tmp_path: Path) -> None:
    photo_tiles()[0].save(tmp_path / "noname", "PNG")
    assert len(hash_paths([str(tmp_path / "noname")])) == 1
