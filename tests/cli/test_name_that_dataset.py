"""`replicate name-that-dataset` on files of features."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet


@pytest.fixture
def sides():
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 6)), rng.normal(size=(100, 6)) + np.eye(6)[0] * 2


def _write(path, values):
    names = [f"i{k}" for k in range(len(values))]
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".npz":
        np.savez(path, features=values, ids=np.arange(len(values)))
    elif path.suffix == ".csv":
        rows = [",".join([name, *map(str, row)]) for name, row in zip(names, values, strict=True)]
        path.write_text("\n".join(["name,a,b,c,d,e,f", *rows]))
    else:
        flat = pa.array(values.astype(np.float32).ravel())
        lists = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        made = pa.table({"image": names, "features": lists})
        (parquet.write_table if path.suffix == ".parquet" else feather.write_feather)(made, path)
    return path


@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv", ".parquet", ".arrow"])
def test_every_kind_of_file_gives_the_same_answer(run, sides, tmp_path, ending):
    old, new = (
        _write(tmp_path / f"{name}{ending}", values)
        for name, values in zip(("old", "new"), sides, strict=True)
    )
    code, value, err = run("name-that-dataset", "--original", old, "--new", new, "--folds", 3)
    assert code == 0, err
    assert value["new"]["auc"] > 0.85 and value["new"]["ci"][0] > 0.5
    assert value["negative"]["ci"][0] < 0.5 < value["negative"]["ci"][1]
    assert value["new"]["n"] == [100, 100]
    assert value["new"]["p"] < 0.01 < value["negative"]["p"]
    assert value["permutations"] == 500 and "training included" in value["interval"]


def test_what_the_three_numbers_say_together(run, sides, tmp_path):
    old, new = (_write(tmp_path / f"{i}.npy", values) for i, values in enumerate(sides))
    text = run("name-that-dataset", "--original", old, "--new", new, as_json=False)[1]
    assert "told apart: something differs" in text
    same = _write(tmp_path / "same.npy", np.random.default_rng(9).normal(size=(100, 6)))
    text = run("name-that-dataset", "--original", old, "--new", same, as_json=False)[1]
    assert "not told apart, where a planted difference is" in text


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda path: None, "no features at"),
        (lambda path: path.write_bytes(b"\x93NUMPY nonsense"), "holds no features"),
        (lambda path: path.write_bytes(b""), "holds no features"),
        (lambda path: np.save(path, np.zeros(5)), "not (items, features)"),
        (lambda path: np.save(path, np.full((50, 6), np.nan)), "not a number"),
        (lambda path: np.save(path, np.zeros((50, 7))), "same model"),
    ],
)
def test_files_that_cannot_be_used(run, sides, tmp_path, make, word):
    old = _write(tmp_path / "old.npy", sides[0])
    make(tmp_path / "new.npy")
    code, _, err = run("name-that-dataset", "--original", old, "--new", tmp_path / "new.npy")
    assert code == 2 and word in err, err
