"""Which images a folder names, whatever its links and other files are."""

from pathlib import Path

import pytest

from replicate.base.errors import MissingError, UsageError
from replicate.duplicates.hash_many import hash_paths
from replicate.duplicates.listing import existing, list_folder, list_table


def test_links_in_circles_end_and_each_folder_is_entered_once(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("x.jpg", "a/y.PNG", "a/b/z", "a/.hidden.jpg", "a/notes.txt", "a/b/t.csv"):
        (tmp_path / name).write_text("")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    found = list_folder(tmp_path)
    names = [str(Path(name).relative_to(tmp_path)) for name in found.files]
    assert names == ["a/b/z", "a/y.PNG", "x.jpg"]
    assert found.others == {".txt": 1, ".csv": 1}
    assert found.circles == 2


def test_a_link_to_itself_and_one_to_nowhere_are_listed_as_files(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "nowhere.jpg")
    names = ["a.jpg", "b.jpg", "c.jpg"]
    assert list_folder(tmp_path).files == [str(tmp_path / name) for name in names]
    found = hash_paths(list_folder(tmp_path).files)
    assert [found.failed[str(tmp_path / name)] for name in names] == [
        "empty", "unreadable", "missing"
    ]  # fmt: skip


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="There is no"):
        list(existing([str(tmp_path / "nowhere")]))
    with pytest.raises(UsageError, match="cannot be read"):
        list_folder(tmp_path / "nowhere")
    (tmp_path / "t.csv").write_text("file\nx.jpg\n")
    with pytest.raises(UsageError, match="no column 'path'"):
        list_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("path\nx.jpg\n/y.jpg\n")
    assert list_table(tmp_path / "t.csv").files == [str(tmp_path / "x.jpg"), "/y.jpg"]
