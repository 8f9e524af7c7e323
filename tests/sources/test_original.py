from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.base.images import encode_png
from replicate.base.tables import write_table
from replicate.sources.original import (
    UnreadableImageError,
    labels_of,
    load_original,
    natural_key,
)
from replicate.sources.records import OriginalImage


def picture(value: int) -> bytes:
    return encode_png(np.full((4, 4), value, dtype=np.uint8))


def write(root: Path, name: str, data: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_class_folders_and_files_come_in_natural_order(tmp_path: Path):
    for folder in ("10", "2", "0"):
        for name in ("b10.png", "b9.PNG", "notes.txt", ".hidden.png"):
            write(tmp_path, f"{folder}/{name}", picture(int(folder)))
    items = list(load_original(str(tmp_path)))
    assert all(isinstance(item, OriginalImage) for item in items)
    names = [item.name for item in items if isinstance(item, OriginalImage)]
    assert names == ["0/b9.PNG", "0/b10.png", "2/b9.PNG", "2/b10.png", "10/b9.PNG", "10/b10.png"]
    classes = [item.class_id for item in items if isinstance(item, OriginalImage)]
    assert classes == ["0", "0", "2", "2", "10", "10"]


def test_an_unreadable_file_is_an_item_with_a_reason(tmp_path: Path):
    write(tmp_path, "cat/1.png", picture(1))
    write(tmp_path, "cat/2.png", b"<html>no</html>")
    write(tmp_path, "cat/3.png", b"")
    noise = np.arange(1600, dtype=np.uint32) ** 3 % 251
    write(tmp_path, "cat/4.png", encode_png(noise.astype(np.uint8).reshape(40, 40))[:-200])
    good, *bad = load_original(str(tmp_path))
    assert isinstance(good, OriginalImage)
    assert [item.reason for item in bad if isinstance(item, ItemError)] == [
        "not_an_image",
        "empty",
        "truncated",
    ]
    assert str(bad[0]).startswith("cat/2.png")


def test_a_limit_takes_the_first_of_each_class():
    items = list(load_original("digits:original", limit_per_class=3))
    assert len(items) == 30
    everything = list(load_original("digits:original"))
    assert len(everything) == 1000
    zeros = [item for item in everything if isinstance(item, OriginalImage)]
    assert items[:1] == zeros[:1]


@pytest.mark.parametrize("spec", ["digits:nothing", "nowhere/at/all"])
def test_a_set_that_is_not_there_is_a_usage_error(spec: str):
    with pytest.raises(UsageError) as caught:
        list(load_original(spec))
    assert caught.value.hint


def test_a_folder_without_classes_or_images_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match="no class folders"):
        list(load_original(str(tmp_path)))
    (tmp_path / "cat").mkdir()
    with pytest.raises(UsageError, match="hold no images"):
        list(load_original(str(tmp_path)))
    with pytest.raises(MissingError):
        list(load_original(str(tmp_path / "no")))


@given(st.lists(st.integers(0, 10**6)))
def test_natural_order_is_the_order_of_the_numbers(numbers: list[int]):
    names = [f"img{number}.png" for number in numbers]
    assert sorted(names, key=natural_key) == [f"img{number}.png" for number in sorted(numbers)]


@given(st.lists(st.text(max_size=6)))
def test_any_names_can_be_compared(names: list[str]):
    one, other = (sorted(given, key=natural_key) for given in (names, names[::-1]))
    assert [natural_key(name) for name in one] == [natural_key(name) for name in other]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_names_files_and_labels(tmp_path: Path, ending: str):
    for name in ("a", "b", "c"):
        write(tmp_path, f"files/{name}.png", picture(ord(name)))
    write(tmp_path, "files/broken.png", b"no image")
    frame = pd.DataFrame(
        {
            "File": ["files/b.png", "files/a.png", "files/broken.png", "gone.png", "files/c.png"],
            "label": ["2", "10", "10", "2", "2"],
        }
    )
    table = tmp_path / f"labels.{ending}"
    write_table(frame, table)
    assert labels_of(str(table)) == ["2", "10"]
    items = list(load_original(str(table)))
    assert [(item.name, item.class_id) for item in items if isinstance(item, OriginalImage)] == [
        ("files/b.png", "2"),
        ("files/a.png", "10"),
        ("files/c.png", "2"),
    ]
    failed = [item for item in items if isinstance(item, UnreadableImageError)]
    assert [(item.name, item.label, item.reason) for item in failed] == [
        ("files/broken.png", "10", "not_an_image"),
        ("gone.png", "2", "file_missing"),
    ]
    assert (
        len(list(load_original(str(table), limit_per_class=1))) == 4
    )  # what failed is not counted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,other\na.png,1\n", "no column with the label"),
        ("name,class\na.png,1\n", "no column with the file"),
        ("path,class\na.png,1\na.png,2\n", "more than once, such as 'a.png'"),
        ("path,class\na.png,\n", "Row 1 of .* has no label"),
        ("path,class\n", "has no rows"),
    ],
)
def test_a_table_that_says_too_little(tmp_path: Path, text: str, message: str):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        labels_of(str(tmp_path / "t.csv"))


def test_a_table_that_is_not_there(tmp_path: Path):
    with pytest.raises(MissingError, match="There is no table"):
        list(load_original(str(tmp_path / "t.csv")))


def test_labels_are_those_of_folders_with_images(tmp_path: Path):
    write(tmp_path, "cat/1.png", picture(1))
    write(tmp_path, "dog/readme.txt", b"nothing")
    assert labels_of(str(tmp_path)) == ["cat"]
    assert sorted(labels_of("digits:original")) == [str(n) for n in range(10)]
