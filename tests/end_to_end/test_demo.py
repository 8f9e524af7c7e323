"""The whole small study: what it makes, again, stage by stage, and with another seed."""

import csv
import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from support.command import digests, replicate

from replicate.stages.common import STAGES


@pytest.fixture(scope="module")
def engine(small_demo: Path):  # type: ignore[no-untyped-def]
    engine = create_engine(f"sqlite:///{small_demo / 'study.db'}")
    yield engine
    engine.dispose()


def test_the_demo_makes_sets_votes_predictions_and_a_report(small_demo: Path) -> None:
    status = replicate("status", "-C", small_demo, "--json").json()
    assert set(status["sets"]) == {"matched", "threshold-0.7", "top", "uniform"}
    assert all(len(digest) == 64 for digest in status["sets"].values())
    assert len({*status["sets"].values(), status["votes_digest"]}) == 5
    assert all(status["stages"][name]["done"] > 0 for name in STAGES)
    # The planted dead and broken photos are rows with reasons.
    assert sum(status["stages"]["gather"]["failed"].values()) > 0


def test_run_again_does_nothing(small_demo: Path) -> None:
    outcome = replicate("run", "-C", small_demo, "--json")
    assert outcome.code == 0, outcome.err
    results = outcome.json()["stages"]
    assert [result["stage"] for result in results] == list(STAGES)
    assert {result["stage"]: result["done"] for result in results} == dict.fromkeys(STAGES, 0)
    assert all(result["skipped"] > 0 for result in results)


def test_same_seed_same_bytes_whatever_the_hash_seed(small_demo: Path, tmp_path: Path) -> None:
    outcome = replicate("demo", "--dir", tmp_path / "again", "--size", "small", PYTHONHASHSEED="7")
    assert outcome.code == 0, outcome.err
    assert digests(tmp_path / "again") == digests(small_demo)


def test_another_seed_gives_another_study(small_demo: Path, tmp_path: Path) -> None:
    outcome = replicate(
        "demo", "--dir", tmp_path / "other", "--size", "small", "--seed", "5", "--json"
    )
    assert outcome.code == 0, outcome.err
    other, first = digests(tmp_path / "other"), digests(small_demo)
    assert other["votes_digest"] != first["votes_digest"]
    assert other["predictions_digest"] != first["predictions_digest"]
    assert all(other["sets"][name] != digest for name, digest in first["sets"].items())


def test_each_stage_alone_in_a_process_of_its_own(small_demo: Path, tmp_path: Path) -> None:
    study = tmp_path / "alone"
    assert replicate("init", study, "--from", "digits", "--size", "small").code == 0
    for name in STAGES:
        if name == "publish":
            refused = replicate("publish", cwd=study)
            assert refused.code == 4, refused.err
            plan = replicate("publish", "--plan", "--json", cwd=study).json()
            assert f"--confirm-cost {plan['total']}" in refused.err
            outcome = replicate("publish", "--confirm-cost", plan["total"], "--json", cwd=study)
        else:
            outcome = replicate(name, "--json", cwd=study)
        assert outcome.code in (0, 3), (name, outcome.err)
        result = outcome.json()
        assert result["done"] > 0, (name, outcome.err)
        assert outcome.code == (3 if result["failed"] else 0)
    assert digests(study) == digests(small_demo)


def test_stages_out_of_order_name_the_stage_to_run_first(tmp_path: Path) -> None:
    study = tmp_path / "early"
    assert replicate("init", study, "--from", "digits", "--size", "small").code == 0
    for name in STAGES[1:]:
        outcome = replicate(name, cwd=study)
        assert outcome.code == 2, (name, outcome.out, outcome.err)
        assert "Next:" in outcome.err and "Traceback" not in outcome.err


def _truth(small_demo: Path) -> dict[str, dict[str, str]]:
    with (small_demo / "sandbox" / "photos" / "truth.csv").open(newline="") as handle:
        return {row["id"]: row for row in csv.DictReader(handle)}


def _set_candidates(engine, name: str) -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    query = text(
        "SELECT DISTINCT c.source_id, s.class_id FROM test_set_images s JOIN candidates c "
        "ON c.image_id = s.image_id AND c.class_id = s.class_id WHERE s.name = :name"
    )
    with engine.connect() as connection:
        return [(row.source_id, row.class_id) for row in connection.execute(query, {"name": name})]


def test_wrongly_tagged_candidates_are_rare_where_workers_agree(small_demo: Path, engine) -> None:  # type: ignore[no-untyped-def]
    truth = _truth(small_demo)
    wrong = {
        name: sum(
            truth[photo]["true_class"] != class_id
            for photo, class_id in _set_candidates(engine, name)
        )
        / max(1, len(_set_candidates(engine, name)))
        for name in ("threshold-0.7", "uniform")
    }
    assert wrong["threshold-0.7"] <= 0.02
    assert wrong["uniform"] > wrong["threshold-0.7"]


def test_planted_near_duplicates_are_found_and_little_else(small_demo: Path, engine) -> None:  # type: ignore[no-untyped-def]
    truth = _truth(small_demo)
    query = text(
        "SELECT c.source_id, d.keep, d.reason FROM candidates c JOIN dedup_decisions d "
        "ON d.image_id = c.image_id AND d.class_id = c.class_id"
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    planted = [row for row in rows if truth[row.source_id]["kind"] == "near_duplicate"]
    others = [row for row in rows if truth[row.source_id]["kind"] != "near_duplicate"]
    assert planted, "no near-duplicate of an original was gathered"
    assert not [row for row in planted if row.keep]
    dropped = [row for row in others if row.reason == "duplicate_of_reference"]
    assert len(dropped) <= 0.01 * len(others)


def test_the_uniform_set_is_worse_matched(engine) -> None:  # type: ignore[no-untyped-def]
    import json

    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, match FROM test_sets")).all()
    gap = {
        row.name: abs(
            (json.loads(row.match) if isinstance(row.match, str) else row.match)["heldout"][
                "difference"
            ]
        )
        for row in rows
    }
    assert gap["uniform"] > gap["matched"]


def test_a_demo_carries_on_only_its_own_study(small_demo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small_demo, copy)
    assert replicate("demo", "--dir", copy, "--seed", "5").code == 2
    carried = replicate("demo", "--dir", copy, "--json")
    assert carried.code == 0, carried.err
    assert carried.json()["sets"] == digests(small_demo)["sets"]
