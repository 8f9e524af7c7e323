"""`replicate duplicates` with features: what hashes do not see."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather
from support.command import replicate
from support.photos import photo_tiles


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders train and test, of which one image is rotated and one recompressed, and features."""
    root = tmp_path_factory.mktemp("features")
    tiles = photo_tiles()[:64:2]
    random = np.random.default_rng(5)
    rows = random.normal(size=(len(tiles), 16)).astype(np.float32)
    (root / "train" / "a").mkdir(parents=True)
    (root / "test").mkdir()
    for place, tile in enumerate(tiles[:24]):
        tile.save(root / "train" / "a" / f"{place}.png")
    for place, tile in enumerate(tiles[24:]):
        tile.save(root / "test" / f"{place}.png")
    tiles[3].rotate(40).save(root / "test" / "rotated.jpg")
    tiles[5].save(root / "test" / "again.jpg", quality=60)
    names = [*(f"{place}.png" for place in range(8)), "rotated.jpg", "again.jpg"]
    noise = random.normal(size=(2, 16)) * 0.05
    _write(root / "train.arrow", [f"a/{place}.png" for place in range(24)], rows[:24])
    _write(root / "test.arrow", names, np.concatenate([rows[24:], rows[[3, 5]] + noise]))
    return root


def _write(path: Path, names: list[str], rows: np.ndarray) -> None:
    flat = pa.array(rows.astype(np.float32).ravel(), pa.float32())
    lists = pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
    feather.write_feather(pa.table({"item": pa.array(names), "features": lists}), path)


BOTH = ("duplicates", "--reference", "train", "--candidates", "test")
FEATURES = ("--features-reference", "train.arrow", "--features-candidates", "test.arrow")


def test_features_find_what_hashes_do_not(folder: Path) -> None:
    alone = replicate(*BOTH, "--json", cwd=folder).json()
    assert [pair["candidate"] for pair in alone["pairs"]] == ["test/again.jpg"]
    assert alone["features"] is None and alone["pairs"][0]["similarity"] is None
    outcome = replicate(
        *BOTH, *FEATURES, "--json", "--output", "pairs.csv", "--report", "pairs.html", cwd=folder
    )
    assert outcome.code == 0, outcome.err
    value = outcome.json()
    told = {pair["candidate"]: pair for pair in value["pairs"] if pair["verdict"] == "sure"}
    assert set(told) == {"test/again.jpg", "test/rotated.jpg"}
    rotated = told["test/rotated.jpg"]
    assert rotated["reference"] == "train/a/3.png" and rotated["found_by"] == "features"
    assert rotated["distance"] > 10 and rotated["ssim"] < 0.9 and rotated["similarity"] > 0.98
    assert told["test/again.jpg"]["found_by"] == "hash and features"
    assert value["found_by"]["features"] >= 1
    assert value["features"]["unsure"] <= value["features"]["sure"] < 1
    assert set(pd.read_csv(folder / "pairs.csv")["found_by"]) == {
        pair["found_by"] for pair in value["pairs"]
    }
    page = (folder / "pairs.html").read_text()
    assert "features" in page and "cosine" in page
    text = replicate(*BOTH, *FEATURES, cwd=folder)
    assert "or with features alike" in text.out and "cosine 0.9" in text.out


def test_cuts_that_are_said_and_one_side_alone(folder: Path) -> None:
    said = ("--features-sure", "0.999999", "--features-unsure", "0.95")
    value = replicate(*BOTH, *FEATURES, *said, "--json", cwd=folder).json()
    assert value["features"] == {"sure": 0.999999, "unsure": 0.95}
    told = {pair["candidate"]: pair["verdict"] for pair in value["pairs"]}
    assert told == {"test/again.jpg": "sure", "test/rotated.jpg": "unsure"}
    within = replicate(
        *("duplicates", "--reference", "train", "--within", "--json"), *FEATURES[:2], *said,
        cwd=folder,
    )  # fmt: skip
    assert within.code == 0 and json.loads(within.out)["pairs"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (FEATURES[:2], "of both sides"),
        (FEATURES[2:], "of both sides"),
        ((*FEATURES, "--features-sure", "0.9"), "belong together"),
        (("--features-sure", "0.9", "--features-unsure", "0.8"), "belong together"),
        ((*FEATURES[:3], "train.arrow"), "No row of features"),
        ((*FEATURES, "--features-sure", "0.5", "--features-unsure", "0.9"), "make no sense"),
    ],
)
def test_mistakes_are_one_message(folder: Path, words: tuple[str, ...], message: str) -> None:
    outcome = replicate(*BOTH, *words, cwd=folder)
    assert outcome.code == 2 and message in outcome.err, outcome.err
    assert "Traceback" not in outcome.err
