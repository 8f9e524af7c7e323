"""`replicate analyze` on folders as people publish them: read liberally, reported exactly."""

import numpy as np
import pytest
from support.published import LABELS, MODELS, command, predicted, write


@pytest.fixture
def two(tmp_path):
    old = write(tmp_path / "old")
    new = write(tmp_path / "new", 0.1, seed=50)
    return command(tmp_path, old, new)


def test_the_document_of_the_contract(run, two, tmp_path):
    code, value, err = run(*two)
    assert code == 0, err
    assert [m["name"] for m in value["models"]] == sorted(MODELS)
    item = value["models"][0]["sets"]["original"]
    right = int((np.load(tmp_path / "old" / "alexnet.npy") == LABELS).sum())
    assert (item["n"], item["correct"], item["accuracy"]) == (300, right, right / 300)
    assert item["ci"][0] < item["accuracy"] < item["ci"][1]
    (pair,) = value["pairs"]
    assert (pair["original"], pair["new"], pair["n_models"], pair["n_baseline"]) == (
        "original", "v2", 5, 5,
    )  # fmt: skip
    for scale in ("linear", "probit", "logit"):
        fit = pair["fits"][scale]
        assert {"slope", "intercept", "r2", "ci"} <= set(fit)
        for kind in ("models", "images", "both"):
            assert fit["ci"][kind][0] < fit["slope"] < fit["ci"][kind][1]
    assert set(pair["inversions"]) >= {"pairs", "inverted", "resolved"}
    assert set(pair["effective_robustness"]) == set(MODELS)
    assert value["excluded"] == []
    assert 1 <= value["effective_number_of_models"] <= 5
    assert value["similarity"]["v2"]["agreement"] > 0


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(run, two):
    first, again = run(*two)[1], run(*two)[1]
    assert first == again
    assert run(*two, "--seed", 2)[1] != first


def test_text_for_people(run, two):
    code, text, _ = run(*two, as_json=False)
    assert code == 0
    assert "v2 beside original: 5 models" in text
    assert "straightest" in text and "resolved" in text


def test_worst_first_is_left_out_and_named_or_repaired(run, tmp_path):
    def turned(name, values):
        return values[:, ::-1] if name == "vgg16" else values

    old = write(tmp_path / "old", k=5)
    new = write(tmp_path / "new", 0.1, k=5, seed=50, change=turned)
    words = command(tmp_path, old, new)
    code, value, err = run(*words)
    assert code == 3
    assert "vgg16" in err
    (item,) = value["excluded"]
    assert (item["model"], item["set"]) == ("vgg16", "v2")
    assert "worst_first" in item["reason"] and "%" in item["reason"]
    assert value["pairs"][0]["n_models"] == 4
    assert "vgg16" not in {m["name"] for m in value["models"]}
    code, value, _ = run(*words, "--repair", "columns")
    assert code == 0
    assert value["excluded"] == [] and value["pairs"][0]["n_models"] == 5
    assert value["repaired"][0]["model"] == "vgg16"
    model = next(m for m in value["models"] if m["name"] == "vgg16")
    assert model["sets"]["v2"]["accuracy"] > 0.5


def _shifted(name, values):
    return values + 1 if name == "vgg16" else values


def _short(name, values):
    return values[:-1] if name == "vgg16" else values


def _random(name, values):
    return np.random.default_rng(9).integers(0, 10, values.shape) if name == "vgg16" else values


def _outside(name, values):
    return np.where(np.arange(300)[:, None] == 3, 57, values) if name == "vgg16" else values


def _negative(name, values):
    return np.where(np.arange(300)[:, None] == 3, -1, values) if name == "vgg16" else values


def _copied(name, values):
    return predicted(0.6 - 0.1, 50) if name == "vgg16" else values


@pytest.mark.parametrize(
    ("change", "reason", "evidence"),
    [
        (_shifted, "off_by_one", "-1"),
        (_short, "wrong_length", "299 predictions for 300 labels"),
        (_random, "near_chance", "median"),
        (_outside, "out_of_range", "57"),
        (_negative, "out_of_range", "-1"),
    ],
)
def test_faults_are_left_out_with_evidence(run, tmp_path, change, reason, evidence):
    old = write(tmp_path / "old")
    new = write(tmp_path / "new", 0.1, seed=50, change=change)
    code, value, _ = run(*command(tmp_path, old, new))
    assert code == 3
    (item,) = value["excluded"]
    assert (item["model"], item["set"], item["kind"]) == ("vgg16", "v2", reason)
    assert evidence in item["reason"]
    assert value["pairs"][0]["n_models"] == 4


def test_one_file_under_two_names_is_left_out(run, tmp_path):
    old = write(tmp_path / "old")
    new = write(tmp_path / "new", 0.1, seed=50)
    for side in ("old", "new"):
        np.save(tmp_path / side / "zz_copy.npy", np.load(tmp_path / side / "vgg16.npy"))
    code, value, _ = run(*command(tmp_path, old, new))
    assert code == 3
    assert {(e["model"], e["kind"]) for e in value["excluded"]} == {("zz_copy", "duplicate")}


def test_labels_that_count_from_one(run, tmp_path):
    old = write(tmp_path / "old")
    new = write(tmp_path / "new", 0.1, seed=50)
    np.save(new, LABELS + 1)
    code, value, _ = run(*command(tmp_path, old, new))
    assert code == 3
    assert {e["kind"] for e in value["excluded"]} == {"off_by_one"}
    assert any("count from 1" in text for text in value["warnings"])
    code, value, _ = run(*command(tmp_path, old, new), "--repair", "offset")
    assert code == 0 and value["pairs"][0]["n_models"] == 5


def test_class_folders_sorted_as_text(run, tmp_path):
    labels = np.arange(2000) % 100
    order = np.array(sorted(range(100), key=str))
    place = np.argsort(order)

    def as_text(name, values):
        return place[values]

    for name, change in (("old", None), ("new", as_text)):
        folder = tmp_path / name
        folder.mkdir()
        for i, (model, accuracy) in enumerate(MODELS.items()):
            right = np.random.default_rng(i).random(2000) < accuracy
            values = np.where(right, labels, (labels + 7) % 100)
            np.save(folder / f"{model}.npy", change(model, values) if change else values)
        np.save(tmp_path / f"{name}_labels.npy", labels)
    code, value, _ = run(
        *command(tmp_path, tmp_path / "old_labels.npy", tmp_path / "new_labels.npy")
    )
    assert code == 3
    assert {e["kind"] for e in value["excluded"]} == {"class_order"}
    assert all("sorted as text" in e["reason"] for e in value["excluded"])


def test_labels_out_of_range_are_refused_with_their_place(run, tmp_path):
    old = write(tmp_path / "old")
    new = write(tmp_path / "new", 0.1, seed=50)
    labels = LABELS.copy()
    labels[17] = 12
    np.save(new, labels)
    code, value, err = run(*command(tmp_path, old, new))
    assert code == 2 and value["exit_code"] == 2
    assert "12 at item 17" in err
    np.save(new, np.where(np.arange(300) == 4, -1, LABELS))
    code, _, err = run(*command(tmp_path, old, new))
    assert code == 2 and "-1 at item 4" in err


def test_names_that_differ_in_spelling_and_names_that_do_not_match(run, tmp_path):
    old = write(tmp_path / "old")
    spelled = {"AlexNet_predictions": 0.6, "ResNet-50": 0.7, "VGG_16": 0.75, "ViT-B": 0.8,
               "wrn": 0.9}  # fmt: skip
    new = write(tmp_path / "new", 0.1, models=spelled, seed=50)
    words = command(tmp_path, old, new)
    code, value, _ = run(*words)
    assert code == 3
    assert value["pairs"][0]["n_models"] == 4
    assert {(e["model"], e["set"], e["kind"]) for e in value["excluded"]} == {
        ("wrn", "v2", "unmatched"),
        ("wide-resnet", "v2", "unmatched"),
    }
    assert any("ResNet-50" in text and "resnet_50" in text for text in value["warnings"])
    assert value["respelled"]["v2"]["ViT-B"] == "vit_b"
    code, value, _ = run(*words, "--rename", "wrn=wide-resnet")
    assert code == 0 and value["pairs"][0]["n_models"] == 5


def test_a_baseline_and_effective_robustness_with_each_model_left_out(run, two, tmp_path):
    (tmp_path / "baseline.txt").write_text("AlexNet\nresnet-50\nvgg16\n\nvit_b\n")
    code, value, err = run(*two, "--baseline", tmp_path / "baseline.txt", "--scale", "linear")
    assert code == 0, err
    (pair,) = value["pairs"]
    assert (pair["n_models"], pair["n_baseline"]) == (5, 4)
    points = {
        m["name"]: [m["sets"][s]["accuracy"] for s in ("original", "v2")] for m in value["models"]
    }
    for model, item in pair["effective_robustness"].items():
        others = [points[n] for n in points if n not in (model, "wide-resnet")]
        slope, intercept = np.polyfit(*np.array(others).T, 1)
        x, y = points[model]
        assert item["rho"] == pytest.approx(y - slope * x - intercept, abs=1e-9)
        assert item["ci"][0] < item["ci"][1]
    (tmp_path / "baseline.txt").write_text("nobody\n")
    code, _, err = run(*two, "--baseline", tmp_path / "baseline.txt")
    assert code == 2 and "baseline" in err


def test_equivalence_pairs_groups_and_humans(run, two, tmp_path):
    np.savetxt(tmp_path / "groups.txt", np.arange(300) // 10, fmt="%d")
    np.savetxt(tmp_path / "pairs.txt", np.arange(300)[::-1], fmt="%d")
    code, value, err = run(
        *two, "--margin", 30, "--pairs", tmp_path / "pairs.txt",
        "--groups", f"v2={tmp_path / 'groups.txt'}", "--human", "vit*",
    )  # fmt: skip
    assert code == 0, err
    (pair,) = value["pairs"]
    assert pair["equivalence"]["equivalent"] is True
    assert (pair["n_models"], pair["humans"]) == (4, ["vit_b"])
    assert pair["paired"]["n"] == 300
    old, new = (np.load(tmp_path / side / "vgg16.npy") for side in ("old", "new"))
    gap = (old[::-1] == LABELS[::-1]).mean() - (new == LABELS).mean()
    assert pair["paired"]["models"]["vgg16"]["gap"] == pytest.approx(gap)
    code, _, err = run(*two, "--groups", tmp_path / "groups.txt")
    assert code == 2 and "--groups NAME=" in err


def test_classes_dates_and_two_shifts(run, two, tmp_path):
    other = write(tmp_path / "other", 0.2, seed=90)
    (tmp_path / "dates.csv").write_text(
        "model,date\nAlexNet,2012\nvgg-16,2014-09-04\nresnet_50,2015-12\nvit_b,2020-10\n"
    )
    code, value, err = run(
        *two, "--new", f"v3={tmp_path / 'other'}", "--labels-new", f"v3={other}",
        "--dates", tmp_path / "dates.csv",
    )  # fmt: skip
    assert code == 0, err
    pair = value["pairs"][0]
    assert {c["class"] for c in pair["classes"]} == set(range(10))
    assert sum(c["n_new"] for c in pair["classes"]) == 300
    assert pair["trend"]["n"] == 4
    assert value["shifts"][0]["sets"] == ["v2", "v3"] and value["shifts"][0]["n_models"] == 5
    (tmp_path / "dates.csv").write_text("alexnet,2012\nvgg16,soon\n")
    code, _, err = run(*two, "--dates", tmp_path / "dates.csv")
    assert code == 2 and "soon" in err


# Degenerate input


@pytest.mark.parametrize("count", [1, 2])
def test_few_models(run, tmp_path, count):
    models = dict(list(MODELS.items())[:count])
    old = write(tmp_path / "old", models=models)
    new = write(tmp_path / "new", 0.1, models=models, seed=50)
    code, value, _ = run(*command(tmp_path, old, new))
    (pair,) = value["pairs"]
    assert code == 0 and pair["n_models"] == count
    assert pair["mean_drop"] is not None and value["warnings"]
    if count == 1:
        assert pair["fits"] == {"linear": None, "probit": None, "logit": None}
        assert pair["spearman"] is None and pair["kendall_tau_b"] is None
        assert pair["inversions"]["pairs"] == 0
    else:
        assert pair["fits"]["linear"]["ci"]["models"] is None
        assert pair["effective_robustness"]["alexnet"]["rho"] is None


def test_equal_accuracies(run, tmp_path):
    def same(name, values):
        return predicted(0.8, 3)

    old, new = (write(tmp_path / side, change=same) for side in ("old", "new"))
    code, value, _ = run(*command(tmp_path, old, new))
    assert code in (0, 3)
    (pair,) = value["pairs"]
    assert pair["fits"]["linear"] is None and pair["spearman"] is None
    assert pair["inversions"]["inverted"] == 0
    assert value["warnings"]


@pytest.mark.parametrize("extreme", [0, 1])
def test_accuracies_of_zero_and_one(run, tmp_path, extreme):
    def pushed(name, values):
        if name == "vgg16":
            return (LABELS if extreme else (LABELS + 3) % 10)[:, None]
        return values

    old = write(tmp_path / "old", change=pushed)
    new = write(tmp_path / "new", 0.1, seed=50, change=pushed)
    code, value, _ = run(*command(tmp_path, old, new))
    model = {m["name"]: m for m in value["models"]}.get("vgg16")
    if model is None:  # never right where others are: left out, with the evidence
        assert extreme == 0 and code == 3
    else:
        assert model["sets"]["v2"]["accuracy"] == extreme
        assert value["pairs"][0]["fits"]["logit"]["n_clipped"] == 1
        assert any("half an item" in text for text in value["warnings"])


def test_one_item(run, tmp_path):
    labels = np.array([3])
    old = write(tmp_path / "old", labels=labels)
    new = write(tmp_path / "new", labels=labels, seed=50)
    code, value, _ = run(*command(tmp_path, old, new))
    assert code == 0
    assert value["models"][0]["sets"]["v2"]["n"] == 1
    # One item resampled is always itself: that is no certainty, so there is no interval.
    assert value["pairs"][0]["mean_drop_ci"]["images"] is None


def test_an_empty_folder_and_things_that_are_not_there(run, two, tmp_path):
    (tmp_path / "empty").mkdir()
    words = [tmp_path / "empty" if w == tmp_path / "old" else w for w in two]
    code, value, err = run(*words)
    assert code == 2 and "no predictions" in err and value["exit_code"] == 2
    words = [tmp_path / "nowhere" if w == tmp_path / "old" else w for w in two]
    assert run(*words)[0] == 2
    code, _, err = run("analyze")
    assert code == 2 and "original" in err
    code, _, err = run("analyze", "--original", tmp_path / "old")
    assert code == 2 and "--labels-original" in err
    assert run(*two, "--labels-new", "v3=x")[0] == 2


# Tables


def test_classes_that_are_text(run, tmp_path):
    names = np.array([f"n{i:08d}" for i in range(10)])

    def named(name, values):
        return names[values]

    old = write(tmp_path / "old", change=named)
    new = write(tmp_path / "new", 0.1, seed=50, change=named)
    np.save(old, names[LABELS])
    code, value, err = run(*command(tmp_path, old, new))
    assert code == 2 and "numbers and others are text" in err
    np.save(new, names[LABELS])
    code, value, err = run(*command(tmp_path, old, new))
    assert code == 0, err
    assert value["pairs"][0]["classes"][0]["class"] in names
    assert value["models"][0]["sets"]["original"]["accuracy"] > 0.5


def test_items_by_name_in_another_order(run, tmp_path):
    old = write(tmp_path / "old")
    (tmp_path / "new").mkdir()
    order = np.random.default_rng(0).permutation(300)
    rows = [f"img_{i:03d}.png {LABELS[i]}" for i in range(300)]
    (tmp_path / "labels.txt").write_text("\n".join(rows))
    for i, (name, accuracy) in enumerate(MODELS.items()):
        values = predicted(accuracy - 0.1, i)[:, 0]
        lines = [f"img_{j:03d}.png,{values[j]}" for j in order]
        (tmp_path / "new" / f"{name}.csv").write_text("image,prediction\n" + "\n".join(lines))
    code, value, err = run(*command(tmp_path, old, tmp_path / "labels.txt"))
    assert code == 0, err
    expected = (predicted(0.5, 0)[:, 0] == LABELS).mean()
    assert value["models"][0]["sets"]["v2"]["accuracy"] == pytest.approx(expected)


def test_columns_that_are_not_sorted_are_left_out(run, tmp_path):
    def by_class(name, values):
        return np.sort(values, axis=1) if name == "vgg16" else values

    old = write(tmp_path / "old", k=5)
    new = write(tmp_path / "new", 0.1, k=5, seed=50, change=by_class)
    code, value, _ = run(*command(tmp_path, old, new), "--repair", "columns")
    assert code == 3
    assert [(e["model"], e["set"]) for e in value["excluded"]] == [("vgg16", "v2")]


def test_a_whole_folder_stored_worst_first(run, tmp_path):
    old = write(tmp_path / "old", k=5)
    new = write(tmp_path / "new", 0.1, k=5, seed=50, change=lambda name, values: values[:, ::-1])
    code, value, _ = run(*command(tmp_path, old, new))
    assert code == 3
    assert {e["model"] for e in value["excluded"]} == set(MODELS)
    assert value["pairs"][0]["n_models"] == 0 and value["pairs"][0]["mean_drop"] is None
    assert any("--repair columns" in text for text in value["warnings"])
    code, value, _ = run(*command(tmp_path, old, new), "--repair", "columns", "--top", 5)
    assert code == 0 and value["pairs"][0]["n_models"] == 5
