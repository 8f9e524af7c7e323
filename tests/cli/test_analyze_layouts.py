"""`replicate analyze` on folders as people publish them: the right numbers, or a refusal."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.layouts import (
    ACCURACY,
    CLASSES,
    IDS,
    LABELS,
    MODELS,
    NAMES,
    PREDICTED,
    SIZES,
    logits,
    named_labels,
    npy,
    packed,
    probabilities,
    rows,
    write,
)

P = PREDICTED
SHUFFLED = np.random.default_rng(5).permutation(CLASSES)
AS_NAMES = np.array(NAMES)


def _folder(path):
    path.mkdir(parents=True, exist_ok=True)
    return path


def _mixed(path, model, s):
    values, kind = P[s][model], (list(MODELS).index(model) + (s == "new")) % 5
    if kind == 0:
        np.save(path / f"{model}_predictions.npy", values)
    elif kind == 1:
        (path / f"{model}.json").write_text(json.dumps(values.tolist()))
    elif kind == 2:
        (path / f"{model}-preds.csv").write_text(rows(("image_id", "prediction"), IDS[s], values))
    elif kind == 3:
        np.savetxt(path / f"{model}.txt", values, fmt="%d")
    else:
        np.savez(path / f"{model}_top1.npz", predictions=values, targets=LABELS[s])


def _beside(path, model, s):
    np.save(_folder(path / model) / "predictions.npy", P[s][model])
    np.save(path / model / "labels.npy", LABELS[s])
    (path / model / "config.json").write_text('{"lr": 0.1}')


def _family(path, model, s):
    np.save(_folder(path / ("transformers" if model == "vit_b" else "cnn")) / f"{model}.npy",
            P[s][model])  # fmt: skip


def _table(path, model, s):
    columns = {"image_id": IDS[s], "label": LABELS[s], "predicted_class": P[s][model]}
    parquet.write_table(pa.table(columns), path / f"{model}.parquet")


def _scores_by_name(path, model, s):
    scores = logits(P[s][model])[:, SHUFFLED].round(4)
    header = ("image", *(NAMES[i] for i in SHUFFLED))
    (path / f"{model}.csv").write_text(rows(header, IDS[s], *scores.T))


def _scores_by_number(path, model, s):
    scores = probabilities(P[s][model])[:, SHUFFLED].round(5)
    header = ("id", "label", *(f"prob_{i}" for i in SHUFFLED))
    packed(path / f"{model}.csv.gz", rows(header, range(SIZES[s]), LABELS[s], *scores.T))


def _records(path, model, s):
    order = np.random.default_rng(len(model)).permutation(SIZES[s])
    lines = [{"image": f"val/{IDS[s][i]}", "prediction": int(P[s][model][i]), "score": 0.5}
             for i in order]  # fmt: skip
    (path / f"{model}.jsonl").write_text("\n".join(map(json.dumps, lines)))


def _objects(path, model, s):
    value = {i: {"label": int(x), "pred": int(p)}
             for i, x, p in zip(IDS[s], LABELS[s], P[s][model], strict=True)}  # fmt: skip
    (path / f"{model}.json").write_text(json.dumps(value))


def _by_name(root, s):
    return named_labels(root / f"{s}_labels.json", s)


def _by_stem(root, s):
    values = {i.removesuffix(".png"): int(x) for i, x in zip(IDS[s], LABELS[s], strict=True)}
    (root / f"{s}_labels.json").write_text(json.dumps(values))
    return root / f"{s}_labels.json"


def _one_hot(root, s):
    np.save(root / f"{s}_hot.npy", np.eye(CLASSES)[LABELS[s]])
    return root / f"{s}_hot.npy"


def _from_one(root, s):
    np.save(root / f"{s}_one.npy", LABELS[s].astype(np.float64) + 1)
    return root / f"{s}_one.npy"


def _class_names(root, s):
    return named_labels(root / f"{s}_names.json", s, AS_NAMES[LABELS[s]])


LAYOUTS = {
    "mixed": (_mixed, _by_name),
    "beside": (_beside, None),
    "family": (_family, None),
    "parquet": (_table, _by_name),
    "scores by name": (_scores_by_name, _class_names),
    "scores by name, numbered labels": (
        lambda p, m, s: (p / f"{m}.csv").write_text(rows(NAMES, *logits(P[s][m]).T.round(4))),
        None,
    ),
    "scores by number": (_scores_by_number, None),
    "records": (_records, _by_stem),
    "objects": (_objects, _by_name),
    "logits beside labels": (
        lambda p, m, s: np.savez(p / f"{m}.npz", logits=logits(P[s][m]), labels=LABELS[s]), None,
    ),
    "logits on their side": (lambda p, m, s: np.save(p / f"{m}.npy", logits(P[s][m]).T), None),
    "logits, labels from 1": (lambda p, m, s: np.save(p / f"{m}.npy", logits(P[s][m])), _from_one),
    "ranks of classes": (
        lambda p, m, s: np.save(p / f"{m}.npy", 7 * logits(P[s][m]).argsort(1).argsort(1)), None,
    ),
    "whole numbers": (
        lambda p, m, s: np.save(p / f"{m}.npy", (20 * logits(P[s][m])).astype(int)), None,
    ),
    "one-hot": (lambda p, m, s: np.save(p / f"{m}.npy", np.eye(10, dtype=int)[P[s][m]]), _one_hot),
    "packed": (lambda p, m, s: packed(p / f"{m}.npy.gz", npy(P[s][m])), None),
    "right": (lambda p, m, s: np.save(p / f"{m}_correct.npy", 1 * (P[s][m] == LABELS[s])), None),
    "right in a table": (
        lambda p, m, s: (p / f"{m}.csv").write_text(
            rows(("id", "label", "correct"), range(SIZES[s]), LABELS[s], 1 * (P[s][m] == LABELS[s]))
        ), None,
    ),
    "quoted": (
        lambda p, m, s: (p / f"{m}.tsv").write_text(
            rows(('"id"', '"label"', '"predicted class"'), range(SIZES[s]), LABELS[s], P[s][m],
                 mark="\t")
        ), None,
    ),
}  # fmt: skip


def _analyze(run, root, files, *more, original=None, new=None):
    return run("analyze", "--original", original or root / "old", "--labels-original",
               files["old"], "--new", f"v2={new or root / 'new'}", "--labels-new",
               f"v2={files['new']}", "--resamples", 50, *more)  # fmt: skip


def _check(value):
    found = {m["name"]: m["sets"] for m in value["models"]}
    for model in MODELS:
        for ours, theirs in (("original", "old"), ("v2", "new")):
            assert found[model][ours]["accuracy"] == pytest.approx(ACCURACY[theirs][model])
            assert found[model][ours]["n"] == SIZES[theirs]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read_with_the_right_numbers(run, tmp_path, layout):
    each, labels = LAYOUTS[layout]
    files = write(tmp_path, each, labels)
    code, value, err = _analyze(run, tmp_path, files)
    assert code == 0, (value.get("excluded"), err)
    _check(value)


def test_numbers_beside_names_need_the_list_of_classes(run, tmp_path):
    files = write(tmp_path, lambda p, m, s: np.save(p / f"{m}.npy", P[s][m]), _class_names)
    for s, path in files.items():
        path.write_text(json.dumps(AS_NAMES[LABELS[s]].tolist()))
    code, value, _ = _analyze(run, tmp_path, files)
    assert code == 3 and "--classes FILE" in value["excluded"][0]["reason"]
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    code, value, _ = _analyze(run, tmp_path, files, "--classes", tmp_path / "classes.txt")
    assert code == 0
    _check(value)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES[:-1]))
    code, _, err = _analyze(run, tmp_path, files, "--classes", tmp_path / "classes.txt")
    assert code == 2 and "'truck', which is not among the 9" in err


def test_a_file_a_set_in_folders_of_models_takes_a_pattern(run, tmp_path):
    files = write(tmp_path, lambda p, m, s: np.save(_folder(tmp_path / "all" / m) / f"{s}.npy",
                                                    P[s][m]))  # fmt: skip
    whole = tmp_path / "all"
    code, _, err = _analyze(run, tmp_path, files, original=whole, new=whole)
    assert code == 2 and "say which" in err and "/*/new.npy" in err
    code, value, _ = _analyze(run, tmp_path, files, original=whole / "*" / "old.npy",
                              new=whole / "*" / "new.npy")  # fmt: skip
    assert code == 0
    _check(value)


@pytest.mark.parametrize(
    ("each", "reason", "kind"),
    [
        (lambda p, m, s: np.save(p / f"{m}.npy", 1 * (P[s][m] == LABELS[s])),
         "0 and 1", "no_classes"),
        (lambda p, m, s: (p / f"{m}.csv").write_text(
            rows(("id", "first", "second", "note"), range(SIZES[s]), P[s][m], P[s][m],
                 ["x"] * SIZES[s])), "which of its columns", "unreadable"),
        (lambda p, m, s: np.savez(p / f"{m}.npz", a=P[s][m], b=P[s][m]),
         "which of its arrays", "unreadable"),
        (lambda p, m, s: np.save(p / f"{m}.npy", logits(P[s][m])[:, :7]),
         "7 scores an item", "wrong_shape"),
        (lambda p, m, s: (p / f"{m}.json").write_text(json.dumps(
            {IDS[s][i]: int(P[s][m][i])
             for i in np.random.default_rng(len(m)).permutation(SIZES[s])})),
         "different orders", "unordered"),
    ],
    ids=["flags", "columns", "arrays", "few scores", "orders"],
)  # fmt: skip
def test_what_might_mean_two_things_is_left_out(run, tmp_path, each, reason, kind):
    files = write(tmp_path, each)
    code, value, _ = _analyze(run, tmp_path, files)
    assert code == 3 and not value["models"]
    assert {item["kind"] for item in value["excluded"]} == {kind}
    assert all(reason in item["reason"] for item in value["excluded"])
