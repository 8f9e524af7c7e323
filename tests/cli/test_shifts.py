"""`replicate shifts`: from a folder to sets, their kinds, and the analysis of both."""

import numpy as np
import pytest
from support.photo_folder import photo_folder

from replicate.zoo.corruptions import CORRUPTIONS

TINY = "py:support.tiny_models:"


@pytest.fixture
def photos(tmp_path):
    return photo_folder(tmp_path / "val", 40)


def test_the_list_says_what_kind_each_is(run):
    rows = run("shifts", "list")[1]["shifts"]
    assert {row["name"] for row in rows if row["command"] == "corrupt"} == set(CORRUPTIONS)
    assert {(r["kind"], r["attribute"]) for r in rows} == {
        ("synthetic", "benign"), ("synthetic", "adversarial"), ("natural", "adversarial"),
    }  # fmt: skip
    assert "glass_blur" in run("shifts", "list", as_json=False)[1]


def test_corrupted_sets_are_scored_and_analysed_by_kind(run, photos, tmp_path):
    shifted = tmp_path / "shifted"
    words = ("shifts", "corrupt", "--data", photos, "--output", shifted, "--kind", "contrast",
             "--kind", "pixel*", "--severity", 4, "--size", 32)  # fmt: skip
    code, value, err = run(*words)
    assert code == 0, err
    assert [row["set"] for row in value["sets"]] == ["clean", "contrast-4", "pixelate-4"]
    assert all(row["made_now"] == 40 for row in value["sets"])
    assert all(row["made_now"] == 0 for row in run(*words)[1]["sets"])
    models = [word for i in range(6) for word in ("--models", f"{TINY}build?seed={i}")]
    out = tmp_path / "out"
    for row in value["sets"]:
        assert run("score", "folder", *models, "--data", row["folder"], "--output", out)[0] == 0
    label = next((out / "clean").glob("*.arrow"))
    news = [w for row in value["sets"][1:] for w in
            ("--new", f"{row['set']}={out / row['set']}", "--labels-new",
             f"{row['set']}={next((out / row['set']).glob('*.arrow'))}")]  # fmt: skip
    code, found, err = run("analyze", "--original", out / "clean", "--labels-original", label,
                           *news, "--kinds", value["kinds"], "--resamples", 50)  # fmt: skip
    assert code in (0, 3), err
    assert len(found["pairs"]) == 2
    code, found, err = run("analyze", "--original", out / "clean", "--labels-original", label,
                           *news[:4], "--kinds", value["kinds"], "--resamples", 50)  # fmt: skip
    assert code in (0, 3) and "not compared: pixelate-4" in err and len(found["pairs"]) == 1
    (photos / "class0" / "photo0000.jpg").write_bytes(b"broken")
    code, value, _ = run(*words[:4], "--output", tmp_path / "b", *words[6:])
    assert code == 3 and value["sets"][0]["failed_images"]
    code, _, err = run(*words, "--seed", 2)
    assert code == 2 and "made otherwise" in err
    code, _, err = run("shifts", "corrupt", "--data", photos, "--output", shifted, "--kind", "rain")
    assert code == 2 and "fog" in err


def test_attacks_are_scored_beside_the_sample_as_it_is(run, photos, tmp_path):
    words = ("shifts", "attack", "--models", f"{TINY}build?seed=1", "--models", f"{TINY}raises",
             "--data", photos, "--output", tmp_path / "a", "--sample", 20, "--steps", 3,
             "--epsilon", "16/255", "--epsilon", "0.5/255")  # fmt: skip
    code, value, err = run(*words)
    assert code == 3 and "no such layer" in value["models"][1]["reason"], err
    sets = value["models"][0]["sets"]
    plain, strong, weak = sets.values()
    assert next(iter(sets)) == "val-sample20" and value["n"] == 20
    assert strong["correct"] < plain["correct"] and strong["correct"] <= weak["correct"]
    kinds = (tmp_path / "a" / "shifts.csv").read_text().splitlines()
    assert kinds[0] == "set,kind,attribute" and len(kinds) == 3
    assert all(line.endswith("synthetic,adversarial") for line in kinds[1:])
    assert run(*words)[1] == value
    for more, word in ((("--epsilon", "two"), "no number"), (("--epsilon", "-1"), "no attack"),
                       (("--models", "tim:x"), "timm")):  # fmt: skip
        code, _, err = run(*words, *more)
        assert code == 2 and word in err


def test_frames_end_in_a_table_that_analyze_reads(run, photos, tmp_path):
    models = [word for i in range(5) for word in ("--models", f"{TINY}build?seed={i}")]
    run("score", "folder", *models, "--data", photos, "--output", tmp_path / "out")
    items = sorted(p.relative_to(photos).as_posix() for p in photos.glob("*/*.jpg"))
    rows = [f"{item},v{at // 5},{at}" for at, item in enumerate(items)]
    (tmp_path / "frames.csv").write_text("\n".join(["item,video,frame", *rows]))
    words = ("shifts", "frames", tmp_path / "out" / "val", "--frames", tmp_path / "frames.csv",
             "--k", 1, "--output", tmp_path / "pm1.csv")  # fmt: skip
    code, value, err = run(*words)
    assert code == 0, err
    assert (value["anchors"], value["videos"], len(value["models"])) == (40, 8, 5)
    assert all(r["pm_k"]["correct"] <= r["anchors"]["correct"] for r in value["models"])
    assert "% on all frames within 1" in run(*words, as_json=False)[1]
    code, found, err = run("analyze", tmp_path / "pm1.csv", "--original", "anchors",
                           "--resamples", 50)  # fmt: skip
    assert code == 0, err
    drops = [r["anchors"]["accuracy"] - r["pm_k"]["accuracy"] for r in value["models"]]
    assert found["pairs"][0]["mean_drop"] == pytest.approx(np.mean(drops))
    (tmp_path / "empty").mkdir()
    code, _, err = run("shifts", "frames", tmp_path / "empty", *words[3:])
    assert code == 2 and "score folder" in err
