from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.base.images import encode_png
from replicate.sources.original import load_original, natural_key
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
