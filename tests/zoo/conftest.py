import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits():
    """Training images and labels (1,000), held-out images and labels (797), 8×8 uint8."""
    data = load_digits()
    images = np.rint(data.images * 255 / 16).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:1000], order[1000:]
    labels = data.target.astype(np.int64)
    return images[train], labels[train], images[test], labels[test]
