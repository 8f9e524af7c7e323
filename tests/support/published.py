"""Published predictions, as people write them into folders."""

import csv

import numpy as np

LABELS = np.arange(300) % 10
MODELS = {"alexnet": 0.6, "resnet_50": 0.7, "vgg16": 0.75, "vit_b": 0.8, "wide-resnet": 0.9}


def predicted(accuracy, seed, labels=LABELS, k=1):
    """Predictions of shape (n, k), best first, right for about that share."""
    rng = np.random.default_rng(seed)
    right = rng.random(len(labels)) < accuracy
    first = np.where(right, labels, (labels + rng.integers(1, 10, len(labels))) % 10)
    rest = [(first + i) % 10 for i in range(1, k)]
    return np.stack([first, *rest], axis=1)


def write(folder, drop=0.0, models=MODELS, labels=LABELS, k=1, seed=0, change=None):
    folder.mkdir(parents=True)
    for i, (name, accuracy) in enumerate(models.items()):
        values = predicted(accuracy - drop, seed + i, labels, k)
        if change:
            values = change(name, values)
        np.save(folder / f"{name}.npy", values[:, 0] if k == 1 else values)
    labels_file = folder.parent / f"{folder.name}_labels.npy"
    np.save(labels_file, labels)
    return labels_file


def command(tmp_path, old, new):
    return ("analyze", "--original", tmp_path / "old", "--labels-original", old,
            "--new", f"v2={tmp_path / 'new'}", "--labels-new", f"v2={new}",
            "--resamples", 200)  # fmt: skip


def table(path, header, rows):
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    return path
