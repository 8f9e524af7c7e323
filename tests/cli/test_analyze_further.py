"""`replicate analyze`: families, interventions, kinds of shift, subgroups, votes, transfer."""

import numpy as np
import pytest
from support.published import LABELS, MODELS, command, table, write

NAMES = tuple(MODELS)


@pytest.fixture
def two(tmp_path):
    return command(tmp_path, write(tmp_path / "old"), write(tmp_path / "new", 0.1, seed=50))


def test_what_is_not_given_is_not_asked(run, two):
    _, value, _ = run(*two)
    pair = value["pairs"][0]
    assert (pair["families"], pair["relative_robustness"], pair["subgroups"]) == ({}, [], [])
    assert pair["adjusted"] is None and value["transfer"] is None and value["cross_sets"] is None
    assert value["kinds"] == [] and value["by_frequency"] == {}
    assert set(value["reuse"]) == {"original", "v2"}
    assert value["reuse"]["v2"]["single"] < value["reuse"]["v2"]["fixed"]


def test_families_and_interventions_are_matched_by_name(run, two, tmp_path):
    families = tmp_path / "families.csv"
    families.write_text("model,family\nAlexNet,old\nresnet-50,res\nvgg16,old\nvit_b,vit\n")
    standards = tmp_path / "standards.csv"
    standards.write_text("wide_resnet,resnet_50\n")
    code, value, err = run(*two, "--families", families, "--standards", standards)
    assert code == 0, err
    pair = value["pairs"][0]
    line = pair["families"]["logit"]
    assert (line["n_families"], line["sizes"]) == (3, {"old": 2, "res": 1, "vit": 1})
    assert line["ci"] is None and set(line["without"]) == {"old", "res", "vit"}
    (item,) = pair["relative_robustness"]
    assert (item["model"], item["standard"]) == ("wide-resnet", "resnet_50")
    sets = {m["name"]: m["sets"]["v2"]["accuracy"] for m in value["models"]}
    assert item["tau"] == pytest.approx(sets["wide-resnet"] - sets["resnet_50"])
    assert item["ci"][0] < item["tau"] < item["ci"][1]


def test_subgroups_and_votes_belong_to_the_items(run, two, tmp_path):
    groups = tmp_path / "sub.npy"
    np.save(groups, np.arange(300) % 3)
    rng = np.random.default_rng(0)
    votes = []
    for name in ("original", "v2"):
        shown = np.full(300, 10)
        path = table(tmp_path / f"{name}.csv", ("selected", "shown"),
                     zip(rng.binomial(10, rng.beta(4, 1, 300)), shown, strict=True))  # fmt: skip
        votes += ["--frequencies", f"{name}={path}"]
    words = (*two, "--subgroups", f"original={groups}", "--subgroups", f"v2={groups}", *votes)
    code, value, err = run(*words)
    assert code == 0, err
    pair = value["pairs"][0]
    assert sorted(row["class"] for row in pair["subgroups"]) == [0, 1, 2]
    assert sum(row["n_new"] for row in pair["subgroups"]) == 300
    found = pair["adjusted"]
    assert found["raw"]["gap"] == pytest.approx(pair["mean_drop"])
    assert found["recommended"] in found["estimators"]
    bins = value["by_frequency"]["v2"]["bins"]
    assert sum(row["n"] for row in bins) == 300
    assert 0.7 < value["by_frequency"]["v2"]["mean_frequency"] < 0.9
    text = run(*words, as_json=False)[1]
    assert "Sets by their mean selection frequency" in text


def test_the_mean_over_classes_counts_rare_classes_as_much(run, tmp_path):
    labels = np.concatenate([np.zeros(270, int), np.repeat(np.arange(1, 4), 10)])

    def rare_is_hard(name, values):
        return np.where(labels[:, None] == 0, values, 0)  # never right on the rare classes

    old = write(tmp_path / "old", labels=labels, change=rare_is_hard)
    new = write(tmp_path / "new", 0.1, labels=labels, seed=50, change=rare_is_hard)
    code, value, err = run(*command(tmp_path, old, new), "--metric", "mean-per-class")
    assert code == 0, err
    predictions = np.load(tmp_path / "new" / "vit_b.npy")
    expected = (predictions[:270] == 0).mean() / 4
    item = next(m for m in value["models"] if m["name"] == "vit_b")["sets"]["v2"]
    assert item["accuracy"] == pytest.approx(expected)
    assert item["correct"] is None and item["ci"][0] < expected < item["ci"][1]
    # Only the frequent class varies, and counts a quarter: a binomial's interval a quarter as wide.
    wide = 2 * 1.96 * np.sqrt(4 * expected * (1 - 4 * expected) / 270) / 4
    assert item["ci"][1] - item["ci"][0] == pytest.approx(wide, rel=0.25)


def test_tasks_training_sets_and_kinds_of_shift(run, tmp_path):
    rng = np.random.default_rng(1)
    names = [f"m{i}" for i in range(8)]
    base = np.linspace(0.55, 0.9, 8)
    rows = [
        (m, s, f"{np.clip(base[i] - drop + 0.02 * rng.normal(), 0, 1):.3f}", 1000)
        for s, drop in (("A", 0), ("B", 0.1), ("blur", 0.2), ("noise", 0.25))
        for i, m in enumerate(names)
    ]
    path = table(tmp_path / "t.csv", ("model", "test_set", "score", "n"), rows)
    kinds = tmp_path / "kinds.csv"
    kinds.write_text("B,natural,benign\nblur,synthetic,benign\nnoise,synthetic,adversarial\n")
    trained = tmp_path / "trained.csv"
    trained.write_text("".join(f"{m},{'A' if i < 4 else 'B'}\n" for i, m in enumerate(names)))
    words = ("analyze", path, "--original", "A", "--resamples", 200, "--tasks",
             "--kinds", kinds, "--trained-on", trained)  # fmt: skip
    code, value, err = run(*words)
    assert code == 0, err
    assert [row["kinds"] for row in value["kinds"]] == [
        ["natural", "synthetic"], ["adversarial", "benign"],
    ]  # fmt: skip
    assert value["kinds"][0]["n_shifts"] == [1, 2]
    cross = value["cross_sets"]
    assert cross["trained"] == ["A", "B"] and cross["tested"] == ["A", "B", "blur", "noise"]
    by_hand = np.mean([float(row[2]) for row in rows if row[1] == "A" and row[0] in names[:4]])
    assert cross["accuracy"][0][0] == pytest.approx(by_hand) == cross["own"]["A"]
    assert value["transfer"]["n_models"] == 8 and value["transfer"]["pearson"] > 0.9
    code, text, _ = run(*words, as_json=False)
    assert "Transfer from A" in text and "Kinds of shift" in text


def test_the_page_has_the_answers(run, two, tmp_path):
    families = tmp_path / "f.csv"
    families.write_text("alexnet,a\nvgg16,b\nvit_b,c\n")
    page = tmp_path / "out.html"
    code, _, err = run(*two, "--families", families, "--report", page)
    assert code == 0, err
    text = page.read_text()
    assert "Families of models on v2" in text and "What reuse of a test set can have done" in text
    assert (tmp_path / "out_files" / "families-v2.csv").read_text().startswith("scale,slope")
    assert (tmp_path / "out_files" / "reuse.tex").exists()


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("--families", "nobody,x\n", "None of the models"),
        ("--families", "alexnet\n", "model,family"),
        ("--families", "", "is empty"),
        ("--standards", "alexnet,resnet_500\n", "standard model"),
        ("--kinds", "v3,natural\n", "The new sets are: v2"),
        ("--frequencies", "selected,shown\n3,2\n", "0 ≤ selected ≤ shown"),
        ("--frequencies", "selected,shown\n1,2\n", "no set has that many items"),
        ("--frequencies", "a,b\n1,2\n", "no columns selected and shown"),
        ("--frequencies", "selected,shown\nx,2\n", "no count"),
    ],
)
def test_files_that_cannot_be_used_say_what_they_should_hold(
    run, two, tmp_path, option, content, words
):
    path = tmp_path / "given.csv"
    path.write_text(content)
    code, _, err = run(*two, option, path)
    assert code == 2
    assert words in err
    assert run(*two, option, tmp_path / "gone.csv")[0] == 2


def test_options_that_contradict_each_other(run, two, tmp_path):
    groups = tmp_path / "g.npy"
    np.save(groups, np.arange(300) // 3)
    assert len(LABELS) == 300 and len(NAMES) == 5
    code, _, err = run(*two, "--metric", "mean-per-class", "--groups", f"v2={groups}")
    assert code == 2 and "without --groups" in err
    code, _, err = run(*two, "--same-classes", "--subgroups", f"v2={groups}")
    assert code == 2 and "that are left" in err
