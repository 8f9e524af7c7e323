"""A manifest says what a set is, and notices every change."""

import json
from pathlib import Path

import pytest

from replicate.base.digests import canonical_json, sha256_bytes
from replicate.base.errors import ReplicateError, UsageError
from replicate.sampling.frozen import Frozen, counts, from_text, read_frozen, wrong_files
from replicate.sampling.manifest import Manifest, from_dict, verify

FILES = {sha256_bytes(data): data for data in (b"one", b"two", b"three")}
MEMBERS = [(image_id, str(i)) for i, image_id in enumerate(FILES)]
SET = Manifest("matched", 1, "matched-frequency", {"seed": 1, "per_class": 1}, MEMBERS)
RECORD = {
    "steps": "identity@1",
    "classes": [["0", "null"], ["1", "één"]],
    "counts": counts(MEMBERS, ["low", "low", "high"], [False, True, False]),
    "drawn_from": {"votes": {"digest": "v"}},
    "frozen_at": "2026-01-01T00:00:00+00:00",
}
FROZEN = Frozen(SET, ["p0", "p1", "p2"], RECORD)


def test_a_written_manifest_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "matched-1.json"
    path.write_text(FROZEN.text())
    again = read_frozen(path)
    assert again == FROZEN
    assert again.text() == FROZEN.text()
    assert json.loads(FROZEN.text())["manifest_digest"] == FROZEN.digest
    assert FROZEN.text().count(chr(10)) < 60  # an image a line


def test_the_digest_of_a_set_is_over_its_members_and_how_they_were_drawn() -> None:
    # Spelled out, for published digests have to stay right whatever becomes of the code.
    values = {
        "format": 1,
        "name": "matched",
        "revision": 1,
        "strategy": "matched-frequency",
        "parameters": {"seed": 1, "per_class": 1},
        "images": [list(pair) for pair in MEMBERS],
    }
    assert SET.digest == sha256_bytes(canonical_json(values).encode())
    assert Frozen(SET, ["q"] * 3, {}).manifest.digest == FROZEN.manifest.digest
    assert Frozen(SET, ["q"] * 3, {}).digest != FROZEN.digest


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
    path.write_text(json.dumps(SET.as_dict() | change | {"digest": SET.digest}))  # of format 1
    with pytest.raises(ReplicateError, match="changed after it was frozen") as caught:
        read_frozen(path)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"p1"', '"p9"'),
        ('"votes": {\n      "digest": "v"', '"votes": {\n      "digest": "w"'),
        ('"steps": "identity@1"', '"steps": "identity@2"'),
        ('"frozen_at": "2026', '"frozen_at": "2025'),
        ('"null"', '"zero"'),
        ('"images": 3', '"images": 4'),
        ('"seed": 1', '"seed": 2'),
    ],
)
def test_everything_in_the_file_is_under_its_digest(old: str, new: str, tmp_path: Path) -> None:
    text = FROZEN.text()
    assert old in text
    with pytest.raises(ReplicateError, match="changed after it was"):
        from_text(text.replace(old, new))


def test_a_file_of_the_first_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(SET.as_dict() | {"digest": SET.digest}))
    old = read_frozen(path)
    assert old.manifest.members == SET.members
    assert old.prepared == [None] * 3 and old.record == {}


def test_files_are_checked_by_content() -> None:
    assert wrong_files(FROZEN, "gathered", FILES.get) == []
    first, second, third = FILES
    found = dict(wrong_files(FROZEN, "gathered", {first: b"one", second: b"TWO"}.get))
    assert set(found) == {second, third}
    assert "other content" in found[second] and "missing" in found[third]
    prepared = Frozen(SET, [third, None, None], {})  # only one is known
    assert wrong_files(prepared, "prepared", {third: b"three"}.get) == []
    assert [image for image, _ in wrong_files(prepared, "prepared", {}.get)] == [first]


def test_an_image_twice_is_a_fault() -> None:
    double = Manifest("t", 1, "top", {}, [*MEMBERS, MEMBERS[0]])
    assert verify(double, double.digest) == [f"Image {MEMBERS[0][0]} is in the set 2 times."]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 1, "name": "x"}', '{"format": 2}', '{"format": 3}', "5"],
)
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_frozen(path)
