import itertools
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from sqlalchemy import select
from stages.scoring import MODELS, context_of, draw, make_study

from replicate.base.errors import GuardError, ItemError, MissingError, UsageError
from replicate.stages.score import score
from replicate.stages.score_sets import load_pixels, sets_to_score
from replicate.store.queries import predictions_digest
from replicate.store.tables import Model, Prediction, SetImage
from replicate.study import open_study
from replicate.zoo import work
from replicate.zoo.predictions import count, read


def _digest(study):
    with study.session() as session:
        return predictions_digest(session)


def _rows(study, table):
    with study.session() as session:
        return list(session.scalars(select(table)))


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    study = make_study(tmp_path_factory.mktemp("score") / "study")
    return study, score(context_of(study)).tally


def test_every_model_is_scored_on_every_set(scored):
    study, tally = scored
    assert (tally.done, tally.skipped, dict(tally.failed)) == (9, 0, {})
    assert tally.details["trained"] == 3
    assert [row.status for row in _rows(study, Model)] == ["ok"] * 3
    pairs = {(row.model, row.set_name) for row in _rows(study, Prediction)}
    assert pairs == {(m, s) for m in MODELS for s in ("original", "test-rest", "top")}
    assert tally.notes == ["Not drawn, so not scored: uniform."]


def test_counts_and_digests_are_those_of_the_files(scored):
    study, _ = scored
    with study.session() as session:
        sets = {each.name: each for each in sets_to_score(session, study).sets}
    for row in _rows(study, Prediction):
        target = sets[row.set_name]
        predictions = read(study.root / row.path)
        labels = np.array([int(member.class_id) for member in target.members])
        counts = count(predictions, labels)
        assert (row.n, row.correct) == (counts.n, counts.top1) == (len(labels), row.correct)
        assert row.predictions_digest == predictions.digest
        assert row.set_digest == target.digest
        assert not row.exploratory
        assert row.correct > 0.4 * row.n


def test_again_does_nothing_and_needs_no_torch(scored):
    study, _ = scored
    tally = score(context_of(study)).tally
    assert (tally.done, tally.skipped) == (0, 9)
    code = (
        "import sys; from pathlib import Path\n"
        "from replicate.study import open_study\n"
        "from replicate.stages.common import Context\n"
        "from replicate.stages.score import score\n"
        "score(Context(open_study(Path(sys.argv[1])), None))\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(study.root)], check=True)


def test_a_new_set_and_a_new_model_are_all_that_is_done(tmp_path):
    study = make_study(tmp_path / "study", MODELS[:2])
    score(context_of(study))
    draw(study, "uniform", "test-rest", slice(2, 5))
    tally = score(context_of(study)).tally
    assert (tally.done, tally.skipped, tally.details["trained"]) == (2, 6, 0)
    file = study.root / "pipeline.toml"
    file.write_text(file.read_text().replace(MODELS[0], f'{MODELS[0]}", "{MODELS[2]}'))
    study = open_study(study.root)
    tally = score(context_of(study)).tally
    assert (tally.done, tally.skipped, tally.details["trained"]) == (4, 8, 1)
    whole = make_study(tmp_path / "whole")
    draw(whole, "uniform", "test-rest", slice(2, 5))
    score(context_of(whole))
    assert _digest(study) == _digest(whole)


def test_several_processes_give_the_same_files(scored, tmp_path, monkeypatch):
    study, _ = scored
    monkeypatch.setattr(work, "_MODELS_A_PROCESS", 1)
    monkeypatch.setattr(work, "usable_cores", lambda: 2)
    other = make_study(tmp_path / "study")
    assert score(context_of(other)).tally.done == 9
    for folder in ("models", "predictions"):
        one, two = (
            {p.relative_to(s.root): p.read_bytes() for p in (s.root / folder).rglob("*.npz")}
            for s in (study, other)
        )
        assert one == two
    assert _digest(study) == _digest(other)


def test_another_seed_gives_other_predictions(scored, tmp_path):
    other = make_study(tmp_path / "study", seed=8)
    score(context_of(other))
    assert _digest(other) != _digest(scored[0])


def test_lost_and_damaged_files_are_made_again(tmp_path):
    study = make_study(tmp_path / "study")
    score(context_of(study))
    before = _digest(study)
    weights = sorted(study.models_dir.rglob("*.npz"))
    weights[0].unlink()
    weights[1].write_bytes(b"half")
    files = sorted(study.predictions_dir.rglob("*.npz"))
    contents = [file.read_bytes() for file in files]
    files[0].unlink()
    files[5].unlink()
    score(context_of(study))
    assert [file.read_bytes() for file in files] == contents
    assert _digest(study) == before


def test_a_set_that_is_not_frozen_is_refused_unless_exploratory(tmp_path):
    study = make_study(tmp_path / "study", MODELS[:1])
    draw(study, "uniform", "test-rest", slice(0, 2), frozen=False)
    with pytest.raises(GuardError, match="uniform") as caught:
        score(context_of(study))
    assert "replicate sample freeze uniform" in caught.value.hint
    assert "--exploratory" in caught.value.hint
    assert not _rows(study, Model)
    assert score(context_of(study, exploratory=True)).tally.done == 4
    flags = {row.set_name: row.exploratory for row in _rows(study, Prediction)}
    assert flags == {"original": False, "test-rest": False, "top": False, "uniform": True}


def test_the_newest_revision_counts(tmp_path):
    study = make_study(tmp_path / "study", MODELS[:1])
    score(context_of(study))
    draw(study, "top", "test-rest", slice(1, 4), revision=2)
    tally = score(context_of(study)).tally
    assert (tally.done, tally.skipped) == (1, 2)


def test_a_model_that_fails_is_a_row_and_is_tried_again_on_request(tmp_path, monkeypatch):
    study = make_study(tmp_path / "study")
    real = work.train

    def breaks(spec, *rest):
        if spec.family == "rff":
            raise ItemError("diverged", "the training diverged")
        return real(spec, *rest)

    monkeypatch.setattr(work, "train", breaks)
    tally = score(context_of(study)).tally
    assert (tally.done, dict(tally.failed)) == (6, {"diverged": 3})
    failed = [row for row in _rows(study, Model) if row.status == "failed"]
    assert [(row.name, row.reason) for row in failed] == [("small:rff-w64-s0", "diverged")]
    monkeypatch.setattr(work, "train", real)
    assert score(context_of(study)).tally.skipped == 9
    assert score(context_of(study, retry_failed=True, retry_reason="other")).tally.done == 0
    assert score(context_of(study, retry_failed=True)).tally.done == 3
    assert {row.status for row in _rows(study, Model)} == {"ok"}


def test_a_broken_prediction_is_a_row_and_is_tried_again_on_request(tmp_path, monkeypatch):
    study = make_study(tmp_path / "study", MODELS[:1])
    real = work.score

    def breaks(spec, weights, images):
        if len(images) == 30:
            raise ItemError("not_finite")
        return real(spec, weights, images)

    monkeypatch.setattr(work, "score", breaks)
    tally = score(context_of(study)).tally
    assert (tally.done, dict(tally.failed)) == (2, {"not_finite": 1})
    monkeypatch.setattr(work, "score", real)
    assert score(context_of(study)).tally.skipped == 3
    assert score(context_of(study, retry_failed=True)).tally.done == 1
    assert {row.status for row in _rows(study, Prediction)} == {"ok"}


def test_wrong_class_order_raises_the_question(tmp_path):
    study = make_study(tmp_path / "study", MODELS[:1])
    with study.session() as session:
        for row in session.scalars(select(SetImage).where(SetImage.set_name == "train")):
            row.class_id = str((int(row.class_id) + 1) % 10)
    tally = score(context_of(study)).tally
    assert any("class order" in note for note in tally.notes)


def test_what_is_missing_is_said(tmp_path):
    study = make_study(tmp_path / "study", MODELS[:1])
    text = study.root.joinpath("pipeline.toml").read_text()

    def changed(old, new):
        (study.root / "pipeline.toml").write_text(text.replace(old, new))
        return context_of(open_study(study.root))

    with pytest.raises(MissingError, match="drawn"):
        score(changed('name = "top"', 'name = "other"'))
    with pytest.raises(MissingError, match="train set"):
        score(changed('train = "digits:train"', ""))
    with pytest.raises(MissingError, match="prepared") as caught:
        score(changed('name = "test-rest"', 'name = "another"'))
    assert "replicate prepare" in caught.value.hint
    with pytest.raises(UsageError, match="cuda"):
        score(changed("[report]", 'device = "cuda"\n[report]'))
    with pytest.raises(UsageError, match="small:nothing"):
        score(changed(MODELS[0], "small:nothing*"))


def test_lost_images_and_mixed_sizes_are_said(tmp_path):
    study = make_study(tmp_path / "study", MODELS[:1])
    with study.session() as session:
        target = sets_to_score(session, study).sets[0]
    path = study.prepared.path(target.blobs[0])
    path.write_bytes(b"no image")
    with pytest.raises(UsageError, match="cannot be decoded"):
        load_pixels(study, target)
    path.unlink()
    with pytest.raises(MissingError, match="gone"):
        score(context_of(study))


def _killed_after(study, files):
    """The stage in a process of its own that kills itself once it has written so many files.

    The process is a copy of this one, for torch is loaded here already.
    """
    study.close()
    process = os.fork()
    if process == 0:
        written = itertools.count(1)

        def then_die(save):
            def saved(*args):
                save(*args)
                if next(written) == files:
                    os.kill(os.getpid(), signal.SIGKILL)

            return saved

        try:  # nothing may bring the copy back into the tests
            work.save, work.save_weights = then_die(work.save), then_die(work.save_weights)
            score(context_of(open_study(study.root)))
        finally:
            os._exit(0)
    return process


@pytest.mark.parametrize("files", [1, 2, 5, 8, 11, 12])
def test_killed_and_carried_on_ends_in_the_same(scored, tmp_path, files):
    study = make_study(tmp_path / "study")
    process = _killed_after(study, files)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1])
    assert len(list(study.root.glob("*/**/*.npz"))) == files
    tally = score(context_of(study)).tally
    assert tally.done + tally.skipped == 9
    assert _digest(study) == _digest(scored[0])
