"""Hash files: what is written is read, the same hashes are the same bytes, all else is refused."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.base.errors import MissingError, UsageError
from replicate.duplicates.hash_files import HashSet, joined
from replicate.duplicates.hashing import HashInfo, require_comparable


def some(n: int = 5, bits: int = 64, **more) -> HashSet:
    random = np.random.default_rng(n)
    shape = (n,) if bits == 64 else (n, 4)
    hashes = random.integers(0, 2**64, shape, dtype=np.uint64)
    versions = {"pillow": "13.0.0", "imagehash": "4.3.2"}
    paths = [f"a/ünïcode {i}.jpg" for i in range(n)]
    return HashSet(paths, hashes, "phash", bits, "pillow", versions, **more)


def same(one: HashSet, two: HashSet) -> bool:
    arrays = ("hashes", "structure", "turned", "file_digest", "pixel_digest")
    return (
        list(one.paths) == list(two.paths)
        and one.info == two.info
        and one.failed == two.failed
        and all(np.array_equal(getattr(one, name), getattr(two, name)) for name in arrays)
    )


@pytest.mark.parametrize("bits", [64, 256])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_written_and_read_again(tmp_path: Path, n: int, bits: int) -> None:
    kept = some(
        n,
        bits,
        failed={"broken.jpg": "truncated", "ß.png": "empty"},
        structure=np.arange(n, dtype=np.float32),
        turned=np.ones((n, 7) if bits == 64 else (n, 7, 4), np.uint64),
        file_digest=np.zeros((n, 32), np.uint8),
    )
    kept.write(tmp_path / "h.npz")
    assert same(HashSet.read(tmp_path / "h.npz"), kept)


@settings(max_examples=25, deadline=None)
@given(names=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_any_names_survive(tmp_path_factory, names) -> None:
    path = tmp_path_factory.mktemp("names") / "h.npz"
    hashes = np.zeros(len(names), np.uint64)
    HashSet(names, hashes, "phash", 64, "pillow", {}).write(path)
    assert HashSet.read(path).paths == names


def test_anybody_can_read_it_with_numpy(tmp_path: Path) -> None:
    kept = some()
    kept.write(tmp_path / "h.npz")
    with np.load(tmp_path / "h.npz", allow_pickle=False) as arrays:
        assert arrays["path"].tolist() == kept.paths
        assert arrays["hash"].dtype == np.uint64
        assert arrays["hash"].tolist() == kept.hashes.tolist()
        assert (str(arrays["algorithm"]), int(arrays["bits"])) == ("phash", 64)
        assert "13.0.0" in str(arrays["versions"])


def test_more_names_than_are_handled_at_a_time(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("replicate.duplicates.hash_files._ROWS", 3)
    some(10).write(tmp_path / "h.npz")
    assert same(HashSet.read(tmp_path / "h.npz"), some(10))


def test_the_same_hashes_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        some().write(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("bits", [64, 256])
def test_bare_arrays_need_to_be_told(tmp_path: Path, bits: int) -> None:
    kept, path = some(4, bits), tmp_path / "h.npy"
    kept.write(path)
    assert np.load(path).tolist() == kept.hashes.tolist()
    read = HashSet.read(path, "phash", bits)
    assert read.paths == ["0", "1", "2", "3"]
    assert read.hashes.tolist() == kept.hashes.tolist()
    require_comparable(read.info, kept.info)  # the user answers for decoder and versions
    with pytest.raises(UsageError, match="algorithm"):
        require_comparable(read.info, HashInfo("dhash", bits, "pillow", {}))
    with pytest.raises(UsageError, match="does not say how"):
        HashSet.read(path, "phash")
    with pytest.raises(UsageError, match="hashes are uint64"):
        HashSet.read(path, "phash", 320 - bits)


def rewritten(source: Path, target: Path, **members) -> Path:
    with np.load(source) as arrays:
        np.savez(target, **{name: arrays[name] for name in arrays} | members)
    return target


def test_broken_and_foreign_files_are_named(tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    some(300).write(good)
    with pytest.raises(UsageError, match="of format 99; this version of replicate reads 1"):
        HashSet.read(rewritten(good, tmp_path / "newer.npz", format=np.array(99)))
    short = rewritten(good, tmp_path / "short.npz", hash=np.zeros(3, np.uint64))
    with pytest.raises(UsageError, match="hashes of 300 images are uint64 of shape"):
        HashSet.read(short)
    with pytest.raises(UsageError, match="is not known"):
        HashSet.read(rewritten(good, tmp_path / "bits.npz", bits=np.array(65)))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    cut = tmp_path / "cut.npz"
    cut.write_bytes(good.read_bytes()[:1000])
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name in ("other.npz", "cut.npz", "text.npz", "text.npy", "objects.npy"):
        with pytest.raises(UsageError, match=name) as caught:
            HashSet.read(tmp_path / name, "phash", 64)
        assert caught.value.hint
    with pytest.raises(MissingError, match="no hash file"):
        HashSet.read(tmp_path / "none.npz")
    with pytest.raises(UsageError, match=r"neither \.npz nor \.npy"):
        some().write(tmp_path / "h.txt")


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "h.npz"
    some(2000).write(path)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("hash.npy").header_offset + 3000
    data = bytearray(path.read_bytes())
    data[place] ^= 255
    path.write_bytes(bytes(data))
    with pytest.raises(UsageError, match="cannot be read"):
        HashSet.read(path)


def test_joined_keeps_order_and_what_all_have() -> None:
    one = some(2, structure=np.ones(2, np.float32), failed={"x": "empty"})
    two = some(3, structure=np.zeros(3, np.float32), file_digest=np.zeros((3, 32), np.uint8))
    both = joined([one, two])
    assert both.paths == [*one.paths, *two.paths]
    assert both.structure.tolist() == [1, 1, 0, 0, 0]
    assert both.file_digest is None
    assert both.failed == {"x": "empty"}
