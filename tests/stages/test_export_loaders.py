"""Every format is loaded back by its usual reader: the same images, labels and order."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from replicate.sampling.frozen import Frozen, read_frozen
from replicate.stages.freezing import manifest_path
from replicate.study import Study

Pixels = list[list[int]]
Loaded = list[tuple[Pixels, int]]


@pytest.fixture(scope="module")
def wanted(published: Study) -> Loaded:
    """The set as it was frozen: the pixels that are scored, and the class's number."""
    frozen: Frozen = read_frozen(manifest_path(published, "top", 1))
    numbers = {item.class_id: item.position for item in published.classes}
    return [
        (pixels(Image.open(io.BytesIO(published.prepared.get(str(prepared))))), numbers[class_id])
        for (_, class_id), prepared in zip(frozen.manifest.members, frozen.prepared, strict=True)
    ]


def pixels(image: Image.Image) -> Pixels:
    found: Pixels = np.asarray(image.convert("L")).tolist()
    return found


def plain_image_folder(root: Path) -> list[tuple[str, int]]:
    """What torchvision's ImageFolder does: folders numbered as they sort, files as they sort."""
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    return [
        (str(path), number)
        for number, name in enumerate(classes)
        for path in sorted((root / name).rglob("*"))
    ]


def load_image_folder(root: Path, samples: list[tuple[str, int]]) -> Loaded:
    """In the set's order, which the table of images tells."""
    with (root / "images.csv").open(newline="") as handle:
        position = {row["file"]: int(row["position"]) for row in csv.DictReader(handle)}
    assert len(samples) == len(position)
    found = [(position[Path(f).relative_to(root).as_posix()], f, label) for f, label in samples]
    # Within a class the folder itself is in the set's order.
    for label in {each[2] for each in found}:
        places = [place for place, _, number in found if number == label]
        assert places == sorted(places)
    return [(pixels(Image.open(file)), label) for _, file, label in sorted(found)]


def load_web_dataset(root: Path) -> Loaded:
    import webdataset

    shards = sorted(map(str, root.glob("*.tar")))
    assert len(shards) == 3
    data = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")
    return [(pixels(sample["png"]), sample["cls"]) for sample in data]


def load_parquet(root: Path) -> Loaded:
    import pandas as pd
    import pyarrow.dataset as ds

    files = sorted(root.glob("images-*.parquet"))
    assert len(files) == 3
    frame = pd.concat(map(pd.read_parquet, files))
    assert ds.dataset([str(path) for path in files]).to_table().num_rows == len(frame)
    return [
        (pixels(Image.open(io.BytesIO(data))), int(label))
        for data, label in zip(frame["bytes"], frame["label"], strict=True)
    ]


def load_hugging_face(root: Path) -> Loaded:
    import datasets

    cache = root.parent.parent / "cache"
    found = datasets.load_dataset(str(root), split="test", cache_dir=str(cache))
    assert found.features["label"].names[3] == "the digit 3"
    assert isinstance(found.features["image"], datasets.Image)
    return [(pixels(row["image"]), row["label"]) for row in found]


def load_croissant(root: Path) -> Loaded:
    import mlcroissant

    data = mlcroissant.Dataset(str(root / "croissant.json"))
    assert not data.metadata.ctx.issues.errors and not data.metadata.ctx.issues.warnings
    return [(pixels(row["images/image"]), row["images/label"]) for row in data.records("images")]


READERS: dict[str, Callable[[Path], Loaded]] = {
    "imagefolder": lambda root: load_image_folder(root, plain_image_folder(root)),
    "webdataset": load_web_dataset,
    "parquet": load_parquet,
    "huggingface": load_hugging_face,
    "croissant": load_croissant,
}


# webdataset leaves its shards to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", READERS)
def test_the_usual_reader_finds_the_frozen_set(kind: str, whole: Path, wanted: Loaded) -> None:
    assert len(wanted) == 30
    assert READERS[kind](whole / kind) == wanted


@pytest.mark.zoo
def test_torchvision_reads_the_image_folder(whole: Path, wanted: Loaded) -> None:
    from torchvision.datasets import ImageFolder

    root = whole / "imagefolder"
    found = ImageFolder(str(root))
    assert found.samples == plain_image_folder(root)
    assert load_image_folder(root, found.samples) == wanted


def test_the_tables_are_read_by_pandas(whole: Path) -> None:
    import pandas as pd

    votes = pd.read_csv(whole / "votes" / "votes.csv")
    shares = votes[votes["counted"]].groupby("image_id")["vote"].agg(lambda v: (v == "yes").mean())
    counts = pd.read_csv(whole / "frequencies" / "frequencies.csv").set_index("image_id")
    assert len(counts) == 50  # the images of both sets
    assert np.allclose(shares.loc[counts.index], counts["frequency"])
    pool = pd.read_csv(whole / "pool" / "pool.csv")
    assert pool["in_set"].sum() == 30 and len(pool) == 50
    assert not any(path.suffix == ".png" for path in (whole / "pool").rglob("*"))


def test_croissant_says_how_the_votes_came_about(whole: Path) -> None:
    import mlcroissant

    path = whole / "croissant" / "croissant.json"
    data = mlcroissant.Dataset(str(path)).metadata
    assert data.data_annotation_platform == ["crowd: some people"]
    protocol = " ".join(data.data_annotation_protocol)
    assert "Pay: $0.10 a page" in protocol and "10 workers a page" in protocol
    assert "Which of these images contain" in protocol and "on 2026-05-01" in protocol
    assert "agree with a probability" in " ".join(data.data_annotation_analysis)
    assert "6 votes that count an image" in data.annotations_per_item
    assert [str(day)[:10] for day in data.data_collection_timeframe] == ["2026-05-01", "2026-05-03"]
    assert "programs" in " ".join(data.annotator_demographics)
    values = json.loads(path.read_text())
    shards = [item for item in values["distribution"] if item["@type"] == "cr:FileObject"]
    assert len(shards) == 3 and all(len(item["sha256"]) == 64 for item in shards)
