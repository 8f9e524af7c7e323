"""`replicate duplicates`: does my test folder leak into my train folder?"""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance
from support.command import replicate
from support.photos import photo_tiles

from replicate.duplicates.hash_files import HashSet
from replicate.duplicates.hashing import phash_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder train, and a folder test that leaks into it in five ways, with oddities."""
    root = tmp_path_factory.mktemp("duplicates")
    tiles = photo_tiles()
    train, test = root / "train", root / "test" / "deeper"
    train.mkdir()
    test.mkdir(parents=True)
    for place in range(60):
        tiles[place].save(train / f"{place:02}.png")
    for place in range(60, 90):
        tiles[place].save(test / f"{place}.jpg", quality=90)
    tiles[5].resize((120, 120)).save(test / "half.JPG", quality=60)
    tiles[7].transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(test / "flipped.jpg", quality=80)
    tiles[9].transpose(Image.Transpose.ROTATE_90).save(test / "turned.jpg", quality=80)
    ImageEnhance.Brightness(tiles[11]).enhance(1.4).save(test / "bright.webp")
    (test / "broken.jpg").write_text("no image")
    (test / "cut.jpg").write_bytes((test / "61.jpg").read_bytes()[:900])
    (test / "notes.txt").write_text("no image by its name")
    (test / "round").symlink_to(root / "test")
    return root


PLANTED = {
    ("train/05.png", "test/deeper/half.JPG", "none"),
    ("train/07.png", "test/deeper/flipped.jpg", "flip_left_right"),
    ("train/09.png", "test/deeper/turned.jpg", "rotate_270"),
    ("train/11.png", "test/deeper/bright.webp", "none"),
}


def _found(value: dict) -> set[tuple[str, str, str]]:
    return {(pair["reference"], pair["candidate"], pair["transform"]) for pair in value["pairs"]}


def test_a_test_folder_leaks_into_a_train_folder(folder: Path) -> None:
    outcome = replicate(
        *("duplicates", "--reference", "train", "--candidates", "test", "--json"),
        *("--save-hashes", "train.npz", "--output", "pairs.csv", "--report", "pairs.html"),
        cwd=folder,
    )
    assert outcome.code == 3, outcome.err  # two images cannot be read
    value = outcome.json()
    assert _found(value) == PLANTED
    assert {pair["verdict"] for pair in value["pairs"]} == {"sure"}
    assert all(pair["distance"] <= 10 and pair["ssim"] > 0.6 for pair in value["pairs"])
    assert (value["n_reference"], value["n_candidates"], value["n_pairs"]) == (60, 34, 4)
    assert set(value["seconds"]) == {"hash", "search", "confirm"}
    assert value["failed"] == {"not_an_image": 1, "truncated": 1}
    assert {Path(item["path"]).name for item in value["failed_images"]} == {"broken.jpg", "cut.jpg"}
    assert value["passed_over"] == {".txt": 1}
    table = pd.read_csv(folder / "pairs.csv")
    assert table["candidate"].tolist() == [pair["candidate"] for pair in value["pairs"]]
    assert (table["dssim"] - (1 - table["ssim"]) / 2).abs().max() < 1e-6
    assert (table["squared32"] <= table["squared"] + 0.01).all()
    page = (folder / "pairs.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 8
    assert not re.search(r"https?://", page) and "<script" not in page
    saved = HashSet.read(folder / "train.npz")
    assert list(saved.paths) == [f"train/{place:02}.png" for place in range(60)]
    assert saved.turned is not None and not (folder / ".train.npz.shards").exists()
    # The saved hashes serve as the folder does; the text says the same; a table names the images.
    rows = sorted(p.relative_to(folder) for p in (folder / "test" / "deeper").glob("*.[jJw]*"))
    pd.DataFrame({"path": [str(row) for row in rows]}).to_csv(folder / "test.csv", index=False)
    again = replicate(
        *("duplicates", "--reference", "train.npz", "--candidates", "test.csv"), cwd=folder
    )
    assert again.code == 3
    assert "4 pairs within 10 of 64 bits (4 sure)" in again.out
    assert "rotate_270  test/deeper/turned.jpg  =  train/09.png" in again.out
    assert "broken.jpg: not_an_image" in again.out


def test_bare_arrays_cannot_be_confirmed_and_it_says_so(folder: Path) -> None:
    hashes = np.concatenate([phash_image(tile) for tile in photo_tiles()[:30]])
    near = hashes[4] ^ np.uint64(0b1011)
    np.save(folder / "a.npy", hashes)
    np.save(folder / "b.npy", np.array([near, ~hashes[0]]))
    base = ("duplicates", "--reference", "a.npy", "--candidates", "b.npy")
    value = replicate(*base, "--hash", "phash", "--bits", "64", "--json", cwd=folder).json()
    assert value["pairs"] == [
        {
            "reference": "4", "candidate": "0", "distance": 3, "transform": "none",
            "distance256": None, "ssim": None, "dssim": None, "squared": None, "squared32": None,
            "moved": None, "low_structure": None, "similarity": None, "found_by": "hash",
            "verdict": "unconfirmed",
        }
    ]  # fmt: skip
    assert value["transforms"] is False
    short = replicate(*base, "--bits", "64", "--summary", "--json", cwd=folder)
    assert short.code == 0 and "pairs" not in short.json()
    asked = replicate(*base, cwd=folder)
    assert asked.code == 2 and "--hash phash --bits 64" in asked.err
    turned = replicate(*base, "--bits", "64", "--transforms", cwd=folder)
    assert turned.code == 2 and "--no-transforms" in turned.err
    guarded = replicate(*base, "--bits", "64", "--radius", "64", "--max-pairs", "9", cwd=folder)
    assert guarded.code == 4 and "More than 9 pairs" in guarded.err


def test_hashes_made_otherwise_are_refused(folder: Path) -> None:
    tiles = photo_tiles()[:2]
    made = HashSet(
        ["x", "y"], np.concatenate([phash_image(tile) for tile in tiles]), "phash", 64, "pillow",
        {"pillow": "1.0"},
    )  # fmt: skip
    made.write(folder / "old.npz")
    outcome = replicate(
        *("duplicates", "--reference", "old.npz", "--candidates", "train"), cwd=folder
    )
    assert outcome.code == 2
    assert "different ways" in outcome.err and "pillow: 1.0 and" in outcome.err
    assert "Traceback" not in outcome.err
    assert "hashing" not in outcome.err  # before a folder of a million has been hashed in vain


def test_within_one_folder_and_with_longer_hashes(folder: Path) -> None:
    outcome = replicate(
        *("duplicates", "--reference", "train", "test/deeper/half.JPG.csv"), cwd=folder
    )
    assert outcome.code == 2 and "There is nothing to compare" in outcome.err
    both = replicate(
        *("duplicates", "--reference", "train", "test", "--within", "--bits", "256", "--json"),
        *("--no-confirm",),
        cwd=folder,
    )
    assert both.code == 3
    value = both.json()
    assert _found(value) == PLANTED
    assert value["radius"] == 31 and value["within"] is True
    assert {pair["verdict"] for pair in value["pairs"]} == {"unconfirmed"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "There is no reference"),
        (("--reference", "nowhere", "--candidates", "train"), "There is no nowhere"),
        (("--reference", "train", "--candidates", "train", "--within"), "--within"),
        (("--reference", "train", "--candidates", "empty"), "There are no images in empty"),
    ],
)
def test_mistakes_are_one_message(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    outcome = replicate("duplicates", *arguments, "--json", cwd=folder)
    assert outcome.code == 2, outcome.err
    assert words in outcome.err + outcome.out
    assert "Traceback" not in outcome.err


def test_cuts_are_read_and_checked(folder: Path) -> None:
    base = ("duplicates", "--reference", "train", "--candidates", "test", "--json")
    none_sure = {
        "sure_bits": 0, "sure_ssim": 1.0, "sure_moved": 0.0,
        "different_bits": 0, "different_ssim": 1.0, "different_moved": 0.0,
    }  # fmt: skip
    (folder / "cuts.json").write_text(json.dumps(none_sure))
    value = replicate(*base, "--cuts", "cuts.json", cwd=folder).json()
    assert {pair["verdict"] for pair in value["pairs"]} <= {"different", "unsure", "sure"}
    assert "different" in value["verdicts"]
    (folder / "cuts.json").write_text(json.dumps({"sure": 3}))
    refused = replicate(*base, "--cuts", "cuts.json", cwd=folder)
    assert refused.code == 2 and "holds no cuts" in refused.out + refused.err


def test_a_calibration_gives_cuts_that_the_search_takes(folder: Path) -> None:
    outcome = replicate(
        *("duplicates", "calibrate", "train", "--sample", "12", "--json"),
        *("--output", "measured.json", "--figure", "curve.png"),
        cwd=folder,
    )
    assert outcome.code == 0, outcome.err
    value = outcome.json()
    assert value["n_images"] == 12 and value["edits"]["flipped"]["recall"] >= 0.9
    with Image.open(folder / "curve.png") as curve:
        assert curve.width > 500
    again = replicate(
        *("duplicates", "--reference", "train", "--candidates", "test", "--json"),
        *("--cuts", "measured.json"),
        cwd=folder,
    )
    assert _found(again.json()) == PLANTED
    assert "Warning" not in again.err
    (folder / "plain.json").write_text(json.dumps(value | {"transforms": False}))
    for turned in ("--transforms", "--no-transforms"):
        warned = replicate(
            *("duplicates", "--reference", "train", "--candidates", "test", turned),
            *("--cuts", "plain.json"),
            cwd=folder,
        )
        assert warned.code == 3, warned.err  # one file is no image
        assert ("without flips and turns" in warned.err) == (turned == "--transforms")
    named = replicate("duplicates", "calibrate", "train", "--figure", "x.pdf", cwd=folder)
    assert named.code == 2 and ".svg" in named.err
