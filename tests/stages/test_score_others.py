"""Models of every scheme in a study's score stage: kept, counted, resumed, never mixed."""

import numpy as np
import pytest
from sqlalchemy import select
from stages.scoring import context_of, draw
from stages.scoring_others import (
    FILE,
    GOOD,
    ONNX,
    PY,
    SMALL,
    WORSE,
    changed,
    digest,
    files,
    others_study,
    rows,
    tally_of,
)
from support import digit_models
from support.digit_models import VIEW, write_onnx

from replicate.base.errors import GuardError, MissingError, UsageError
from replicate.stages.report import report
from replicate.stages.report_scores import read_scores, score_rows
from replicate.stages.score_options import ways
from replicate.stages.score_sets import sets_to_score
from replicate.store.queries import set_names
from replicate.store.tables import Model, SetImage
from replicate.zoo.pixels import reference_rgb
from replicate.zoo.prediction_files import read
from replicate.zoo.schemes import ModelOptions, open_model
from replicate.zoo.tensors import standardised
from replicate.zoo.views import cut


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    root = tmp_path_factory.mktemp("others") / "study"
    study = others_study(root, (GOOD, SMALL, WORSE, FILE, ONNX))
    return study, tally_of(study)


def test_models_of_every_scheme_are_scored_on_every_set(scored):
    study, tally = scored
    assert (tally.done, tally.skipped, dict(tally.failed)) == (15, 0, {})
    assert tally.details["models"] == 5
    families = {row.name: (row.family, row.status) for row in rows(study, Model)}
    assert families[GOOD] == ("nearest", "ok") and families[ONNX] == ("nearest-onnx", "ok")
    assert families[FILE] == ("nearest", "ok") and families[SMALL][1] == "ok"
    accuracy = {row.model: row.correct / row.n for row in rows(study) if row.set_name == "original"}
    assert accuracy[GOOD] > 0.85 and accuracy[GOOD] > accuracy[WORSE]


def test_counts_are_those_of_the_plain_way(scored):
    study, _ = scored
    with study.session() as session:
        sets = {each.name: each for each in sets_to_score(session, study).sets}
    for row in rows(study):
        if row.model == SMALL:
            continue
        model = open_model(row.model, ModelOptions(root=study.root))
        target, view = sets[row.set_name], model.description.view
        views = np.stack([cut(reference_rgb(study.prepared.get(b)), view) for b in target.blobs])
        best = model.module(standardised(views, model.description.mean, model.description.std))
        right = [str(int(i)) for i in best.argmax(dim=1)]
        assert row.correct == sum(
            a == member.class_id for a, member in zip(right, target.members, strict=True)
        )
        assert row.n == len(target.members)
        assert (row.set_digest, row.precision) == (target.digest, "fp32")
        found = read(study.root / row.path)
        assert row.preprocessing == found.header["depends_on"]["preprocessing"]
        assert row.weights_digest == model.weights_digest == found.header["depends_on"]["weights"]
        assert row.predictions_digest == found.digest


def test_the_report_shows_them_like_small_ones(scored):
    study, _ = scored
    assert report(context_of(study)).tally.details["left_out"] == []
    table = (study.report_dir / "tables" / "accuracy.csv").read_text()
    for row in rows(study):
        if row.set_name != "original":
            assert any(
                line.startswith(f"{row.set_name},") and f",{row.correct},{row.n}," in line
                and row.model in line
                for line in table.splitlines()
            )  # fmt: skip
    page = (study.report_dir / "report.html").read_text()
    assert GOOD in page and "nearest-onnx" in page


def test_again_does_nothing(scored):
    study, _ = scored
    before, predictions = files(study), digest(study)
    tally = tally_of(study)
    assert (tally.done, tally.skipped, dict(tally.failed)) == (0, 15, {})
    assert (files(study), digest(study)) == (before, predictions) and len(before) == 12


def test_a_new_set_and_a_new_model_are_all_that_is_done(tmp_path):
    study = others_study(tmp_path / "study", (GOOD,))
    tally_of(study)
    draw(study, "uniform", "test-rest", slice(2, 5))
    assert (tally_of(study).done, len(files(study))) == (1, 4)
    draw(study, "top", "test-rest", slice(1, 4), revision=2)
    assert tally_of(study).done == 1
    study = changed(study.root, "", (f'"{GOOD}"', f'"{GOOD}", "{ONNX}"'))
    tally = tally_of(study)
    assert (tally.done, tally.skipped) == (4, 4)


def test_no_train_set_is_needed_where_nothing_is_trained(tmp_path):
    others_study(tmp_path / "study", (GOOD,)).close()
    study = changed(tmp_path / "study", "", ('train = "digits:train"', ""))
    assert tally_of(study).done == 3
    assert report(context_of(study)).tally.done == 1


def test_a_set_that_is_not_frozen_is_seen_by_no_model(tmp_path):
    study = others_study(tmp_path / "study", (GOOD,))
    draw(study, "uniform", "test-rest", slice(0, 2), frozen=False)
    with pytest.raises(GuardError, match="uniform"):
        tally_of(study)
    assert not rows(study, Model) and not files(study)
    assert tally_of(study, exploratory=True).done == 4
    assert {row.set_name for row in rows(study) if row.exploratory} == {"uniform"}


def test_every_model_fails_by_itself_and_is_tried_again_on_request(tmp_path, monkeypatch):
    bad = (f"{PY}breaking", f"{PY}nowhere", "onnx:gone.onnx", f"{PY}nearest?order=012345678")
    study = others_study(tmp_path / "study", (*bad, GOOD))
    tally = tally_of(study)
    reasons = {"model_failed": 3, "not_here": 6, "class_map": 3}
    assert (tally.done, dict(tally.failed)) == (3, reasons)
    assert sum("failed on original, test-rest, top" in note for note in tally.notes) == 4
    status = {row.name: (row.status, row.reason) for row in rows(study, Model)}
    assert status[bad[0]] == ("failed", "model_failed") and status[GOOD] == ("ok", None)
    # What failed is not tried again unasked; what was only missing is.
    again = tally_of(study)
    assert (again.done, again.skipped, dict(again.failed)) == (0, 9, {"not_here": 6})
    report(context_of(study))
    page = (study.report_dir / "report.html").read_text()
    assert bad[0] in page and bad[2] in page
    (study.root / "nearest.onnx").rename(study.root / "gone.onnx")
    (study.root / "nearest.json").rename(study.root / "gone.json")
    monkeypatch.setattr(digit_models, "breaking", digit_models.nearest)
    assert dict(tally_of(study).failed) == {"not_here": 3}
    tally = tally_of(study, retry_failed=True, retry_reason="model_failed")
    assert (tally.done, tally.skipped, dict(tally.failed)) == (3, 9, {"not_here": 3})
    assert dict(tally_of(study, retry_failed=True).failed) == {"class_map": 3, "not_here": 3}
    # What failed is forgotten once it is named no more.
    study = changed(study.root, "", (f'"{bad[1]}", ', ""), (f'"{bad[3]}", ', ""))
    assert not tally_of(study).failed
    assert {row.model for row in rows(study)} == {bad[0], bad[2], GOOD}
    assert bad[1] not in {row.name for row in rows(study, Model)}


def test_what_was_scored_stays_true_where_the_weights_are_not(tmp_path):
    study = others_study(tmp_path / "study", (ONNX,))
    tally_of(study)
    (study.root / "nearest.onnx").unlink()
    before = digest(study)
    tally = tally_of(study)
    assert (tally.done, tally.skipped, dict(tally.failed)) == (0, 3, {})
    assert digest(study) == before


def test_other_weights_are_scored_anew_and_the_old_forgotten(tmp_path):
    study = others_study(tmp_path / "study", (ONNX, GOOD))
    tally_of(study)
    before = {(row.model, row.set_name): row for row in rows(study)}
    write_onnx(study.root / "nearest.onnx", 0.9)
    tally = tally_of(study)
    assert (tally.done, tally.skipped) == (3, 3)
    after = {(row.model, row.set_name): row for row in rows(study)}
    assert len(after) == 6
    for key, row in after.items():
        assert (row.weights_digest == before[key].weights_digest) == (key[0] == GOOD)


def test_precisions_lie_side_by_side_and_are_never_mixed(tmp_path):
    study = others_study(tmp_path / "study", (GOOD, WORSE))
    tally_of(study)
    study = changed(study.root, 'precision = "bf16"')

    def shown():
        with study.session() as session:
            sets = sets_to_score(session, study).sets
            return score_rows(session, study, sets)

    assert not shown().paths
    assert {item.reason for item in shown().exclusions} == {"not_scored"}
    with pytest.raises(MissingError, match="No model has been scored"):
        report(context_of(study))
    assert tally_of(study).done == 6
    assert {row.precision for row in rows(study)} == {"fp32", "bf16"} and len(rows(study)) == 12
    bf16 = {row.path for row in rows(study) if row.precision == "bf16"}
    assert set(shown().paths.values()) == bf16
    study = changed(study.root, "", ('precision = "bf16"', ""))
    assert tally_of(study).skipped == 6


def test_outputs_are_read_by_ids_names_and_class_maps(tmp_path):
    named = f"{PY}nearest?known=names&order=9876543210"
    mixed = f"{PY}nearest?known=nothing&order=1032547698"
    keys = f'class_map = {{ "{mixed}" = "mixed.csv" }}'
    study = others_study(tmp_path / "study", (GOOD, named, mixed), keys)
    pairs = "".join(f"{i},{digit}\n" for i, digit in enumerate("1032547698"))
    (study.root / "mixed.csv").write_text(f"output,class\n{pairs}")
    assert tally_of(study).done == 9
    with study.session() as session:
        sets = sets_to_score(session, study)
        found = score_rows(session, study, sets.all)
    infos = dict.fromkeys(each.name for each in sets.all)
    for one in read_scores(study, sets, infos, found)[0]:
        assert one.correct.mean() > 0.8
        assert len({tuple(column) for column in one.correct.T.tolist()}) == 1


def test_a_set_of_some_classes_is_compared_with_these_of_the_original(tmp_path):
    study = others_study(tmp_path / "study", (GOOD, WORSE), "restrict = true")
    with study.session() as session:
        for row in session.scalars(select(SetImage).where(SetImage.set_name == "test-rest")):
            row.status = "ok" if row.class_id in "14" else "failed"
    assert tally_of(study).done == 8
    parts = {row.set_name: row for row in rows(study) if row.model == WORSE}
    part = next(name for name in parts if name.startswith("original@"))
    assert (parts["original"].n, parts[part].n, parts["test-rest"].n) == (120, 24, 10)
    # Of all outputs, those of 1 and 4 alone compete.
    model = open_model(WORSE)
    with study.session() as session:
        target = sets_to_score(session, study).subsets["test-rest"]
    views = np.stack([cut(reference_rgb(study.prepared.get(b)), VIEW) for b in target.blobs])
    scores = model.module(standardised(views, (0.0,) * 3, (1.0,) * 3))[:, [1, 4]]
    best = [("1", "4")[i] for i in scores.argmax(dim=1).tolist()]
    right = sum(a == m.class_id for a, m in zip(best, target.members, strict=True))
    assert parts[part].correct == right > parts["original"].correct * 24 / 120
    assert report(context_of(study)).tally.details["left_out"] == []
    lines = (study.report_dir / "tables" / "accuracy.csv").read_text().splitlines()
    assert [f",{right},24," in line for line in lines if WORSE in line] == [False, True]
    assert "2 classes" in (study.report_dir / "report.html").read_text()
    assert tally_of(study).skipped == 8
    study = changed(study.root, "", (f'"{GOOD}"', f'"{GOOD}", "{SMALL}"'))
    with pytest.raises(UsageError, match="restrict"):
        tally_of(study)


def test_the_original_put_through_something_else_is_a_control(tmp_path):
    keys = 'controls = ["reencoded", "jpeg-q5@1"]'
    study = others_study(tmp_path / "study", (GOOD, SMALL, WORSE), keys)
    assert tally_of(study).done == 15
    by_set = {(row.model, row.set_name): row for row in rows(study)}
    for name in (GOOD, SMALL):
        plain, mild, harsh = (
            by_set[name, f"original{end}"] for end in ("", "-reencoded", "-jpeg-q5@1")
        )
        assert abs(plain.correct - mild.correct) <= 3 < plain.correct - harsh.correct
        assert len({plain.set_digest, mild.set_digest, harsh.set_digest}) == 3
        assert plain.n == mild.n == 120
    assert report(context_of(study)).tally.details["left_out"] == []
    page = (study.report_dir / "report.html").read_text()
    assert "original-reencoded" in page and "after longer-500@1, jpeg-q90@1" in page
    assert tally_of(study).skipped == 15
    study = changed(study.root, "", ("jpeg-q5@1", "jpg-q5@1"))
    with pytest.raises(UsageError, match="no control 'jpg-q5@1'"):
        tally_of(study)


def test_another_class_map_is_another_reading_and_the_old_is_forgotten(tmp_path):
    name = f"{PY}nearest?known=nothing"
    study = others_study(tmp_path / "study", (name,), 'class_map = "map.csv"')
    right = "".join(f"{i},{i}\n" for i in range(10))
    (study.root / "map.csv").write_text("".join(f"{i},{(i + 1) % 10}\n" for i in range(10)))
    tally = tally_of(study)
    assert any("class order" in note and name in note for note in tally.notes)
    (study.root / "map.csv").write_text(right)
    tally = tally_of(study)
    assert (tally.done, tally.notes) == (3, ["Not drawn, so not scored: uniform."])
    assert len(rows(study)) == 3 and all(row.correct > 0.8 * row.n for row in rows(study))
    # Another reading that says the same loses nothing.
    (study.root / "map.csv").write_text(right + "nothing,0\n")
    draw(study, "uniform", "test-rest", slice(2, 5))
    tally_of(study)
    (study.root / "map.csv").write_text(right)
    assert tally_of(study).done and len(rows(study)) == 4
    assert tally_of(study).skipped == 4


def test_published_predictions_stand_beside_models(tmp_path):
    study = others_study(tmp_path / "study", (GOOD, "predictions:published"))
    with study.session() as session:
        sets = sets_to_score(session, study).sets
        names = set_names(session, "original")
    for each in sets:
        folder = study.root / "published" / each.name
        folder.mkdir(parents=True)
        truth = np.array([int(member.class_id) for member in each.members])
        wrong = np.where(np.arange(truth.size) % 4 == 0, (truth + 3) % 10, truth)
        if each.name == "original":  # by name, in another order
            lines = [f"{names[m]},{c}" for m, c in zip(each.members, wrong, strict=True)]
            (folder / "old.csv").write_text("item,prediction\n" + "\n".join(reversed(lines)))
        else:
            np.save(folder / "old.npy", wrong)
    tally = tally_of(study)
    assert (tally.done, dict(tally.failed)) == (6, {})
    name = "predictions:published/old"
    shown = {row.set_name: row for row in rows(study) if row.model == name}
    for each in sets:
        n = len(each.members)
        assert (shown[each.name].correct, shown[each.name].n) == (n - -(-n // 4), n)
    assert tally_of(study).skipped == 6
    assert report(context_of(study)).tally.details["left_out"] == []
    assert name in (study.report_dir / "report.html").read_text()
    # Another file of predictions is another.
    np.save(study.root / "published" / "top" / "old.npy", np.zeros(30, np.int64))
    tally_of(study)
    again = {row.set_name: row for row in rows(study) if row.model == name}
    assert again["original"].path == shown["original"].path
    assert again["top"].path != shown["top"].path


def test_what_the_pipeline_names_must_be_there(tmp_path):
    study = others_study(tmp_path / "study", (GOOD,), 'class_map = "gone.csv"')
    with pytest.raises(MissingError, match=r"gone\.csv"):
        tally_of(study)
    study = changed(study.root, "", ('"gone.csv"', '{ "timm:*" = "x.csv" }'))
    with pytest.raises(UsageError, match="none of the models"):
        tally_of(study)
    study = changed(study.root, "", ('class_map = { "timm:*" = "x.csv" }', 'precision = "tf32"'))
    with pytest.raises(UsageError, match="tf32"):
        tally_of(study)
    study = changed(study.root, "", ('precision = "tf32"', ""), (GOOD, "tim:resnet50"))
    assert dict(tally_of(study).failed) == {"not_here": 3}
    study = changed(study.root, "", ("tim:resnet50", "pz:*"))
    with pytest.raises(UsageError, match="no models of the scheme"):
        tally_of(study)


def test_lost_and_broken_images_are_said(tmp_path):
    study = others_study(tmp_path / "study", (GOOD,))
    with study.session() as session:
        blob = sets_to_score(session, study).sets[0].blobs[0]
    path = study.prepared.path(blob)
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(MissingError, match="1 images of the set 'original' are gone"):
        tally_of(study)
    path.write_bytes(b"no image")
    with pytest.raises(UsageError, match="cannot be decoded"):
        tally_of(study)
    assert not rows(study)
    path.write_bytes(whole)
    assert tally_of(study).done == 3
    path.unlink()  # what was scored needs no image
    assert tally_of(study).skipped == 3


def test_zero_shot_models_are_told_what_the_classes_are_called(tmp_path):
    keys = 'class_names = { "3" = "a three" }\ntemplates = ["{} on paper", "a scan of {}"]'
    study = others_study(tmp_path / "study", (GOOD,), keys)
    clip = "open_clip:ViT-B-32/laion2b_s34b_b79k"
    plain, zero_shot = ways(study, [GOOD, clip])
    assert (plain.models, plain.options.class_names) == ((GOOD,), ())
    options = zero_shot.options
    assert options.class_ids == tuple("0123456789") and options.root == study.root
    assert options.class_names[2:4] == ("the digit 2", "a three")
    assert options.templates == ("{} on paper", "a scan of {}")
    assert plain.digest != zero_shot.digest
    study = changed(study.root, "", ('{ "3" = "a three" }', '"names.csv"'))
    (study.root / "names.csv").write_text("9,a nine\n10,a ten\n")
    with pytest.raises(UsageError, match="no class of this study"):
        ways(study, [clip])
    (study.root / "names.csv").write_text("9\ta nine\n")
    assert ways(study, [clip])[0].options.class_names[9] == "a nine"


def test_a_card_that_says_something_else_is_another_way_to_score(tmp_path):
    study = others_study(tmp_path / "study", (ONNX,))
    tally_of(study)
    card = study.root / "nearest.json"
    card.write_text(card.read_text().replace('"mean": [', '"mean": [0.5, 0.5, 0.5], "was": ['))
    tally = tally_of(study)
    assert (tally.done, tally.skipped, len(rows(study))) == (3, 0, 3)
    assert tally_of(study).skipped == 3
