"""Files as they are really published, and names as they are really spelled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import ItemError, UsageError
from replicate.zoo.published_files import read_column
from replicate.zoo.published_names import clean, match, nearest, parse_renames


def _write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "[3, 8, 8, 0]"),
        ("a.json", "[\n  3, \n  8, \n  8, \n  0\n]\n"),
        ("a.json", "\ufeff[3,8,8,0]"),
        ("a.json", "[3, 8, 8, 0,]"),
        ("a.json", "[3 8 8 0]"),
        ("a.json", "[3.0, 8.0, 8.0, 0.0]"),
        ("a.json", "[[3], [8], [8], [0]]"),
        ("a.json", "[[3, 8, 8, 0]]"),
        ("a.json", '{"predictions": [3, 8, 8, 0]}'),
        ("a.json", '{"model": "x", "labels": [1, 1, 1, 1], "preds": [3, 8, 8, 0]}'),
        ("a.json", '{"resnet": [3, 8, 8, 0]}'),
        ("a.json", '{"0": 3, "1": 8, "3": 0, "2": 8}'),
        ("a.json", '[{"index": 0, "prediction": 3}, {"index": 1, "prediction": 8},'
                   ' {"index": 3, "prediction": 0}, {"index": 2, "prediction": 8}]'),
        ("a.jsonl", "3\n8\n8\n0\n"),
        ("a.txt", "3\n8\n8\n0"),
        ("a.txt", "3 8 8 0"),
        ("a.txt", "\n 3 \n8,\n8\n\n0\n"),
        ("a.txt", "# by class id\n3\n8\n8\n0\n"),
        ("a.csv", "prediction\n3\n8\n8\n0\n"),
        ("a.csv", "index,prediction\n0,3\n1,8\n3,0\n2,8\n"),
        ("a.csv", "Image ; Predicted ; Label\n1 ; 3 ; 1\n2 ; 8 ; 1\n3 ; 8 ; 1\n4 ; 0 ; 1\n"),
        ("a.csv", "0,3\n1,8\n2,8\n3,0\n"),
        ("a.tsv", "id\tpred\n0\t3\n1\t8\n2\t8\n3\t0\n"),
        ("a.csv", '"3"\r\n"8"\r\n"8"\r\n"0"\r\n'),
    ],
)  # fmt: skip
def test_one_list_of_class_ids_however_it_is_written(tmp_path, name, text):
    column = read_column(_write(tmp_path, name, text))
    assert column.values.dtype == np.int64
    assert column.values[:, 0].tolist() == [3, 8, 8, 0]
    assert column.values.shape == (4, 1)
    assert not column.scored


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "[[3, 1], [8, 2]]"),
        ("a.json", "[[3 1]\n [8 2]]"),
        ("a.txt", "3 1\n8 2\n"),
        ("a.csv", "3,1\n8,2\n"),
        ("a.txt", "[3, 1]\n[8, 2]\n"),
        ("a.csv", "id,top1,top2\n0,3,1\n1,8,2\n"),
        ("a.jsonl", "[3,1]\n[8,2]"),
    ],
)
def test_several_an_item_best_first(tmp_path, name, text):
    assert read_column(_write(tmp_path, name, text)).values.tolist() == [[3, 1], [8, 2]]


def test_arrays_of_all_kinds(tmp_path):
    def column(array, name="a.npy"):
        np.save(tmp_path / name, array)
        return read_column(tmp_path / name)

    for kind in (np.int8, np.int32, np.uint16, np.float32, np.float64):
        assert column(np.array([3, 8, 8], kind)).values[:, 0].tolist() == [3, 8, 8]
    assert column(np.array([[[3], [8]]])).values[:, 0].tolist() == [3, 8]
    assert column(np.array(["cat", "dog "])).values[:, 0].tolist() == ["cat", "dog"]
    assert column(np.array(["3", "8"])).values[:, 0].tolist() == [3, 8]
    right = column(np.array([True, False]))
    assert right.scored and right.values[:, 0].tolist() == [True, False]
    scores = column(np.array([0.5, 1.0, 0.25]))
    assert scores.scored and scores.values[:, 0].tolist() == [0.5, 1.0, 0.25]
    logits = column(np.array([[0.1, 2.5, -1.0], [3.5, 0.2, 0.1]]))
    assert logits.values[:, 0].tolist() == [1, 0]
    assert "scores of 3 classes" in logits.notes[0]
    assert column(np.eye(4)[[2, 0]]).values[:, 0].tolist() == [2, 0]
    np.savez(tmp_path / "b.npz", classes=np.array([[3], [8]]), scores=np.zeros((2, 1)))
    assert read_column(tmp_path / "b.npz").values[:, 0].tolist() == [3, 8]


def test_one_line_that_begins_with_zero(tmp_path):
    column = read_column(_write(tmp_path, "a.txt", "0 1 2 0"))
    assert column.values[:, 0].tolist() == [0, 1, 2, 0]


def test_labels_are_taken_from_the_column_of_labels(tmp_path):
    path = _write(tmp_path, "a.csv", "id,prediction,label\n0,1,3\n1,1,8\n")
    assert read_column(path, labels=True).values[:, 0].tolist() == [3, 8]
    assert read_column(path).values[:, 0].tolist() == [1, 1]
    named = read_column(_write(tmp_path, "b.csv", "image,label\nx.png,cat\ny.png,dog\n"))
    assert named.items == ("x.png", "y.png")


def test_items_are_named_in_the_ways_of_image_lists(tmp_path):
    for text in ("val_1.JPEG 65\nval_2.JPEG 970\n", "val_1.JPEG,65\nval_2.JPEG,970\n"):
        column = read_column(_write(tmp_path, "val.txt", text), labels=True)
        assert column.values[:, 0].tolist() == [65, 970]
        assert column.items == ("val_1.JPEG", "val_2.JPEG")
    column = read_column(_write(tmp_path, "c.csv", "x.png,cat\ny.png,dog\nz.png,cat\n"))
    assert column.values[:, 0].tolist() == ["cat", "dog", "cat"]
    column = read_column(_write(tmp_path, "c.txt", "great white shark\ntiger cat\nhen\n"))
    assert column.values[:, 0].tolist() == ["great white shark", "tiger cat", "hen"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "", "empty"),
        ("a.json", "[]", "empty"),
        ("a.txt", "", "empty"),
        ("a.json", "[[1, 2], [3]]", "wrong_shape"),
        ("a.json", "[1, null]", "unreadable"),
        ("a.json", "[1, NaN]", "unreadable"),
        ("a.json", "[1, 2, 3", "unreadable"),
        ("a.json", '{"a": {"b": 2}}', "unreadable"),
        ("a.npy", b"no array", "unreadable"),
        ("a.json", b"\xff\xfe\x00", "unreadable"),
        ("a.csv", "x,y\n1,2\n,\n", "unreadable"),
        ("a.csv", "x,pred\n1,2\n,\n", "wrong_shape"),
        ("a.csv", "a,b,c\n1,x,3\n2,y,4\n", "unreadable"),
        ("a.json.gz", b"no gzip", "unreadable"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, name, content, reason):
    with pytest.raises(ItemError) as caught:
        read_column(_write(tmp_path, name, content))
    assert caught.value.reason == reason
    assert name in caught.value.message


def test_pickles_are_never_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(ItemError, match="cannot be read"):
        read_column(tmp_path / "a.npy")


@given(st.lists(st.integers(0, 999), min_size=1, max_size=40), st.sampled_from([" ", ",", "\n"]))
def test_any_list_is_read_back(tmp_path_factory, values, gap):
    path = tmp_path_factory.mktemp("lists") / "a.json"
    path.write_text("[" + f",{gap}".join(map(str, values)).replace(",,", ", ") + "]")
    assert read_column(path).values.ravel().tolist() == values


def test_names():
    assert clean("vgg_15_BN_64_predictions") == "vgg_15_BN_64"
    assert clean("predictions") == "predictions"
    found = match(["a-1", "b"], ["A_1", "c"])
    assert dict(found.names) == {"A_1": "a-1", "c": "c"}
    assert (found.unmatched, found.missing) == (("c",), ("b",))


def test_what_would_be_ambiguous_is_not_matched():
    found = match(["vgg_11", "vgg_1_1"], ["vgg11", "VGG-1-1"])
    assert found.names["VGG-1-1"] == "vgg_1_1"
    assert found.names["vgg11"] == "vgg_11"
    found = match(["vgg11"], ["vgg-1-1", "vgg_11"])
    assert set(found.unmatched) == {"vgg-1-1", "vgg_11"} and found.missing == ("vgg11",)


def test_what_a_folder_adds_to_all_names_is_looked_through():
    original = ["resnet18", "resnet50", "vgg16"]
    found = match(original, [f"imagenetv2_{name}_matched" for name in original])
    assert found.unmatched == () and found.missing == ()


def test_renames():
    assert parse_renames(["a=b"]) == {"a": "b"}
    found = match(["wide"], ["wrn"], {"wrn": "wide"})
    assert found.names == {"wrn": "wide"} and found.missing == ()
    assert nearest("zzz", ["resnet"]) == ""
    with pytest.raises(UsageError, match="OLD=NEW"):
        parse_renames(["a"])
