import json

import numpy as np
import pytest

from replicate.base.errors import MissingError, UsageError
from replicate.zoo import extras
from replicate.zoo.cards import ModelCard, card_of
from replicate.zoo.classmaps import ClassMap, near_chance
from replicate.zoo.names import parse
from replicate.zoo.training import train
from replicate.zoo.weights import weights_digest


def test_a_card_says_what_a_model_is_fed_and_where_it_comes_from(digits):
    spec = parse("small:linear-n50-s0")
    weights = train(spec, digits[0], digits[1], 10, 3)
    card = card_of(spec, weights, "d" * 64, len(digits[0]), 3)
    assert card.input_size == (8, 8)
    assert card.n_classes == 10
    assert card.parameters == 64 * 10 + 10
    assert card.weights_digest == weights_digest(weights)
    assert card.training["data"] == "d" * 64
    assert (card.training["images"], card.training["seed"]) == (50, 3)
    assert set(card.libraries) == {"torch", "numpy"}
    assert ModelCard.from_json(json.loads(json.dumps(card.as_json()))) == card


def test_labels_follow_the_maps_order():
    labels = ClassMap(("10", "2", "1")).labels(["1", "2", "10", "10"], "set")
    np.testing.assert_array_equal(labels, [2, 1, 0, 0])


def test_a_set_with_unknown_classes_is_refused_by_name():
    with pytest.raises(UsageError, match=r"'pets' has 2 classes .* cat, zebra") as caught:
        ClassMap(("dog",)).labels(["zebra", "dog", "cat", "cat"], "pets")
    assert caught.value.hint


def test_bad_maps_are_refused():
    with pytest.raises(UsageError, match="two outputs for a"):
        ClassMap(("a", "b", "a"))
    with pytest.raises(UsageError, match="at least one"):
        ClassMap(())


@pytest.mark.parametrize(
    ("correct", "n", "classes", "warned"),
    [(100, 1000, 10, True), (140, 1000, 10, False), (0, 50, 10, True), (90, 100, 2, False)],
)
def test_chance(correct, n, classes, warned):
    assert (near_chance(correct, n, classes) is not None) == warned
    assert near_chance(0, 0, classes) is None


def test_a_missing_package_names_the_command(monkeypatch):
    def gone(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(extras, "import_module", gone)
    with pytest.raises(MissingError, match="timm") as caught:
        extras.require("timm")
    assert "pip install 'replicate-testsets[zoo]'" in caught.value.hint


def test_a_package_that_does_not_fit_torch_names_the_command(monkeypatch):
    def clash(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(extras, "import_module", clash)
    with pytest.raises(MissingError, match="does not fit"):
        extras.require("torchvision")


def test_packages_that_are_there(monkeypatch):
    assert extras.require("json") is json
    monkeypatch.setattr(extras, "PACKAGES", ("json", "surely_not_there"))
    assert extras.missing() == ["surely_not_there"]
