"""Tars as they are and as they are broken, against the webdataset library and braceexpand."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import webdataset
from braceexpand import braceexpand
from support.flickr import picture

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.sources.download import Download, Downloader, Limits
from replicate.sources.local_files import part_address, read_local
from replicate.sources.records import Photo
from replicate.sources.shards import expand, find_shards
from replicate.sources.webdataset import WebDatasetSource

Members = list[tuple[str, bytes]]


def write_shard(path: Path, members: Members, kind: int = tarfile.PAX_FORMAT) -> dict[str, int]:
    """A tar of these files; where the header of each begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=kind) as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with tarfile.open(path) as tar:
        return {member.name: member.offset for member in tar}


def sample(key: str, number: int, label: str = "cat") -> Members:
    return [(f"{key}.png", picture(number)), (f"{key}.cls", label.encode())]


def found(source: WebDatasetSource, term: str) -> list[Photo]:
    return [photo for page in source.search(term) for photo in page.photos]


def fetched(photos: list[Photo]) -> list[bytes | str | None]:
    with Downloader(Limits(allow_files=True)) as downloader:
        outcomes = downloader.fetch(Download(photo.id, photo.urls["url_o"]) for photo in photos)
        by_id = {outcome.key: outcome.data or outcome.reason for outcome in outcomes}
    return [by_id[photo.id] for photo in photos]


@pytest.mark.parametrize(
    "pattern",
    ["a.tar", "s/t-{000..012}.tar", "{x,y}/{1..3}.tar", "t-{9..11}.tar", "{b}.tar", "t-{3..1}",
     "t-{08..10}.tar", "é {1..2}.tar"],
)  # fmt: skip
def test_braces_are_expanded_as_shells_and_webdataset_do(pattern: str):
    assert expand(pattern) == list(braceexpand(pattern))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset's own
@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_samples_are_those_of_the_webdataset_library(tmp_path: Path, kind: int):
    for shard in range(3):
        members: Members = [("about.txt.md", b"x")]
        for number in range(7):
            key = f"deep/{shard}-{number}" + ("-long" * 18 if number == 3 else "")
            members += sample(key, 10 * shard + number, label=f"{number % 2}")
        write_shard(tmp_path / f"s-{shard}.tar", members, kind)
    reference: dict[str, list[bytes]] = {"0": [], "1": []}
    urls = [str(tmp_path / f"s-{shard}.tar") for shard in range(3)]
    for each in webdataset.WebDataset(urls, shardshuffle=False):
        if "cls" in each:
            reference[each["cls"].decode()].append(each["png"])
    with WebDatasetSource(tmp_path / "s-{0..2}.tar") as source:
        for label, pictures in reference.items():
            assert fetched(found(source, label)) == pictures
        assert not source.notes or "neither class nor text" in source.notes[0]


def test_classes_and_texts_come_from_all_members(tmp_path: Path):
    facts = {"wnid": "n01443537", "title": "Bubbles", "license": 4, "author": "ada",
             "tags": ["gold fish", "bowl"], "url": "http://page"}  # fmt: skip
    captions = {"caption": "A Cat, asleep", "tags": ["sea snake"]}
    members = sample("a", 1, "cat")
    members += [("b.png", picture(2)), ("b.json", json.dumps(facts).encode())]
    members += [("c.jpg", picture(3)), ("c.txt", b"two cats and a dog")]
    members += [("d.webp", picture(4)), ("d.json", json.dumps(captions).encode())]
    members += [("e.png", picture(5)), ("e.json", b"[no json")]
    write_shard(tmp_path / "one.tar", members)
    with WebDatasetSource(tmp_path / "one.tar") as source:
        (fish,) = found(source, "N01443537")
        assert (fish.id, fish.title, fish.licence, fish.owner_name, fish.page_url) == (
            "one/b", "Bubbles", "4", "ada", "http://page",
        )  # fmt: skip
        assert fish.tags == ("gold fish", "bowl")
        assert [photo.id for photo in found(source, "cat")] == ["one/a", "one/d"]
        assert [photo.id for photo in found(source, "dog cats")] == ["one/c"]
        assert [photo.id for photo in found(source, "seasnake")] == ["one/d"]
        assert found(source, "bubbles") == found(source, "cats dog fish") == []
        assert "1 samples have neither class nor text" in source.notes[0]
    with WebDatasetSource(tmp_path / "one.tar", search_in="tags") as source:
        assert [photo.id for photo in found(source, "snake")] == ["one/d"]
        assert found(source, "dog") == []


def test_a_shard_that_was_cut_off_keeps_what_came_before(tmp_path: Path):
    members = [part for n in range(6) for part in reversed(sample(f"k{n}", n))]
    offsets = write_shard(tmp_path / "cut.tar", members)
    data = (tmp_path / "cut.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: offsets["k4.png"] + 512 + 20])
    with WebDatasetSource(tmp_path) as source:
        photos = found(source, "cat")
        assert [photo.id for photo in photos] == [f"cut/k{n}" for n in range(5)]
        assert fetched(photos) == [picture(n) for n in range(4)] + ["truncated"]
        assert "broken" in source.notes[0]


def test_a_header_that_is_broken_loses_its_own_member_only(tmp_path: Path):
    members = [part for n in range(6) for part in reversed(sample(f"k{n}", n))]
    offsets = write_shard(tmp_path / "odd.tar", members)
    data = bytearray((tmp_path / "odd.tar").read_bytes())
    data[offsets["k2.png"] : offsets["k2.png"] + 40] = b"\xff" * 40
    (tmp_path / "odd.tar").write_bytes(data)
    with WebDatasetSource(tmp_path) as source:
        photos = found(source, "cat")
        expected = [picture(n) for n in range(6)]
        assert [photo.id for photo in photos] == [f"odd/k{n}" for n in range(6)]
        assert fetched(photos) == [*expected[:2], "empty", *expected[3:]]
        assert "no members of a tar" in source.notes[0]


def test_a_file_that_is_no_tar_is_said(tmp_path: Path):
    write_shard(tmp_path / "a.tar", sample("k", 1))
    (tmp_path / "b.tar").write_bytes(b"<html>" * 400)
    with WebDatasetSource(tmp_path / "{a,b}.tar") as source:
        assert fetched(found(source, "cat")) == [picture(1)]
        assert "b.tar" in source.notes[0]


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"])
def test_compressed_shards_are_refused_with_the_command_that_helps(tmp_path: Path, magic: bytes):
    (tmp_path / "a.tar").write_bytes(magic + b"x" * 600)
    with pytest.raises(UsageError) as caught:
        WebDatasetSource(tmp_path / "a.tar")
    assert str(tmp_path / "a.tar") in caught.value.hint


def test_shards_that_are_not_there_are_missing(tmp_path: Path):
    write_shard(tmp_path / "a-0.tar", sample("k", 1))
    for pattern in ("a-{0..1}.tar", "b-*.tar", "nowhere.tar"):
        with pytest.raises(MissingError):
            find_shards(tmp_path / pattern)
    assert find_shards(tmp_path / "*.tar") == find_shards(tmp_path) == [tmp_path / "a-0.tar"]


def test_nothing_to_search_by_is_a_usage_error(tmp_path: Path):
    write_shard(tmp_path / "a.tar", [("k.png", picture(1))])
    with pytest.raises(UsageError, match="class or a text"):
        WebDatasetSource(tmp_path)


def test_ids_differ_between_folders_and_keys_that_repeat_are_said(tmp_path: Path):
    for folder in ("x", "y"):
        write_shard(tmp_path / folder / "a.tar", sample("k", 1) + sample("l", 2) + sample("k", 3))
    with WebDatasetSource(tmp_path / "{x,y}" / "a.tar") as source:
        ids = [photo.id for photo in found(source, "cat")]
        assert ids == ["x/a/k", "x/a/l", "y/a/k", "y/a/l"]
        assert len(source.notes) == 2 and "twice" in source.notes[0]


def test_parts_of_files_have_reasons_too(tmp_path: Path):
    path = tmp_path / "a b#.bin"
    path.write_bytes(b"0123456789")
    assert read_local(part_address(path, 2, 3), 99) == b"234"
    assert read_local(path.as_uri(), 99) == b"0123456789"
    for address, limit, reason in [
        (part_address(path, 8, 9), 99, "truncated"),
        (part_address(path, 0, 9), 5, "too_large"),
        (part_address(path, 0, 0), 99, "empty"),
        (part_address(tmp_path / "no", 0, 1), 99, "gone"),
        (path.as_uri(), 5, "too_large"),
    ]:
        with pytest.raises(ItemError) as caught:
            read_local(address, limit)
        assert caught.value.reason == reason
