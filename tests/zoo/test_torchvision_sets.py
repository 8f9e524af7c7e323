"""torchvision's data sets as originals: addresses anywhere, the sets where torchvision is."""

import sys
from pathlib import Path

import numpy as np
import pytest

from replicate.base.errors import MissingError, UsageError
from replicate.base.images import decode, encode_png
from replicate.zoo.torchvision_sets import Address, images, labels, parse


def test_an_address_is_read(tmp_path: Path):
    assert parse("torchvision:CIFAR10?root=data&train=false", tmp_path) == Address(
        "CIFAR10", {"root": str(tmp_path / "data"), "train": False}
    )
    found = parse("torchvision:EMNIST?root=/a/b&split=letters&download=true&n=3", tmp_path)
    assert found.options == {"root": "/a/b", "split": "letters", "download": True, "n": 3}


@pytest.mark.parametrize("spec", ["torchvision:", "torchvision:CIFAR10", "torchvision:a b?root=x"])
def test_an_address_that_says_too_little(spec: str, tmp_path: Path):
    with pytest.raises(UsageError, match="where it is") as caught:
        parse(spec, tmp_path)
    assert "torchvision:CIFAR10?root=data&train=false" in caught.value.hint


@pytest.mark.zoo
def test_arrays_become_files_that_lose_nothing(tmp_path: Path):
    pixels = np.random.default_rng(1).integers(0, 256, (10, 28, 28), dtype=np.uint8)
    _write_mnist(tmp_path, pixels, np.arange(10) % 3)
    spec = "torchvision:MNIST?root=.&train=false"
    found = list(images(spec, tmp_path))
    assert [item.label[0] for item in found] == [str(n % 3) for n in range(10)]
    assert [item.name for item in found] == [f"MNIST-{n}" for n in range(10)]
    assert all(
        np.array_equal(np.asarray(decode(item.data)), old)
        for item, old in zip(found, pixels, strict=True)
    )
    assert labels(spec, tmp_path) == ["0 - zero", "1 - one", "2 - two"]


@pytest.mark.zoo
def test_files_are_handed_over_as_they_are(tmp_path: Path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(encode_png(np.zeros((4, 4), dtype=np.uint8)))
    found = list(images("torchvision:ImageFolder?root=.", tmp_path))
    assert [(item.name, item.label) for item in found] == [
        ("cat/1.png", "cat"),
        ("dog/1.png", "dog"),
    ]
    assert found[0].data == (tmp_path / "cat" / "1.png").read_bytes()


@pytest.mark.zoo
def test_what_is_not_there_is_said_and_nothing_is_downloaded(tmp_path: Path):
    with pytest.raises(MissingError, match="is not in") as caught:
        labels("torchvision:CIFAR10?root=nowhere&train=false", tmp_path)
    assert "download=true" in caught.value.hint
    with pytest.raises(UsageError, match="no data set 'CIFAR11'") as wrong:
        labels("torchvision:CIFAR11?root=.", tmp_path)
    assert "CIFAR10" in wrong.value.hint
    with pytest.raises(UsageError, match="cannot be opened so"):
        labels("torchvision:CIFAR10?root=.&trian=false", tmp_path)


def _write_mnist(folder: Path, pixels: np.ndarray, classes: np.ndarray) -> None:
    """The test files of MNIST in the format of its makers."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("t10k", "train"):
        head = (2051).to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        head = (2049).to_bytes(4, "big") + len(classes).to_bytes(4, "big")
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(head + classes.astype(np.uint8).tobytes())


def test_without_torchvision_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "torchvision", None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(MissingError, match="torchvision") as caught:
        labels("torchvision:CIFAR10?root=.", tmp_path)
    assert "replicate-testsets[zoo]" in caught.value.hint
