"""`replicate analyze --metric`: F1, areas and errors from folders of predictions."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from support.layouts import LABELS, MODELS, PREDICTED, logits, probabilities, write

P = PREDICTED
TWO = {s: (labels >= 5).astype(np.int64) for s, labels in LABELS.items()}


def _analyze(run, root, files, *more):
    return run("analyze", "--original", root / "old", "--labels-original", files["old"], "--new",
               f"new={root / 'new'}", "--labels-new", f"new={files['new']}", "--resamples", 200,
               *more)  # fmt: skip


def _scores(value):
    names = {"original": "old", "new": "new"}
    return {(names[s], m["name"]): on for m in value["models"] for s, on in m["sets"].items()}


def _check(value, expected):
    found = _scores(value)
    assert len(found) == 10
    for (s, model), on in found.items():
        assert on["accuracy"] == pytest.approx(expected(s, model), abs=1e-9), model
        assert on["ci"][0] < on["accuracy"] < on["ci"][1]
        assert on["correct"] is None
    line = value["pairs"][0]["fits"]["logit"]
    assert line["ci"]["images"] is not None and line["ci"]["both"] is not None
    assert value["pairs"][0]["mean_drop_ci"]["images"] is not None


def _two(root, s):
    np.save(root / f"{s}_two.npy", TWO[s])
    return root / f"{s}_two.npy"


def test_macro_f1(run, tmp_path):
    files = write(tmp_path, lambda p, m, s: np.save(p / f"{m}.npy", P[s][m]))
    report = tmp_path / "out.html"
    code, value, err = _analyze(run, tmp_path, files, "--metric", "macro-f1", "--report", report)
    assert code == 0, err
    _check(value, lambda s, m: f1_score(LABELS[s], P[s][m], average="macro"))
    assert value["options"]["metric"] == "macro-f1" and "points of macro-F1" in report.read_text()


def test_the_area_with_a_column_a_class(run, tmp_path):
    def expected(s, model):
        return roc_auc_score(LABELS[s], probabilities(P[s][model]), multi_class="ovr")

    for kind, of in (("logits", logits), ("probs", probabilities)):
        root = tmp_path / kind
        files = write(root, lambda p, m, s, of=of: np.save(p / f"{m}.npy", of(P[s][m])))
        code, value, err = _analyze(run, root, files, "--metric", "auc")
        assert code == 0, err
        _check(value, expected)


@pytest.mark.parametrize("columns", [1, 2])
def test_the_area_where_there_are_two_classes(run, tmp_path, columns):
    def one(s, model):
        given = logits(P[s][model])
        return 40 * np.round(given[:, 5:].max(axis=1) - given[:, :5].max(axis=1), 3)

    def each(path, model, s):
        values = one(s, model)
        two = np.stack([-values / 2, values / 2], axis=1)
        np.save(path / f"{model}.npy", values if columns == 1 else two)

    files = write(tmp_path, each, _two)
    code, value, err = _analyze(run, tmp_path, files, "--metric", "auc")
    assert code == 0, err
    _check(value, lambda s, m: roc_auc_score(TWO[s], one(s, m)))
    if columns == 1:  # as scores of items they would be something else: refused
        code, value, _ = _analyze(run, tmp_path, files)
        assert code == 3 and value["excluded"][0]["kind"] in ("out_of_range", "no_classes")


def test_errors_of_items(run, tmp_path):
    def errors(s, model):
        return np.where(P[s][model] == LABELS[s], 0.25, 0.5)

    files = write(tmp_path, lambda p, m, s: np.save(p / f"{m}.npy", errors(s, m)))
    code, value, err = _analyze(run, tmp_path, files, "--lower-is-better")
    assert code == 0, err
    for (s, model), on in _scores(value).items():
        assert on["accuracy"] == pytest.approx(1 - errors(s, model).mean())


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--metric", "auc"), "no_scores"),
        (("--metric", "macro-f1", "--top", 2), "without --top"),
        (("--metric", "macro-f1", "--same-classes"), "without --same-classes"),
    ],
)
def test_what_a_metric_cannot_be_computed_from(run, tmp_path, more, word):
    files = write(tmp_path, lambda p, m, s: np.save(p / f"{m}.npy", P[s][m]))
    code, value, err = _analyze(run, tmp_path, files, *more)
    if word == "no_scores":
        assert code == 3 and {item["kind"] for item in value["excluded"]} == {word}
        assert len(value["excluded"]) == 2 * len(MODELS)
    else:
        assert code == 2 and word in err
