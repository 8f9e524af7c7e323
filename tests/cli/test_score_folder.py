"""`replicate score folder`, `worker`, `compare`; what they write is read by `analyze`."""

import json
import subprocess
import sys

import numpy as np
import pytest
from support.command import environment
from support.photo_folder import photo_folder

TINY = "py:support.tiny_models:"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    return photo_folder(folder / "old", 40), photo_folder(folder / "new", 40, seed=9)


def _words(data, output, *models):
    given = [word for model in models for word in ("--models", f"{TINY}{model}")]
    return ("score", "folder", *given, "--data", data, "--output", output)


def test_the_document(run, photos, tmp_path):
    words = _words(photos[0], tmp_path, "build?seed=1", "build?seed=2")
    code, value, err = run(*words)
    assert code == 0, err
    assert (value["set"], value["n"]) == ("old", 40)
    row = value["models"][0]
    assert row["ok"] and row["n"] == 40 and row["ci"][0] < row["accuracy"] < row["ci"][1]
    assert row["precision"] == "fp32" and row["preprocessing"].startswith("rgb@1+short28-")
    assert row["scored_now"] == 40
    assert run(*words)[1]["models"][0]["scored_now"] == 0
    assert "old: 40 images" in run(*words, as_json=False)[1]


def test_failures_end_with_3_and_say_why(run, photos, tmp_path):
    code, value, _ = run(*_words(photos[0], tmp_path, "raises", "build"))
    assert code == 3
    assert [row["ok"] for row in value["models"]] == [False, True]
    assert "no such layer" in value["models"][0]["message"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--models", "small:linear-s0"), "replicate train"),
        (("--class-map", "gone.csv"), "no class map"),
        (("--labels", "gone.csv"), "gone.csv"),
        (("--precision", "tf32"), "CUDA"),
        (("--models", "nothing"), "scheme"),
    ],
)
def test_what_cannot_be_done_is_said(run, photos, tmp_path, more, word):
    code, _, err = run(*_words(photos[0], tmp_path, "build"), *more)
    assert code == 2 and word in err, err


def test_folders_of_numbers_need_a_map_and_the_usual_fault_is_named(run, tmp_path):
    photo_folder(tmp_path / "p", 12, classes=3)
    for i in range(3):
        (tmp_path / "p" / f"class{i}").rename(tmp_path / "p" / str(i))
    code, value, _ = run(*_words(tmp_path / "p", tmp_path / "out", "build?classes=3"))
    assert code == 3 and value["models"][0]["reason"] == "class_map"
    mapping = tmp_path / "map.csv"
    mapping.write_text("".join(f"class{i},{i}\n" for i in range(3)))
    words = _words(tmp_path / "p", tmp_path / "out", "build?classes=3")
    code, value, err = run(*words, "--class-map", mapping)
    assert code == 0, err
    assert value["models"][0]["n"] == 12


def test_a_precision_flips_few_and_compare_counts_them(run, photos, tmp_path):
    words = _words(photos[0], tmp_path / "a", "build?seed=1", "build?seed=2")
    run(*words)
    run(*_words(photos[0], tmp_path / "b", "build?seed=1", "build?seed=2"), "--precision", "bf16")
    code, value, err = run("score", "compare", tmp_path / "a" / "old", tmp_path / "b" / "old")
    assert code == 0, err
    assert len(value["models"]) == 2
    row = value["models"][0]
    assert row["n"] == 40 and 0 <= row["flips"] <= 10 and row["largest_change"] > 0
    assert [way["precision"] for way in row["ways"]] == ["fp32", "bf16"]
    file = next((tmp_path / "a" / "old").glob("*.arrow"))
    assert run("score", "compare", file, file)[1]["models"][0]["flips"] == 0
    assert run("score", "compare", file, tmp_path / "b" / "old")[0] == 2
    assert run("score", "compare", tmp_path, tmp_path / "b" / "old")[0] == 2


def test_analyze_reads_what_was_scored(run, photos, tmp_path):
    models = [f"build?seed={i}" for i in range(4)]
    for data in photos:
        run(*_words(data, tmp_path, *models))
    labels = {name: next((tmp_path / name).glob("*.arrow")) for name in ("old", "new")}
    code, value, err = run(
        "analyze", "--original", tmp_path / "old", "--labels-original", labels["old"],
        "--new", f"v2={tmp_path / 'new'}", "--labels-new", f"v2={labels['new']}",
        "--resamples", 50,
    )  # fmt: skip
    assert code in (0, 3), err
    scored = run(*_words(photos[1], tmp_path, *models))[1]["models"]
    expected = {row["model"]: row["correct"] for row in scored}
    found = {m["name"]: m["sets"]["v2"]["correct"] for m in value["models"] if "v2" in m["sets"]}
    left = {item["model"] for item in value["excluded"]}
    assert {**found, **{m: expected[m] for m in left}} == expected


def test_workers_take_a_job_from_a_queue(run, photos, tmp_path):
    queue = tmp_path / "queue"
    words = _words(photos[0], tmp_path / "out", "build?seed=1", "build?seed=2")
    code, value, err = run(*words, "--queue", queue)
    assert code == 0, err
    command = [
        sys.executable,
        "-m",
        "replicate",
        "score",
        "worker",
        "--queue",
        str(queue),
        "--json",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(PYTHONPATH="tests")
    )
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert [row["scored_now"] for row in again["models"]] == [0, 0]
    assert [row["path"] for row in again["models"]] == [row["path"] for row in value["models"]]
    code, _, err = run("score", "worker", "--queue", tmp_path / "gone")
    assert code == 2 and "score folder" in err


def test_published_predictions_are_scored_shown_and_checked(run, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = np.repeat(np.arange(4), 10)
    folder = tmp_path / "pub" / "old"
    folder.mkdir(parents=True)
    for i, wrong in enumerate((4, 8, 12)):
        np.save(folder / f"m{i}.npy", np.where(np.arange(40) < wrong, (labels + 1) % 4, labels))
    np.save(folder / "m3.npy", np.stack([(labels + 1) % 4, (labels + 2) % 4, labels], 1))
    words = ("score", "folder", "--models", "predictions:pub", "--data", photos[0],
             "--output", "out")  # fmt: skip
    code, value, err = run(*words)
    assert code == 3, err
    rows = {row["model"]: row for row in value["models"]}
    assert [rows[f"predictions:pub/m{i}"]["correct"] for i in range(3)] == [36, 32, 28]
    assert rows["predictions:pub/m3"]["reason"] == "worst_first"
    code, value, err = run(*words, "--repair", "columns")
    assert code == 0, err
    assert value["models"][3]["correct"] == 40 and "repaired" in value["warnings"][0]
    assert "m3 was repaired" in err
    shown = run("models", "show", "predictions:pub/m3")[1]["models"][0]
    assert shown["sets"]["old"]["n"] == 40 and shown["sets"]["old"]["columns"] == 3
    (folder / "m0.npy").write_text("broken")
    code, value, _ = run("models", "check", "predictions:pub")
    assert code == 3 and [row["ok"] for row in value["models"]] == [False, True, True, True]
    assert len(run("models", "list", "predictions:pub")[1]["models"]) == 4
    compared = run("score", "compare", "out/old", "out/old")[1]["models"]
    assert all(row["flips"] == 0 and row["largest_change"] is None for row in compared)
    code, value, _ = run("features", "--models", "predictions:pub/m1", "--data", photos[0],
                         "--output", "f")  # fmt: skip
    assert code == 3 and "only as predictions" in value["models"][0]["reason"]


def test_a_control_shows_what_re_encoding_alone_moves(run, photos, tmp_path):
    words = (*_words(photos[0], tmp_path, "build?seed=1", "raises"), "--control", "reencoded")
    code, value, err = run(*words, "--control", "png@1")
    assert code == 3, err
    coded, png = value["controls"]
    assert (coded["set"], coded["of"]) == ("old-reencoded", "old")
    assert coded["steps"] == ["longer-500@1", "jpeg-q90@1"]
    row, plain = coded["models"][0], value["models"][0]
    assert row["n"] == 40 and row["path"] != plain["path"] and row["flips"] < 20
    assert row["difference"] == pytest.approx(row["accuracy"] - plain["accuracy"])
    assert row["only_control"] - row["only_original"] == row["correct"] - plain["correct"]
    # Other bytes of the same pixels: not one prediction may change.
    assert png["models"][0]["flips"] == 0 and png["set"] == "old-png@1"
    assert coded["models"][1]["reason"] == "bad_model"
    text = run(*words, as_json=False)[1]
    assert "old-reencoded (longer-500@1, jpeg-q90@1) beside old" in text and "points" in text
    code, _, err = run(*_words(photos[0], tmp_path, "build"), "--control", "jpg-q90@1")
    assert code == 2 and "jpeg-q" in err
    code, _, err = run(*_words(photos[0], tmp_path, "build"), "--workers", 2)
    assert code == 2 and "--executor ray" in err
