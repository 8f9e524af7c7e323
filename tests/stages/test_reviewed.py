"""What reviews keep out of sets: what is excluded, and what was not looked at far enough."""

from pathlib import Path

from sqlalchemy import insert, select
from support.reviews import NOW, members, review_study

from replicate.stages.reviewed import BEYOND_HORIZON, left_out
from replicate.store.reviews import Given, add_review, add_verdict
from replicate.store.tables import DedupDecision, DuplicatePair
from replicate.study import open_study


def test_excluded_images_and_candidates_within_the_horizon_stay_out(tmp_path: Path) -> None:
    study = review_study(tmp_path / "study")
    there = members(study)
    with study.session() as session:
        pool = [{"image_id": i, "class_id": c, "keep": True} for i, c in there]
        session.execute(insert(DedupDecision), pool)
        add_review(session, there[5], Given("ada", "exclude", NOW, ("not_a_photo",)), "matched", 1)
        pairs = {
            row.candidate_id: (row.pixel_distance, (row.reference_id, row.candidate_id))
            for row in session.scalars(select(DuplicatePair))
        }
        # The candidates' pairs are 0, 0.1, 0.2 and 0.3 away; the nearest one was looked at.
        add_verdict(session, pairs[there[0][0]][1], Given("ada", "different", NOW))
        assert left_out(session, study) == {there[5]: "review_not_a_photo"}
    study.close()
    path = study.root / "pipeline.toml"
    for horizon, short in ((0.15, [1]), (0.25, [1, 2]), (1.0, [1, 2, 3])):
        text = path.read_text().partition("\n[review]")[0]
        path.write_text(f"{text}\n[review]\nhorizon = {horizon}\n")
        changed = open_study(study.root)
        with changed.session() as session:
            found = left_out(session, changed)
        assert found.pop(there[5]) == "review_not_a_photo"
        assert found == {there[n]: BEYOND_HORIZON for n in short}
        changed.close()
    # Two people are wanted: one is not enough for anything.
    path.write_text(path.read_text() + "reviewers = 2\n")
    changed = open_study(study.root)
    with changed.session() as session:
        assert left_out(session, changed) == {there[n]: BEYOND_HORIZON for n in range(4)}
    changed.close()
