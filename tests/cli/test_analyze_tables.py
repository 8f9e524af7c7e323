"""`replicate analyze` and `power` on tables and numbers, as people publish them."""

import json

import numpy as np
import pytest
from support.published import LABELS, MODELS, command, predicted, table, write

ROWS = [
    (model, name, round(300 * (accuracy - drop)), 300)
    for model, accuracy in MODELS.items()
    for name, drop in (("Original", 0.0), ("V2", 0.1 * accuracy))
]


def test_a_table_of_counts_in_any_order_and_spelling(run, tmp_path):
    rows = [(n, f" {name} ", k, model) for model, name, k, n in ROWS]
    path = table(tmp_path / "t.csv", ("N", " Test Set", "Correct ", "Model"), rows)
    code, value, err = run("analyze", path, "--original", "original", "--resamples", 200)
    assert code == 0, err
    (pair,) = value["pairs"]
    assert (pair["original"], pair["new"], pair["n_models"]) == ("Original", "V2", 5)
    assert pair["inversions"]["resolved"] is None
    assert pair["fits"]["logit"]["ci"]["images"] is not None
    assert any("only totals" in text for text in value["warnings"])
    assert value["models"][0]["sets"]["V2"]["correct"] == round(300 * 0.54)


def test_a_table_of_scores_in_percent_and_one_column_a_set(run, tmp_path):
    rows = [(m, n, f"{100 * k / 300:.2f}%") for m, n, k, _ in ROWS]
    path = table(tmp_path / "t.csv", ("model", "dataset", "accuracy"), rows)
    code, value, err = run("analyze", path, "--original", "Original", "--resamples", 200)
    assert code == 0, err
    fit = value["pairs"][0]["fits"]["linear"]
    assert fit["slope"] == pytest.approx(0.9, abs=0.02)
    assert fit["ci"]["images"] is None and fit["ci"]["models"] is not None
    assert value["models"][0]["sets"]["V2"]["n"] is None
    wide = [(m, 100 * a, 90 * a) for m, a in MODELS.items()]
    path = table(tmp_path / "w.csv", ("Model", "CIFAR-10", "CIFAR-10.1"), wide)
    code, value, err = run("analyze", path, "--original", "cifar-10", "--resamples", 200)
    assert code == 0, err
    assert value["pairs"][0]["new"] == "CIFAR-10.1"


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_per_item_scores(run, tmp_path, kind):
    import pandas as pd

    rng = np.random.default_rng(1)
    rows = [
        (model, name, f"q{i}", float(np.clip(rng.beta(8 * a, 8 * (1 - a)) - d, 0, 1)))
        for model, a in MODELS.items()
        for name, d in (("original", 0), ("new", 0.05))
        for i in range(60)
    ]
    frame = pd.DataFrame(rows, columns=["Model", "Test_Set", "Item", "Score"])
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=kind == "jsonl")
    code, value, err = run("analyze", path, "--original", "original", "--resamples", 300)
    assert code == 0, err
    item = value["models"][0]["sets"]["new"]
    mine = frame[(frame.Model == "alexnet") & (frame.Test_Set == "new")].Score
    assert item["accuracy"] == pytest.approx(mine.mean(), abs=1e-9)
    assert item["ci"][0] < item["accuracy"] < item["ci"][1]
    assert value["pairs"][0]["fits"]["linear"]["ci"]["both"] is not None


def test_errors_where_lower_is_better_and_rows_that_do_not_agree(run, tmp_path):
    rows = [(m, n, 1 - k / 300) for m, n, k, _ in ROWS] + [("vgg16", "V2", 0.5)]
    path = table(tmp_path / "t.csv", ("model", "test_set", "error"), rows)
    code, value, _ = run("analyze", path, "--original", "Original", "--resamples", 200)
    assert code == 3
    assert value["excluded"][0]["model"] == "vgg16"
    model = next(m for m in value["models"] if m["name"] == "vit_b")
    assert model["sets"]["Original"]["accuracy"] == pytest.approx(0.8)


def test_a_metric_that_is_no_fraction_has_the_linear_scale_only(run, tmp_path):
    rows = [(m, n, 40 + k) for m, n, k, _ in ROWS]
    path = table(tmp_path / "t.csv", ("model", "test_set", "score"), rows)
    code, value, _ = run("analyze", path, "--original", "Original", "--resamples", 200)
    assert code == 0
    fits = value["pairs"][0]["fits"]
    assert fits["linear"] is not None and fits["logit"] is None and fits["probit"] is None


def test_tables_that_cannot_be_used(run, tmp_path):
    path = table(tmp_path / "t.csv", ("a", "b"), [("x", "y")])
    code, _, err = run("analyze", path, "--original", "x")
    assert code == 2 and "a, b" in err
    path = table(tmp_path / "u.csv", ("model", "test_set", "score"), [("m", "old", 0.5)])
    code, _, err = run("analyze", path, "--original", "new")
    assert code == 2 and "old" in err
    assert run("analyze", path, "--original", "old")[0] == 2
    assert run("analyze", tmp_path / "none.csv", "--original", "old")[0] == 2
    (tmp_path / "empty.csv").write_text("")
    assert run("analyze", tmp_path / "empty.csv", "--original", "old")[0] == 2


def test_power(run):
    code, value, _ = run("power", "--accuracy", 93, "--images", 2021, "--original", 10_000)
    assert code == 0 and round(100 * value["gap"], 2) == 1.74
    code, value, _ = run("power", "--accuracy", 0.76, "--gap", 1.31, "--original", 50_000)
    assert code == 0 and abs(value["n_new"] - 10_000) < 30
    code, text, _ = run("power", "--accuracy", 0.76, "--gap", 0.1, "--original", 50_000,
                        as_json=False)  # fmt: skip
    assert code == 0 and "too small" in text
    assert run("power", "--accuracy", 93)[0] == 2
    assert run("power", "--accuracy", 93, "--images", 0)[0] == 2


def test_competitions(run, tmp_path):
    rows = [(c, f"t{i}", 0.9 - i / 100, 0.88 - i / 95) for c in "ab" for i in range(20)]
    path = table(tmp_path / "t.csv", ("competition", "team", "public", "private"), rows)
    code, value, err = run("competitions", path)
    assert code == 0, err
    assert [c["n_teams"] for c in value["competitions"]] == [20, 20]
    assert value["summary"]["gap"]["n"] == 2
    assert value["summary"]["top_gap"] is None  # two teams in a tenth have no interval
    code, text, _ = run("competitions", path, as_json=False)
    assert code == 0 and "Over 2 competitions" in text


@pytest.mark.parametrize("kind", ["npz", "json", "csv"])
def test_one_file_of_all_models(run, tmp_path, kind):
    old = write(tmp_path / "old")
    new = tmp_path / "new_labels.npy"
    np.save(new, LABELS)
    values = {name: predicted(a - 0.1, i)[:, 0] for i, (name, a) in enumerate(MODELS.items())}
    path = tmp_path / f"new.{kind}"
    if kind == "npz":
        np.savez(path, **values)
    elif kind == "json":
        path.write_text(json.dumps({name: column.tolist() for name, column in values.items()}))
    else:
        rows = zip(range(300), LABELS, *values.values(), strict=True)
        table(path, ("index", "label", *values), list(rows))
    words = [f"v2={path}" if str(w).startswith("v2=") and "labels" not in str(w) else w
             for w in command(tmp_path, old, new)]  # fmt: skip
    code, value, err = run(*words)
    assert code == 0, err
    assert value["pairs"][0]["n_models"] == 5
    path.write_text("[1, 2]")
    code, _, err = run(*words)
    assert code == 2 and "one file a model" in err
