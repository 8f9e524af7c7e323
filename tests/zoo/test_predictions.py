import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from replicate.base.errors import ItemError, ReplicateError
from replicate.zoo.predictions import (
    PredictionKey,
    Predictions,
    count,
    find,
    path_of,
    read,
    save,
)

KEY = PredictionKey("w" * 64, "grey-unit@1", "fp32", "s" * 64)


@st.composite
def predictions(draw, least=0):
    n, k = draw(st.integers(least, 30)), draw(st.integers(1, 5))
    finite = st.floats(-1e6, 1e6, width=32)
    return Predictions(
        draw(arrays.arrays(np.int16, (n, k), elements=st.integers(0, 9))),
        draw(arrays.arrays(np.float32, (n, k), elements=finite)),
        draw(arrays.arrays(np.float32, (n,), elements=finite)),
    )


@settings(deadline=None, max_examples=30)
@given(predictions())
def test_what_is_kept_comes_back(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("kept")
    assert find(folder, KEY) is None
    path = save(folder, KEY, value, "small:linear-s0")
    assert path == path_of(folder, KEY)
    found = read(path)
    for name in ("classes", "scores", "log_sum_exp"):
        before, after = getattr(value, name), getattr(found, name)
        assert (before.dtype, before.tobytes()) == (after.dtype, after.tobytes())
    assert found.digest == value.digest
    assert [p.name for p in folder.rglob("*") if p.is_file()] == [path.name]


def test_the_same_predictions_make_the_same_file(tmp_path):
    value = Predictions(*_arrays(3, 2))
    one = save(tmp_path / "a", KEY, value, "m").read_bytes()
    assert save(tmp_path / "b", KEY, value, "m").read_bytes() == one


def _arrays(n, k):
    return np.zeros((n, k), np.int16), np.zeros((n, k), np.float32), np.zeros(n, np.float32)


@given(predictions(least=1), st.data())
def test_the_digest_is_that_of_the_classes(value, data):
    same = Predictions(
        np.asfortranarray(value.classes), value.scores + 1, np.zeros_like(value.log_sum_exp)
    )
    assert same.digest == value.digest
    changed = value.classes.copy()
    changed[data.draw(st.integers(0, len(changed) - 1)), 0] += 1
    assert Predictions(changed, value.scores, value.log_sum_exp).digest != value.digest


def test_the_shape_is_part_of_the_digest():
    assert Predictions(*_arrays(2, 3)).digest != Predictions(*_arrays(3, 2)).digest


@given(predictions(least=1), st.data())
def test_counts_agree_with_counting_by_hand(value, data):
    n = len(value.classes)
    labels = data.draw(arrays.arrays(np.int16, (n,), elements=st.integers(0, 9)))
    found = count(value, labels)
    rows = list(zip(value.classes.tolist(), labels.tolist(), strict=True))
    assert found.n == n
    assert found.top1 == sum(row[0] == label for row, label in rows)
    assert found.top5 == sum(label in row for row, label in rows)


def test_empty_is_not_zero():
    with pytest.raises(ReplicateError, match="empty"):
        count(Predictions(*_arrays(0, 5)), np.zeros(0, np.int16))


def test_labels_of_another_length_are_refused():
    with pytest.raises(ReplicateError, match="3 predictions"):
        count(Predictions(*_arrays(3, 5)), np.zeros(2, np.int16))


def test_shapes_that_do_not_fit_are_refused():
    classes, scores, log_sum_exp = _arrays(3, 5)
    with pytest.raises(ReplicateError):
        Predictions(classes, scores[:2], log_sum_exp)
    with pytest.raises(ReplicateError):
        Predictions(classes, scores, log_sum_exp[:2])


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "swapped"])
def test_a_damaged_file_is_seen(tmp_path, damage):
    path = save(tmp_path, KEY, Predictions(*_arrays(50, 5)), "m")
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other":
        np.savez(path, classes=np.zeros(3))
    else:
        with np.load(path) as content:
            changed = dict(content)
        changed["classes"] = changed["classes"] + np.int16(1)
        np.savez(path, **changed)
    with pytest.raises(ItemError) as caught:
        read(path)
    assert caught.value.reason == "bad_predictions"
    assert find(tmp_path, KEY) is None


def test_every_part_of_the_key_changes_the_file(tmp_path):
    keys = {
        KEY,
        PredictionKey("v" * 64, KEY.preprocessing, KEY.precision, KEY.test_set),
        PredictionKey(KEY.weights, "grey-unit@2", KEY.precision, KEY.test_set),
        PredictionKey(KEY.weights, KEY.preprocessing, "bf16", KEY.test_set),
        PredictionKey(KEY.weights, KEY.preprocessing, KEY.precision, "t" * 64),
    }
    assert len({path_of(tmp_path, key) for key in keys}) == 5


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        args[0].write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, KEY, Predictions(*_arrays(3, 5)), "m")
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
