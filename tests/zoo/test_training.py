import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from replicate.base.errors import ItemError, UsageError
from replicate.zoo import training
from replicate.zoo.engine import load_model, score, to_unit
from replicate.zoo.names import expand, parse
from replicate.zoo.predictions import count
from replicate.zoo.training import data_digest, train, training_key
from replicate.zoo.weights import weights_digest

ONE_OF_EACH = [
    "small:linear-n60-s0",
    "small:relu-w16-s0",
    "small:rff-w16-s0",
    "small:mlp-d2-w8-e1-s0",
    "small:cnn-w2-e1-s0",
    "small:resnet-w2-e1-s0",
    "small:vit-d1-w8-e1-s0",
]
SCRIPT = """
import sys
import numpy as np
from replicate.zoo.names import parse
from replicate.zoo.training import train
from replicate.zoo.weights import weights_digest
rows = np.random.default_rng(3)
images = rows.integers(0, 256, (150, 8, 8), dtype=np.uint8)
labels = rows.integers(0, 10, 150)
for name in sys.argv[1:]:
    print(weights_digest(train(parse(name), images, labels, 10, 5)))
"""


def _small(digits, n=150):
    images, labels, *_ = digits
    return images[:n], labels[:n]


def test_two_processes_with_other_hash_seeds_and_threads_train_the_same_weights():
    running = []
    for hash_seed, threads in (("1", "1"), ("2", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", SCRIPT, *ONE_OF_EACH]
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
    outputs = [process.communicate(timeout=120)[0].split() for process in running]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0])) == len(ONE_OF_EACH)


def test_neither_torchs_generator_nor_other_models_change_a_model(digits):
    import torch

    images, labels = _small(digits)
    spec = parse("small:mlp-d1-w8-e1-s0")
    before = weights_digest(train(spec, images, labels, 10, 1))
    torch.manual_seed(99)
    train(parse("small:cnn-w2-e1-s0"), images, labels, 10, 1)
    np.random.seed(4)
    assert weights_digest(train(spec, images, labels, 10, 1)) == before


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_the_studys_seed_and_the_names_seed_matter(digits, name):
    images, labels = _small(digits)
    other = name.replace("-s0", "-s1")
    digests = [
        weights_digest(train(parse(each), images, labels, 10, seed))
        for each, seed in ((name, 1), (name, 2), (other, 1))
    ]
    assert len(set(digests)) == 3


def test_torchs_settings_and_generator_are_left_as_they_were(digits):
    import torch

    images, labels = _small(digits)
    torch.manual_seed(1)
    wanted = (torch.get_num_threads(), torch.get_deterministic_debug_mode(), torch.rand(1).item())
    torch.manual_seed(1)
    train(parse("small:cnn-w2-e1-s0"), images, labels, 10, 1)
    found = (torch.get_num_threads(), torch.get_deterministic_debug_mode(), torch.rand(1).item())
    assert found == wanted


def test_the_cheap_zoo_spreads_from_weak_to_strong(digits):
    images, labels, new, answers = digits
    accuracies = {}
    for spec in expand(["small:*-s0"]):
        predictions = score(spec, train(spec, images, labels, 10, 2019), new)
        accuracies[spec.name] = count(predictions, answers).top1 / len(new)
    values = sorted(accuracies.values())
    assert 0.75 < values[0] < 0.90, accuracies
    assert values[-1] > 0.97, accuracies
    assert sum(0.85 < value < 0.95 for value in values) >= 5, accuracies


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("size", [(5, 9), (1, 1), (12, 7)])
def test_images_of_any_size(name, size):
    rows = np.random.default_rng(1)
    images = rows.integers(0, 256, (40, *size), dtype=np.uint8)
    spec = parse(name)
    predictions = score(spec, train(spec, images, np.arange(40) % 3, 3, 0), images)
    assert predictions.classes.shape == (40, 3)


def test_ridge_regression_agrees_with_scikit_learn(digits):
    images, labels = _small(digits, 400)
    spec = parse("small:relu-w64-l0.01-s0")
    weights = train(spec, images, labels, 10, 0)
    features = _features(spec, weights, images)
    oracle = Ridge(alpha=0.01 * len(images)).fit(features, np.eye(10)[labels])
    np.testing.assert_allclose(weights["head.weight"], oracle.coef_, atol=2e-4)
    np.testing.assert_allclose(weights["head.bias"], oracle.intercept_, atol=2e-4)


def test_logistic_regression_agrees_with_scikit_learn(digits):
    images, labels = _small(digits, 400)
    spec = parse("small:linear-l0.1-e300-s0")
    weights = train(spec, images, labels, 10, 0)
    features = _features(spec, weights, images)
    oracle = LogisticRegression(C=1 / (0.1 * len(images)), tol=1e-8, max_iter=5000)
    oracle.fit(features, labels)
    np.testing.assert_allclose(weights["head.weight"], oracle.coef_, atol=1e-3)


def _features(spec, weights, images):
    import torch

    with torch.no_grad():
        return load_model(spec, weights).embed(to_unit(images)).double().numpy()


def test_adam_agrees_with_torchs_own(digits):
    import torch

    torch.manual_seed(0)
    ours = torch.nn.Linear(5, 3)
    theirs = torch.nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    adam = training._Adam(list(ours.parameters()))
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for step in range(20):
        inputs = torch.randn(4, 5)
        ours(inputs).square().sum().backward()
        adam.step(0.01 * (1 + step))
        optimizer.param_groups[0]["lr"] = 0.01 * (1 + step)
        optimizer.zero_grad()
        theirs(inputs).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-4, atol=1e-6)


def test_fewer_images_are_nested_and_change_the_model(digits):
    few = training._subset(parse("small:linear-n50-s0"), 1000, 7)
    more = training._subset(parse("small:mlp-d1-w8-n100-s0"), 1000, 7)
    assert set(few) < set(more)
    assert len(training._subset(parse("small:linear-n5000-s0"), 1000, 7)) == 1000


def test_wrong_data_is_refused(digits):
    images, labels = _small(digits)
    spec = parse("small:linear-s0")
    with pytest.raises(UsageError, match="uint8"):
        train(spec, images.astype(np.float32), labels, 10, 0)
    with pytest.raises(UsageError, match="uint8"):
        train(spec, images[:0], labels[:0], 10, 0)
    with pytest.raises(UsageError, match="label"):
        train(spec, images, labels, 9, 0)
    with pytest.raises(UsageError, match="label"):
        train(spec, images, labels[:-1], 10, 0)


def test_a_diverged_model_is_an_item_with_a_reason(digits, monkeypatch):
    monkeypatch.setitem(training._PEAK_RATE, "mlp", 1e30)
    with pytest.raises(ItemError) as caught:
        train(parse("small:mlp-d3-w8-s0"), *_small(digits), 10, 0)
    assert caught.value.reason == "diverged"


def test_digests_of_data_and_training():
    images, labels = np.zeros((4, 2, 2), np.uint8), np.arange(4)
    digest = data_digest(images, labels)
    assert digest == data_digest(images.copy(), labels.astype(np.int32))
    assert digest != data_digest(images.reshape(4, 1, 4), labels)
    assert digest != data_digest(images, labels[::-1])
    one, two = parse("small:linear-s0"), parse("small:linear-s1")
    keys = {
        training_key(one, digest, 10, 0),
        training_key(two, digest, 10, 0),
        training_key(one, "other", 10, 0),
        training_key(one, digest, 9, 0),
        training_key(one, digest, 10, 1),
    }
    assert len(keys) == 5
