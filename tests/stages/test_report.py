"""The report stage: it shows what the store holds, once, and again only when that changes."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from sqlalchemy import select, update
from stages.scoring import context_of, draw, make_study
from support.frozen import unguarded

from replicate.base.errors import MissingError
from replicate.base.files import read_json
from replicate.stages.report import report
from replicate.stages.report_material import funnel, labelling, samples
from replicate.stages.score import score
from replicate.store import queries
from replicate.store.queries import Member, frequencies, set_members
from replicate.store.tables import (
    Assignment,
    Candidate,
    DedupDecision,
    Hit,
    Image,
    Prediction,
    PreparedImage,
    Query,
    Rule,
    Run,
    TestSet,
    Vote,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    study = make_study(tmp_path_factory.mktemp("report") / "study")
    score(context_of(study))
    yield study
    study.close()


def _page(study):
    return (study.report_dir / "report.html").read_text(encoding="utf-8")


def test_the_counts_shown_are_the_counts_stored(scored):
    result = report(context_of(scored))
    assert result.tally.done == 1
    page = _page(scored)
    with scored.session() as session:
        rows = session.scalars(select(Prediction).where(Prediction.status == "ok")).all()
        digest = session.scalar(select(TestSet.digest).where(TestSet.name == "top"))
    assert len(rows) == 9
    table = (scored.report_dir / "tables" / "accuracy.csv").read_text(encoding="utf-8")
    for row in rows:
        assert row.model in page
        if row.set_name != "original":
            assert f"{row.set_name}," in table
            assert any(
                line.startswith(f"{row.set_name},")
                and f",{row.model}," in line
                and f",{row.correct},{row.n}," in line
                for line in table.splitlines()
            )
    assert digest in page
    assert scored.loaded.text.strip().splitlines()[0] in page


def test_a_second_report_does_nothing_and_a_change_makes_a_new_one(scored):
    report(context_of(scored))
    before = (scored.report_dir / "report.html").stat().st_mtime_ns
    again = report(context_of(scored))
    assert (again.tally.done, again.tally.skipped) == (0, 1)
    assert (scored.report_dir / "report.html").stat().st_mtime_ns == before
    (scored.report_dir / "tables" / "sets.csv").unlink()
    assert report(context_of(scored)).tally.done == 1
    draw(scored, "uniform", "test-rest", slice(3, 5))
    assert report(context_of(scored)).tally.done == 1
    assert "not scored" in _page(scored)
    score(context_of(scored))
    assert report(context_of(scored)).tally.done == 1
    assert "accuracy-uniform" in _page(scored)
    assert report(context_of(scored)).tally.skipped == 1


def test_nothing_scored_is_told_with_the_command_to_run(tmp_path):
    study = make_study(tmp_path / "study")
    with pytest.raises(MissingError) as error:
        report(context_of(study))
    assert "replicate score" in error.value.hint
    assert not study.report_dir.exists()
    study.close()


def test_damaged_predictions_are_named(tmp_path):
    study = make_study(tmp_path / "study", models=("small:linear-s0",))
    score(context_of(study))
    with study.session() as session:
        path = session.scalar(select(Prediction.path).where(Prediction.set_name == "top"))
    (study.root / path).write_bytes(b"not an archive")
    with pytest.raises(MissingError, match="cannot be read"):
        report(context_of(study))
    study.close()


def test_exploratory_predictions_make_the_report_say_so(tmp_path):
    study = make_study(tmp_path / "study", models=("small:linear-s0",))
    draw(study, "uniform", "test-rest", slice(3, 5), frozen=False)
    score(context_of(study, exploratory=True))
    report(context_of(study))
    assert "<strong>Exploratory.</strong>" in _page(study)
    study.close()


# What follows builds candidates and votes by hand: nine candidates and their known fates.


def _candidates(study, files):
    """Rows of nine candidates; ``files`` are images that are there and prepared."""
    fates = ["ok"] * 6 + ["timeout", "timeout", "found"]
    with study.session() as session:
        session.add(
            Run(
                stage="gather",
                versions={},
                seed=7,
                pipeline_digest="",
                started_at=NOW,
                status="done",
                failed={},
                details={},
            )
        )
        session.flush()
        run_id = session.scalars(select(Run.run_id)).first()
        session.add(
            Query(
                query_id="q",
                source="folder",
                class_id="0",
                term="x",
                page=1,
                fetched=9,
                new=9,
                run_id=run_id,
            )
        )
        session.add(Image(image_id="f" * 64, width=8, height=8, n_bytes=1))
        session.flush()
        session.add(
            PreparedImage(image_id="f" * 64, steps=study.steps, status="failed", reason="no_ink")
        )
        # Files 0 and 1 are one file under two ids; the sixth cannot be prepared.
        images = [files[0], files[0], files[1], files[2], files[3], "f" * 64, None, None, None]
        for i, (fate, image) in enumerate(zip(fates, images, strict=True)):
            session.add(
                Candidate(
                    source="folder",
                    source_id=str(i),
                    class_id="0",
                    position=i,
                    query_id="q",
                    url="u",
                    status=fate if fate in ("ok", "found") else "failed",
                    reason=fate if fate == "timeout" else None,
                    image_id=image,
                )
            )
        session.flush()
        for i, image in enumerate(files[:4]):
            drop = i == 3
            session.add(
                DedupDecision(
                    image_id=image,
                    class_id="0",
                    keep=not drop,
                    reason="duplicate_of_reference" if drop else None,
                )
            )


def _votes(study, counts, workers=10):
    """Votes of some workers on images of class 0: image to how many of them select it."""
    with study.session() as session:
        for name, value in (("min_controls", 1), ("min_control_accuracy", 0.5)):
            session.merge(Rule(name=name, value=value))
        session.add(
            Hit(
                hit_key="h",
                class_id="0",
                number=0,
                assignments=workers,
                reward="0.10",
                hit_id="H",
                status="complete",
            )
        )
        session.flush()
        for w in range(workers):
            session.add(
                Assignment(
                    assignment_id=f"a{w}",
                    hit_key="h",
                    worker_id=f"w{w}",
                    status="Approved",
                    answer="{}",
                    simulated=False,
                )
            )
            session.flush()
            for i, (image, selected) in enumerate(counts.items()):
                session.add(
                    Vote(
                        assignment_id=f"a{w}",
                        slot=f"i{i:02d}",
                        image_id=image,
                        class_id="0",
                        worker_id=f"w{w}",
                        role="candidate",
                        value="yes" if w < selected else "no",
                    )
                )


@pytest.fixture
def voted(tmp_path):
    study = make_study(tmp_path / "study")
    with study.session() as session:
        zeros = [m.image_id for m in set_members(session, "test-rest") if m.class_id == "0"]
        original = [m.image_id for m in set_members(session, "original") if m.class_id == "0"]
        heldout = {"original": 0.9, "new": 0.8, "difference": 0.1, "se": 0.02}
        with unguarded(session):
            session.execute(update(TestSet).values(match={"heldout": heldout}))
    _candidates(study, zeros)
    _votes(study, {zeros[0]: 10, zeros[1]: 1, original[0]: 10, original[1]: 7})
    yield study, zeros, original
    study.close()


def test_the_funnel_accounts_for_every_candidate(voted):
    study, _, _ = voted
    with study.session() as session:
        votes = {Member(f.image_id, f.class_id): f for f in frequencies(session)}
        drawn = [queries.members_of_test_set(session, "top", 1)]
        steps = funnel(session, study, votes, drawn)
    assert [(step.left, dict(step.lost)) for step in steps] == [
        (9, {}),
        (6, {"timeout": 2, "not_tried": 1}),
        (5, {"same_file": 1}),
        (4, {"no_ink": 1}),
        (3, {"duplicate_of_reference": 1}),
        (2, {"too_few_votes": 1}),
        (2, {}),
    ]
    for before, after in pairwise(steps):
        assert before.left - sum(after.lost.values()) == after.left


def test_labelling_counts_people_votes_and_rewards(voted):
    study, _, _ = voted
    with study.session() as session:
        votes = {Member(f.image_id, f.class_id): f for f in frequencies(session)}
        found = labelling(session, votes)
    assert (found.hits, found.assignments, found.workers) == (1, 10, 10)
    assert (found.votes, found.flagged, found.unreadable) == (40, 0, 0)
    assert found.cost == "$1.00"
    assert found.control_accuracy is None  # there were no controls
    assert 0 < found.icc < 1


def test_samples_lie_in_the_bin_of_their_frequency(voted):
    study, zeros, original = voted
    with study.session() as session:
        votes = {Member(f.image_id, f.class_id): f for f in frequencies(session)}
        members = set_members(session, "original")
        displays = {image: image for image in [*zeros, *original]}
    # The display copies are the files themselves here.
    for image in original[:2]:
        study.displays.put(study.images.get(image))
    found = samples(study, "original", members, votes, displays)
    by_label = {strip.label: strip for strip in found.strips}
    assert list(by_label) == ["0.8–1.0", "0.6–0.8", "0.4–0.6", "0.2–0.4", "0.0–0.2"]
    assert [(i.selected, i.shown) for i in by_label["0.8–1.0"].images] == [(10, 10)]
    assert [(i.selected, i.shown) for i in by_label["0.6–0.8"].images] == [(7, 10)]
    assert by_label["0.8–1.0"].images[0].data == study.images.get(original[0])


def test_the_whole_report_of_people_names_no_simulation(voted):
    study, _, _ = voted
    score(context_of(study))
    report(context_of(study))
    page = _page(study)
    assert "imulated" not in page
    assert "10.0" in page and "6.1 to 13.9" in page  # the held-out difference ± 1.96 × 0.02
    assert "duplicate of reference" in page
    index = read_json(study.report_dir / "report.json")
    assert "figures/funnel.svg" in index["files"]
    assert "figures/frequencies-candidates.svg" in index["files"]
    counts = np.loadtxt(
        study.report_dir / "tables" / "frequencies.csv",
        delimiter=",",
        skiprows=1,
        usecols=(2, 3, 4),
        ndmin=2,
    )
    assert (counts[:, 1] == 10).all()
