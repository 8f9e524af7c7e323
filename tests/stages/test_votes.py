"""Votes from elsewhere into a study, and out of it again."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select
from support.annotators import small_study, with_simulated_vote
from support.command import replicate

from replicate.base.errors import GuardError
from replicate.base.tables import write_table
from replicate.crowd.imports import Imported, ImportedVote, read_imports
from replicate.stages.votes import export_votes, import_votes
from replicate.store import queries
from replicate.store.tables import Assignment, Batch, Hit, PreparedImage, SetImage, Vote
from replicate.study import Study


def _batch(study: Study, path: Path, workers: int = 3) -> Path:
    """An old batch of one page: two candidates, an original of the class, one of another."""
    with study.session() as session:
        candidates = [m.image_id for m in queries.pool(session) if m.class_id == "3"][:2]
        shown = {p.image_id: p.display_id for p in session.scalars(select(PreparedImage))}
        originals = {s.class_id: s.name for s in session.scalars(select(SetImage))}
    images = {
        "Input.image_1": f"https://old.example.org/img/{shown[candidates[0]]}.png?x=1",
        "Input.image_2": candidates[1],
        "Input.image_3": originals["3"],
        "Input.image_4": originals["8"],
    }
    rows = [
        {
            "HITId": "3OLD", "AssignmentId": f"3A{number}", "WorkerId": f"A{number}SECRET",
            "AssignmentStatus": "Rejected" if number == 2 else "Approved",
            "Input.class_id": "3", **images, "Answer.selected": "image_1|image_3",
        }
        for number in range(workers)
    ]  # fmt: skip
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_an_old_batch_counts_in_a_study_once(tmp_path):
    study = small_study(tmp_path)
    path = _batch(study, tmp_path / "old.csv")
    command = ("votes", "import", path, "--format", "mturk-csv", "-C", study.root, "--json")
    outcome = replicate(*command)
    assert outcome.code == 3, outcome.err
    found = outcome.json()
    assert (found["rows"], found["done"], found["votes"]) == (3, 2, 8)
    assert found["left_out"] == {"rejected": 1} and "old.csv, row 4" in outcome.err
    again = replicate(*command)
    assert (again.json()["done"], again.json()["skipped"]) == (0, 2)
    with study.session() as session:
        counts = {(f.selected, f.shown) for f in queries.frequencies(session)}
        roles = dict(session.execute(select(Vote.role, func.count()).group_by(Vote.role)).all())
        batch = session.scalars(select(Batch)).one()
        assert session.scalars(select(Hit.status)).all() == ["imported"]
        rows = session.scalars(select(Assignment)).all()
    assert counts == {(2, 2), (0, 2)}
    assert roles == {"candidate": 4, "positive": 2, "negative": 2}
    assert batch.mode == "imported at mturk-csv: people who worked elsewhere"
    assert (batch.hits, batch.assignments) == (1, 2)
    assert not any(row.simulated or "SECRET" in row.worker_id for row in rows)
    # what it shows is not published again, and nobody is asked for it
    plan = replicate("publish", "--plan", "-C", study.root, "--json").json()
    assert plan["roles"]["candidate"] == 24 - 2
    study.close()


def test_more_of_the_same_page_comes_later(tmp_path):
    study = small_study(tmp_path)
    one = read_imports([_batch(study, tmp_path / "1.csv", workers=1)], "mturk-csv")
    two = read_imports([_batch(study, tmp_path / "2.csv", workers=2)], "mturk-csv")
    assert import_votes(study, one, "mturk-csv").done == 1
    tally = import_votes(study, two, "mturk-csv")
    assert (tally.done, tally.skipped) == (1, 1)
    with study.session() as session:
        assert {f.shown for f in queries.frequencies(session)} == {2}
        assert session.scalars(select(Hit.assignments)).one() == 2
    study.close()


def test_images_and_classes_that_the_study_lacks(tmp_path):
    study = small_study(tmp_path)
    with study.session() as session:
        image = queries.pool(session)[0].image_id
    table = tmp_path / "votes.csv"
    table.write_text(
        "image_id,class_id,worker,vote\n"
        f"{image},3,w,yes\nnobody.jpg,3,w,yes\n{image},77,w,yes\n{image},3,v,no\n"
    )
    outcome = replicate("votes", "import", table, "--format", "csv", "-C", study.root, "--json")
    assert outcome.code == 3
    assert outcome.json()["left_out"] == {"unknown_class": 1, "unknown_image": 1}
    with study.session() as session:
        (found,) = queries.frequencies(session)
    assert (found.selected, found.shown) == (1, 2)
    study.close()


def test_simulated_and_imported_votes_are_not_mixed(tmp_path):
    study = with_simulated_vote(small_study(tmp_path))
    found = Imported(votes=[ImportedVote("a", "3", "w", "yes")])
    with pytest.raises(GuardError, match="simulated workers"):
        import_votes(study, found, "csv")
    study.close()


def test_export_writes_every_vote_and_can_be_read_again(tmp_path):
    study = small_study(tmp_path)
    found = read_imports([_batch(study, tmp_path / "old.csv")], "mturk-csv")
    import_votes(study, found, "mturk-csv")
    study.close()
    table = tmp_path / "votes.csv"
    outcome = replicate("votes", "export", table, "-C", study.root, "--json")
    assert outcome.code == 0, outcome.err
    frame = pd.read_csv(table, dtype={"class_id": str})
    assert len(frame) == outcome.json()["votes"] == outcome.json()["counted"] == 8
    assert not frame["simulated"].any()
    assert frame["worker"].str.fullmatch("[0-9a-f]{32}").all()
    assert set(frame["mode"]) == {"imported at mturk-csv: people who worked elsewhere"}
    again = read_imports([table], "csv")
    assert (len(again.votes), again.left_out.total()) == (8, 0)
    for ending in ("jsonl", "tsv"):
        write_table(export_votes(study), tmp_path / f"votes.{ending}")
    lines = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text().splitlines()]
    assert [line["image_id"] for line in lines] == frame["image_id"].tolist()
    study.close()


def test_a_table_for_freq_without_a_study(tmp_path):
    table = tmp_path / "old.csv"
    table.write_text("url,wnid,WorkerId,choice\na.jpg,n1,A1SECRET,Yes\na.jpg,n1,A2SECRET,no\n")
    out = tmp_path / "out" / "votes.csv"
    out.parent.mkdir()
    outcome = replicate("votes", "import", table, "--format", "csv", "--output", out, "--json")
    assert outcome.code == 0, outcome.err
    assert "SECRET" not in out.read_text()
    freq = replicate("freq", out, "--json")
    assert freq.code == 0, freq.err
    assert (freq.json()["n_images"], freq.json()["n_votes"]) == (1, 2)


def test_a_mapping_that_maps_nothing(tmp_path):
    outcome = replicate("votes", "import", "x.csv", "--format", "csv", "--map", "worker")
    assert outcome.code == 2 and "--map worker=WorkerId" in outcome.err
