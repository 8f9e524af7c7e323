"""A manifest says what a set is, and notices every change."""

import json
from pathlib import Path

import pytest

from replicate.base.digests import sha256_bytes
from replicate.base.errors import ReplicateError, UsageError
from replicate.sampling.manifest import (
    Manifest,
    from_dict,
    read_manifest,
    verify,
    write_manifest,
)

FILES = {sha256_bytes(data): data for data in (b"one", b"two", b"three")}
MEMBERS = [(image_id, str(i)) for i, image_id in enumerate(FILES)]
SET = Manifest("matched", 1, "matched-frequency", {"seed": 1, "per_class": 1}, MEMBERS)


def test_a_written_manifest_is_read_back(tmp_path: Path) -> None:
    write_manifest(tmp_path / "matched-1.json", SET)
    again = read_manifest(tmp_path / "matched-1.json")
    assert again.as_dict() == SET.as_dict()
    assert again.digest == SET.digest


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"revision": 2},
        {"strategy": "top"},
        {"parameters": {"seed": 2, "per_class": 1}},
        {"images": [list(pair) for pair in MEMBERS[::-1]]},
        {"images": [list(pair) for pair in MEMBERS[:2]]},
        {"images": [[image_id, "9"] for image_id, _ in MEMBERS]},
    ],
)
def test_every_change_changes_the_digest_and_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    assert from_dict(SET.as_dict() | change).digest != SET.digest
    path = tmp_path / "set.json"
    path.write_text(json.dumps(SET.as_dict() | change | {"digest": SET.digest}))
    with pytest.raises(ReplicateError, match="changed after it was frozen") as caught:
        read_manifest(path)
    assert caught.value.exit_code == 1


def test_files_are_checked_by_content() -> None:
    assert verify(SET, SET.digest, FILES.get) == []
    first, second, third = FILES
    damaged = {first: b"one", second: b"TWO"}
    faults = verify(SET, SET.digest, damaged.get)
    assert len(faults) == 2
    assert second in faults[0] and "other content" in faults[0]
    assert third in faults[1] and "missing" in faults[1]


def test_an_image_twice_is_a_fault() -> None:
    double = Manifest("t", 1, "top", {}, [*MEMBERS, MEMBERS[0]])
    assert verify(double, double.digest) == [f"Image {MEMBERS[0][0]} is in the set 2 times."]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1, "name": "x"}', '{"format": 2}', "5"]
)
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_manifest(path)
