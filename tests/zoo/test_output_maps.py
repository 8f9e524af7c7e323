"""What outputs mean: the same classes, some of them, many for one."""

import numpy as np
import pytest
import torch

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo.output_maps import output_map, read_class_map, sorted_as_text

ABC = ("a", "b", "c", "d")


def test_a_set_with_all_classes_needs_no_map():
    found = output_map(ABC, 4, ["b", "a", "c", "d"])
    assert found.plain and found.name == "own"
    assert found.labels(["c", "a"]).tolist() == [2, 0]


def test_some_classes_compete_all_or_restricted():
    logits = torch.tensor([[5.0, 1.0, 3.0, 4.0]])
    everything = output_map(ABC, 4, ["c", "d"])
    assert everything.scores(logits).argmax().item() == 0  # not a class of the set
    some = output_map(ABC, 4, ["c", "d"], restrict=True)
    assert some.classes == ("c", "d")
    assert some.classes[some.scores(logits).argmax().item()] == "d"
    assert some.name != output_map(ABC, 4, ["a", "d"], restrict=True).name


def test_many_outputs_for_one_class():
    given = {"a": "pet", "b": "pet", "2": "car"}
    found = output_map(ABC, 4, ["car", "pet"], given)
    assert found.classes == ("pet", "car") and found.of_output.tolist() == [0, 0, 1, -1]
    logits = torch.tensor([[1.0, 4.0, 3.0, 9.0], [0.0, 1.0, 2.0, 9.0]])
    assert found.scores(logits).tolist() == [[4.0, 3.0], [1.0, 2.0]]
    assert output_map(None, 3, None, {"0": "x", "1": "y"}).classes == ("x", "y")


def test_classes_without_an_output_are_refused():
    for outputs, word in ((ABC, "no output means them"), (None, "not known by name")):
        with pytest.raises(ItemError, match=word) as caught:
            output_map(outputs, 4, ["a", "zebra"])
        assert caught.value.reason == "class_map"


def test_files_of_class_maps(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text("output,class\n# a comment\nn01,cat\n7, dog \n")
    assert read_class_map(path) == {"n01": "cat", "7": "dog"}
    for text, word in (("a,b\na,c\n", "twice"), ("a\n", "output,class"), ("", "empty")):
        path.write_text(text)
        with pytest.raises(UsageError) as caught:
            read_class_map(path)
        assert word in f"{caught.value} {caught.value.hint}"
    with pytest.raises(MissingError):
        read_class_map(tmp_path / "gone.csv")


def test_the_most_reported_fault_is_recognised():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 1000, 500)  # true outputs of the images
    text = np.array(sorted(range(1000), key=str))
    labels = np.array([int(np.flatnonzero(text == t)[0]) for t in truth])  # read as text
    assert (labels == truth).mean() < 0.05
    assert sorted_as_text(labels, truth, 1000) == 1.0
