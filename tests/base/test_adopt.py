from pathlib import Path

import pytest

from replicate.base.files import BlobStore


@pytest.mark.parametrize("links", [True, False])
def test_a_store_adopts_what_another_holds(tmp_path: Path, monkeypatch, links: bool):
    def refuse(self: Path, target: Path) -> None:
        raise OSError("no hard links on this file system")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    first, second = BlobStore(tmp_path / "a"), BlobStore(tmp_path / "b")
    digest = first.put(b"content")
    assert second.adopt(first, digest) == second.adopt(first, digest) == digest
    assert second.get(digest) == b"content"
    assert second.path(digest).samefile(first.path(digest)) == links
    assert [path.name for path in second.path(digest).parent.iterdir()] == [digest]


def test_what_nobody_holds_cannot_be_adopted(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        BlobStore(tmp_path / "b").adopt(BlobStore(tmp_path / "a"), "0" * 64)
