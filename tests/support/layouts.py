"""Predictions of five models on two sets, to be written in many published layouts."""

import gzip
import io
import json

import numpy as np

CLASSES = 10
NAMES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MODELS = {"alexnet": 0.6, "resnet_50": 0.7, "vgg16": 0.75, "vit_b": 0.8, "wide-resnet": 0.9}
SIZES = {"old": 240, "new": 180}
_RNG = np.random.default_rng(0)
LABELS = {s: _RNG.integers(0, CLASSES, n) for s, n in SIZES.items()}
IDS = {s: [f"{s}_{i:05d}.png" for i in _RNG.permutation(n)] for s, n in SIZES.items()}


def _guess(labels, accuracy):
    right = _RNG.random(len(labels)) < accuracy
    wrong = (labels + _RNG.integers(1, CLASSES, len(labels))) % CLASSES
    return np.where(right, labels, wrong)


PREDICTED = {
    s: {m: _guess(LABELS[s], a - 0.05 * (s == "new")) for m, a in MODELS.items()} for s in SIZES
}
ACCURACY = {s: {m: float((PREDICTED[s][m] == LABELS[s]).mean()) for m in MODELS} for s in SIZES}


def logits(predicted):
    made = np.random.default_rng(1).normal(size=(len(predicted), CLASSES))
    made[np.arange(len(predicted)), predicted] = made.max(axis=1) + 0.5
    return made


def probabilities(predicted):
    raised = np.exp(logits(predicted))
    return raised / raised.sum(axis=1, keepdims=True)


def packed(path, content):
    path.write_bytes(gzip.compress(content if isinstance(content, bytes) else content.encode()))


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def rows(header, *columns, mark=","):
    lines = [mark.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([mark.join(header), *lines])


def named_labels(path, s, values=None):
    path.write_text(json.dumps(dict(zip(IDS[s], (LABELS[s] if values is None else values).tolist(),
                                        strict=True))))  # fmt: skip
    return path


def write(root, each, labels=None):
    """Write every model of every set; the paths of the labels."""
    files = {}
    for s in SIZES:
        (root / s).mkdir(parents=True)
        for model in MODELS:
            each(root / s, model, s)
        path = root / f"{s}_labels.npy"
        np.save(path, LABELS[s])
        files[s] = path if labels is None else labels(root, s)
    return files
