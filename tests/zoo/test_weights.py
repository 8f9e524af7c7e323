import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from replicate.base.errors import ItemError
from replicate.zoo.names import parse
from replicate.zoo.training import train
from replicate.zoo.weights import load_weights, parameter_count, save_weights, weights_digest

tensors = st.dictionaries(
    st.text("abc.", min_size=1, max_size=6),
    st.sampled_from([np.float32, np.int64]).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, max_side=4))
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=40)
@given(tensors)
def test_round_trip(tmp_path_factory, weights):
    path = tmp_path_factory.mktemp("weights") / "model.npz"
    save_weights(path, weights)
    found = load_weights(path)
    assert weights_digest(found) == weights_digest(weights)
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in weights.items()
    }


def test_a_trained_models_file_is_the_same_whatever_the_order_of_its_tensors(tmp_path, digits):
    weights = train(parse("small:cnn-w2-e1-s0"), digits[0][:60], digits[1][:60], 10, 0)
    save_weights(tmp_path / "a.npz", weights)
    save_weights(tmp_path / "b.npz", dict(reversed(weights.items())))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_names_types_shapes_and_values_are_in_the_digest():
    one = np.arange(4, dtype=np.float32)
    digests = {
        weights_digest({"a": one}),
        weights_digest({"b": one}),
        weights_digest({"a": one.reshape(2, 2)}),
        weights_digest({"a": one.view(np.int32)}),
        weights_digest({"a": one + 1}),
        weights_digest({"a": one, "b": one}),
    }
    assert len(digests) == 6
    assert weights_digest({"a": one.astype(">f4")}) == weights_digest({"a": one})
    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert weights_digest({"a": np.asfortranarray(grid)}) == weights_digest({"a": grid})


class _Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was unpacked",))


@pytest.mark.parametrize("content", ["pickle", "object array", "cut", "missing"])
def test_nothing_but_whole_plain_arrays_is_read(tmp_path, content):
    path = tmp_path / "model.npz"
    if content == "pickle":
        path.write_bytes(pickle.dumps(_Trap()))
    elif content == "object array":
        array = np.empty(1, dtype=object)
        array[0] = _Trap()
        np.savez(path, a=array)
    elif content == "cut":
        save_weights(path, {"a": np.zeros(1000)})
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ItemError) as caught:
        load_weights(path)
    assert caught.value.reason == "bad_weights"


def test_a_flipped_byte_is_seen(tmp_path):
    path = tmp_path / "model.npz"
    save_weights(path, {"a": np.full(100, 1.5)})
    data = bytearray(path.read_bytes())
    data[data.index(struct.pack("<d", 1.5)) + 400] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ItemError):
        load_weights(path)


def test_counting_parameters(digits):
    weights = train(parse("small:mlp-d1-w16-e1-s0"), digits[0][:60], digits[1][:60], 10, 0)
    learned = (64 * 16 + 16) + (16 * 10 + 10)
    assert parameter_count(weights) == learned
