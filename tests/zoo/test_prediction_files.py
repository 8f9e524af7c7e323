"""Prediction files: what is written is read, mapped, whole or not there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather

from replicate.base.errors import ItemError, UsageError
from replicate.zoo.flips import flips
from replicate.zoo.prediction_files import Key, Scored, intact, path_of, read, read_header, write

KEY = Key("w", "v", "fp32", "own", "s")
HEADER = {"model": "m", "classes": ["a", "b", "c"], "key": KEY.digest, "n": 4, "failed_images": {}}


def _scored(n=4, k=3, seed=0, logits=False):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, k)).astype(np.float32)
    order = np.argsort(-scores, axis=1).astype(np.int32)
    return Scored(
        order, np.take_along_axis(scores, order, 1), scores.max(1), scores if logits else None
    )


@pytest.mark.parametrize("logits", [False, True])
def test_what_is_written_is_read(tmp_path, logits):
    scored = _scored(logits=logits)
    scored.classes[2], scored.scores[2], scored.log_sum_exp[2] = -1, np.nan, np.nan
    labels = np.array([scored.classes[0, 0], 1, 2, -1], np.int32)
    write(tmp_path / "p.arrow", HEADER, ["x", "y", "z", "u"], labels, scored)
    found = read(tmp_path / "p.arrow")
    assert found.items == ("x", "y", "z", "u") and found.header["model"] == "m"
    np.testing.assert_array_equal(found.scored.classes, scored.classes)
    np.testing.assert_array_equal(found.scored.scores, scored.scores)
    np.testing.assert_array_equal(found.labels, labels)
    assert (found.scored.logits is not None) == logits
    n, right = found.counts
    assert n == 2  # one was not read, one has no label
    assert right == 1 + int(scored.classes[1, 0] == 1)
    table = feather.read_table(tmp_path / "p.arrow")
    assert table.column_names[:6] == [
        "item",
        "label",
        "classes",
        "scores",
        "log_sum_exp",
        "correct",
    ]
    assert table["correct"].null_count == 2 and table["log_sum_exp"].null_count == 1


def test_the_same_content_is_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, HEADER, list("xyzu"), None, _scored())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read(tmp_path / "a").counts == (0, 0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files_have_a_reason(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    write(folder / "p.arrow", HEADER, list("xyzu"), None, _scored())
    raw = bytearray((folder / "p.arrow").read_bytes())
    for _ in range(data.draw(st.integers(0, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (folder / "p.arrow").write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    try:
        found = read(folder / "p.arrow")
    except ItemError as error:
        assert error.reason == "bad_predictions"
    else:
        assert len(found.items) == len(found.scored.classes)


def test_a_file_is_the_one_of_its_key_or_not_there(tmp_path):
    path = path_of(tmp_path, "timm:vgg11?x=1", KEY)
    assert path.name.startswith("timm-vgg11-x-1.") and not intact(path, KEY, 4)
    write(path, HEADER, list("xyzu"), None, _scored())
    assert intact(path, KEY, 4) and not intact(path, KEY, 5)
    assert not intact(path, Key("w", "v", "bf16", "own", "s"), 4)
    assert read_header(path)["classes"] == ["a", "b", "c"]


def test_flips_are_counted_image_by_image(tmp_path):
    a, b = _scored(40, seed=1), _scored(40, seed=1)
    b.classes[:5] = b.classes[:5, ::-1]
    labels = a.classes[:, 0].copy()
    header = {**HEADER, "n": 40}
    items = [f"i{k}" for k in range(40)]
    write(tmp_path / "a", header, items, labels, a)
    write(tmp_path / "b", header, items, labels, b)
    found = flips(tmp_path / "a", tmp_path / "b")
    assert (found.n, found.flips, found.top5) == (40, 5, 0)
    assert found.correct == (40, 35) and (found.only_first, found.only_second) == (5, 0)
    assert found.p == pytest.approx(0.5**5)
    write(tmp_path / "c", header, items[::-1], labels, a)
    with pytest.raises(UsageError, match="same images"):
        flips(tmp_path / "a", tmp_path / "c")
    write(tmp_path / "d", {**header, "classes": ["x", "y", "z"]}, items, labels, a)
    with pytest.raises(UsageError, match="different classes"):
        flips(tmp_path / "a", tmp_path / "d")
