import numpy as np
import pytest

from replicate.base.errors import ItemError, UsageError
from replicate.zoo import engine
from replicate.zoo.engine import load_model, score, to_unit
from replicate.zoo.names import parse
from replicate.zoo.training import train

NAMES = [
    "small:linear-s0",
    "small:rff-w32-s0",
    "small:mlp-d2-w8-e1-s0",
    "small:cnn-w2-e1-s0",
    "small:resnet-w2-e1-s0",
    "small:vit-d1-w8-e1-s0",
]


@pytest.fixture(scope="module", params=NAMES)
def trained(request, digits):
    spec = parse(request.param)
    return spec, train(spec, digits[0][:100], digits[1][:100], 10, 0)


def test_scores_are_the_models_outputs_sorted(trained, digits):
    import torch

    spec, weights = trained
    images = digits[2][:30]
    found = score(spec, weights, images)
    with torch.no_grad():
        outputs = load_model(spec, weights)(to_unit(images)).numpy()
    order = np.argsort(-outputs, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(found.classes, order)
    wanted = np.take_along_axis(outputs, order, axis=1)
    np.testing.assert_allclose(found.scores, wanted, rtol=1e-4, atol=1e-4)
    wide = outputs.astype(np.float64)
    np.testing.assert_allclose(found.log_sum_exp, np.log(np.exp(wide).sum(axis=1)), rtol=1e-4)
    assert (found.classes.dtype, found.scores.dtype) == (np.int16, np.float32)


def test_an_images_scores_do_not_depend_on_its_company(trained, digits):
    spec, weights = trained
    images = digits[2][:600]
    whole = score(spec, weights, images)
    for part in (slice(0, 1), slice(250, 300), slice(255, 600)):
        alone = score(spec, weights, images[part])
        np.testing.assert_allclose(alone.scores, whole.scores[part], rtol=1e-4, atol=1e-5)
        assert (alone.classes[:, 0] == whole.classes[part, 0]).all()
    again = score(spec, weights, images)
    assert again.scores.tobytes() == whole.scores.tobytes()


def test_the_batch_size_changes_nothing_but_noise(trained, digits, monkeypatch):
    spec, weights = trained
    images = digits[2][:100]
    whole = score(spec, weights, images)
    monkeypatch.setattr(engine, "BATCH", 17)
    other = score(spec, weights, images)
    np.testing.assert_allclose(other.scores, whole.scores, rtol=1e-4, atol=1e-5)


def test_no_images_give_no_predictions(trained):
    spec, weights = trained
    empty = score(spec, weights, np.zeros((0, 8, 8), np.uint8))
    assert empty.classes.shape == empty.scores.shape == (0, 5)
    assert empty.log_sum_exp.shape == (0,)


def test_of_equal_scores_the_lower_class_comes_first(digits):
    spec = parse("small:linear-s0")
    weights = train(spec, digits[0][:50], digits[1][:50], 10, 0)
    weights["head.weight"][:] = 0
    weights["head.bias"][:] = [0, 1, 0, 1, 0, 1, 0, 0, 0, 0]
    found = score(spec, weights, digits[2][:3])
    np.testing.assert_array_equal(found.classes, [[1, 3, 5, 0, 2]] * 3)


def test_two_classes_have_two_predictions():
    spec = parse("small:linear-s0")
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 3), dtype=np.uint8)
    weights = train(spec, images, np.arange(20) % 2, 2, 0)
    assert score(spec, weights, images).classes.shape == (20, 2)


def test_images_of_another_size_are_refused(trained):
    spec, weights = trained
    with pytest.raises(UsageError, match="8×8"):
        score(spec, weights, np.zeros((2, 9, 8), np.uint8))
    with pytest.raises(UsageError, match="uint8"):
        score(spec, weights, np.zeros((2, 8, 8), np.float32))
    with pytest.raises(UsageError, match="uint8"):
        score(spec, weights, np.zeros((2, 8, 8, 3), np.uint8))


@pytest.mark.parametrize("damage", ["missing", "shape", "extra", "empty"])
def test_weights_that_do_not_fit_are_an_item_with_a_reason(trained, damage):
    spec, weights = trained
    changed = dict(weights)
    if damage == "missing":
        del changed["head.weight"]
    elif damage == "shape":
        changed["head.weight"] = changed["head.weight"][:, :-1]
    elif damage == "extra":
        changed["more"] = np.zeros(3)
    else:
        changed = {}
    with pytest.raises(ItemError) as caught:
        score(spec, changed, np.zeros((2, 8, 8), np.uint8))
    assert caught.value.reason == "bad_weights"


def test_scores_that_are_not_finite_are_an_item_with_a_reason(trained):
    spec, weights = trained
    changed = {**weights, "head.bias": np.full(10, np.nan, np.float32)}
    with pytest.raises(ItemError) as caught:
        score(spec, changed, np.zeros((2, 8, 8), np.uint8))
    assert caught.value.reason == "not_finite"
