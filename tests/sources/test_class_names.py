"""What the labels of an existing set mean: numbers, near misses, maps."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import MissingError, UsageError
from replicate.sources.class_names import ClassNames, read_class_map

CLASSES = [
    (f"n{place:08d}", name) for place, name in enumerate(["tench", "goldfish", "great white"])
]
IDS = [class_id for class_id, _ in CLASSES]


def test_labels_are_ids_or_names():
    names = ClassNames(CLASSES, None, "the set")
    assert [names.class_of(label) for label in (*IDS, "tench", "great white", "shark")] == [
        *IDS,
        IDS[0],
        IDS[2],
        None,
    ]
    assert names.check([*IDS]) == []
    (note,) = names.check(["tench", "goldfish", "great white", "shark", "carp"])
    assert "2 of its 5 classes" in note and "shark, carp" in note


def test_two_classes_of_one_name_are_known_by_their_ids_only():
    names = ClassNames([("a", "crane"), ("b", "crane")], None, "the set")
    assert names.class_of("crane") is None
    assert names.check(["a", "b"]) == []


def test_numbers_are_refused_with_the_wrong_order_and_the_key_to_write():
    with pytest.raises(UsageError) as caught:
        ClassNames(CLASSES, None, "The set original (val)").check([str(n) for n in range(1000)])
    assert "0, 1, 10, 100, 101, …" in caught.value.message
    assert 'class_map = "positions"' in caught.value.hint
    assert '"n00000000", "n00000001"' in caught.value.hint


def test_numbers_that_are_ids_need_no_map():
    digits = [(str(n), f"the digit {n}") for n in range(12)]
    names = ClassNames(digits, None, "the set")
    assert names.check([str(n) for n in sorted(range(12), key=str)]) == []
    assert names.class_of("10") == "10"


@pytest.mark.parametrize("label", ["Goldfish", "gold fish", "GOLD-FISH", " goldfish", "N00000001"])
def test_differences_in_case_and_spaces_are_named(label):
    with pytest.raises(UsageError, match="differ in case") as caught:
        ClassNames(CLASSES, None, "the set").check(["tench", label, "great white"])
    assert f'"{label}" = "n00000001"' in caught.value.hint


def test_a_missing_class_is_named_with_what_is_nearest():
    with pytest.raises(UsageError, match="no images of 1 of 3 classes: n00000001"):
        ClassNames(CLASSES, None, "the set").check(["tench", "great white", "goldfinch"])
    with pytest.raises(UsageError, match="nearest to 'great white' is 'graet white'"):
        ClassNames([("great white", "shark")], None, "the set").check(["graet white", "carp"])


def test_two_labels_of_one_class_are_refused():
    with pytest.raises(UsageError, match="both mean the class 'n00000000'"):
        ClassNames(CLASSES, None, "the set").check(["tench", "n00000000", *IDS[1:]])


def test_a_map_says_what_numbers_mean(tmp_path: Path):
    (tmp_path / "lines.txt").write_text("\n".join(IDS) + "\n")
    (tmp_path / "list.json").write_text(json.dumps(IDS))
    index = {str(place): list(pair) for place, pair in enumerate(CLASSES)}
    (tmp_path / "imagenet_class_index.json").write_text(json.dumps(index))
    wanted = {str(place): class_id for place, class_id in enumerate(IDS)}
    for value in ("positions", IDS, wanted, "lines.txt", "list.json", "imagenet_class_index.json"):
        found = read_class_map(value, tmp_path, IDS)
        assert found == wanted, value
        names = ClassNames(CLASSES, found, "the set")
        assert names.check(["0", "1", "2"]) == []
        assert names.class_of("002") == IDS[2]
    assert read_class_map(None, tmp_path, IDS) is None


def test_a_map_may_name_more_classes_than_the_study_has():
    found = read_class_map([*IDS, "n9", "n8"], Path(), IDS)
    names = ClassNames(CLASSES, found, "the set")
    (note,) = names.check([str(n) for n in range(5)])
    assert "2 of its 5 classes" in note
    assert names.class_of("4") is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (IDS[:2], "does not say what 1 of the 3 classes"),
        (["x", "y", "z"], "names no class of the study: x, y, z"),
        ({"0": IDS[0], "1": IDS[0], "2": IDS[1]}, "names a class twice: n00000000"),
        ("nowhere.txt", "There is no file"),
        ("bad.json", "is not JSON"),
        ("odd.json", "is no class map"),
    ],
)
def test_a_wrong_map_is_refused(tmp_path: Path, value, message):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "odd.json").write_text("[1, 2]")
    with pytest.raises((UsageError, MissingError), match=message):
        found = read_class_map(value, tmp_path, IDS)
        ClassNames(CLASSES, found, "the set").check(["0", "1", "2"])


@given(st.permutations(range(30)))
def test_the_order_of_the_folders_changes_nothing(order):
    classes = [(f"c{n}", f"class {n}") for n in range(30)]
    names = ClassNames(classes, read_class_map("positions", Path(), [c for c, _ in classes]), "x")
    labels = [str(n) for n in order]
    assert names.check(labels) == []
    assert [names.class_of(label) for label in labels] == [f"c{n}" for n in order]
