"""The simulated workers of the small demo have known abilities: what the study says of them."""

import csv
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from support.command import replicate

from replicate.crowdserver.names import worker_id
from replicate.sandbox.eyes import Worker, make_workers
from replicate.stages.labelling import worker_hash, worker_key
from replicate.study import open_study


@pytest.fixture(scope="module")
def crew(small_demo: Path) -> dict[str, Worker]:
    """The demo's simulated workers, by the hash that the study knows them by."""
    study = open_study(small_demo)
    sandbox = study.pipeline.sandbox
    assert sandbox is not None
    with sqlite3.connect(next((small_demo / "sandbox").glob("*.db"))) as connection:
        row = connection.execute("SELECT value FROM settings WHERE name = 'secret'").fetchone()
    connection.close()
    secret, key = bytes.fromhex(row[0]), worker_key(study)
    names = {n: f"simulated worker {n:03d}" for n in range(sandbox.workers)}
    return {
        worker_hash(key, worker_id(secret, names[worker.number])): worker
        for worker in make_workers(study.seed, sandbox.workers)
    }


def _workers(folder: Path) -> list[dict[str, str]]:
    with (folder / "report" / "tables" / "workers.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_careless_are_flagged_and_nobody_else(small_demo: Path, crew) -> None:
    careless = {name for name, worker in crew.items() if worker.careless}
    rows = _workers(small_demo)
    assert {row["worker"] for row in rows} == set(crew)
    assert {row["worker"] for row in rows if row["left_out_by"]} == careless != set()
    assert {row["workers"] for row in rows} == {"simulated"}


def test_what_all_votes_say_tells_them_apart_too(small_demo: Path, crew) -> None:
    for row in _workers(small_demo):
        careless = crew[row["worker"]].careless
        informedness, error = float(row["informedness"]), float(row["informedness_se"])
        # A careless worker guesses; the others are far from it.
        assert (abs(informedness) < 3 * error) if careless else informedness > 0.4, row
        assert (float(row["agreement"]) < 0.65) == careless
        assert int(row["repeats"]) > 0


def test_the_report_says_so_and_that_they_are_simulated(small_demo: Path, crew) -> None:
    html = (small_demo / "report" / "report.html").read_text(encoding="utf-8")
    careless = [name for name, worker in crew.items() if worker.careless]
    assert f"{len(careless)} of {len(crew)} simulated workers flagged" in html
    assert all(name[:10] in html for name in crew)


def test_another_rule_changes_the_frequencies_at_once(small_demo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small_demo, copy)
    before = replicate("freq", "-C", copy, "--json", "--summary").json()
    path = copy / "pipeline.toml"
    for rule, flagged in (
        ("min_control_accuracy = 0.0", 0),
        ("min_control_accuracy = 0.0, min_informedness = 0.3", 1),
        ("min_control_accuracy = 0.0, min_agreement = 0.65", 1),
        ("min_control_accuracy = 0.0, min_seconds_per_page = 30.0, min_pages = 1", 14),
    ):
        text = (small_demo / "pipeline.toml").read_text()
        changed = re.sub(r"(?m)^quality = .*$", f"quality = {{ {rule} }}", text)
        assert changed != text
        path.write_text(changed)
        status = replicate("status", "-C", copy, "--json").json()
        assert status["workers"]["flagged"] == flagged, rule
        assert [item["flagged"] for item in status["workers"]["rules"]][-1] == flagged
        outcome = replicate("freq", "-C", copy, "--json", "--summary")
        if flagged == 14:
            # Everybody is left out: that is said, and is no frequency of zero.
            assert outcome.code == 2 and "14 of 14 workers are flagged" in outcome.err
            continue
        votes = outcome.json()["groups"]["candidates"]["n_votes"]
        assert (votes == before["groups"]["candidates"]["n_votes"]) == (flagged == 1)
        if flagged == 0:
            assert votes > before["groups"]["candidates"]["n_votes"]
            assert outcome.json()["rules"]["sentence"] == ""
