"""`replicate annotate`: people label on their own machine; cut off at any moment, it carries on."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support.annotators import Annotator, Judge
from support.command import environment, replicate

from replicate.store.tables import Assignment, Hit, PreparedImage, SetImage, Vote
from replicate.study import Study, init_study, open_study

from .labels import SMALLER, fill


def small_study(root: Path, **changes: str) -> Study:
    """Three classes of eight candidates, to be labelled by two people."""
    study = init_study(root / "study", "digits", "small")
    path = study.root / "pipeline.toml"
    text = path.read_text()
    for old, new in {**SMALLER, "assignments = 9": "assignments = 2"}.items():
        text = text.replace(old, new)
    for name, value in changes.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{name} =")]
        text = "\n".join(lines).replace("[label]\n", f"[label]\n{name} = {value}\n") + "\n"
    path.write_text(text)
    study = open_study(study.root)
    fill(study)
    return study


def judge_by(study: Study, mistakes: int = 0) -> Judge:
    """Right about the originals, and says yes to every candidate whose digest is not a mistake."""
    with study.session() as session:
        shown = {
            row.display_id: row.image_id for row in session.scalars(select(PreparedImage)).all()
        }
        classes = {row.image_id: row.class_id for row in session.scalars(select(SetImage)).all()}

    def judge(class_id: str, digest: str) -> bool:
        image = shown[digest]
        if image in classes:
            return classes[image] == class_id
        return int(image[:2], 16) % 8 >= mistakes

    return judge


@contextmanager
def annotating(study: Study, *arguments: str) -> Iterator[tuple[subprocess.Popen, dict[str, str]]]:
    """The command in a process of its own, once its links can be followed."""
    ready = study.root / "J"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "replicate", "-C", str(study.root), "annotate"]
    child = subprocess.Popen(
        [*command, "--no-browser", "--ready-file", str(ready), "--json", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert child.poll() is None and time.monotonic() < deadline, child.communicate()
            time.sleep(0.02)
        yield child, json.loads(ready.read_text())["links"]
    finally:
        child.kill()
        child.communicate()


def ended(child: subprocess.Popen) -> dict:
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    return json.loads(out)


def test_two_people_one_cut_off_and_one_with_ctrl_c(tmp_path):
    study = small_study(tmp_path)
    with annotating(study, "--annotator", "olga") as (child, links):
        olga = Annotator(links["olga"], judge_by(study))
        olga.work(2)
        child.kill()  # in the middle: two pages are sent and not collected
    with annotating(study, "--annotator", "hugo") as (child, links):
        Annotator(links["hugo"], judge_by(study)).work(1)
        child.send_signal(signal.SIGINT)
        found = ended(child)
    assert found["pages"] == {"done": 3, "wanted": 12}
    assert found["annotators"]["hugo"] == {"done": 1, "left": 5}
    assert found["next"].endswith("annotate --annotator hugo")
    with annotating(study, "--annotators", "olga,hugo") as (child, links):
        for name in ("olga", "hugo"):
            Annotator(links[name], judge_by(study)).work()
        found = ended(child)
    assert found["pages"] == {"done": 12, "wanted": 12}
    assert found["next"].endswith("run --from sample")
    with study.session() as session:
        rows = session.scalars(select(Assignment)).all()
        assert not any(row.simulated or row.reason for row in rows)
        assert len({row.worker_id for row in rows}) == 2
        assert {hit.reward for hit in session.scalars(select(Hit))} == {"0.00"}
        twice = session.execute(
            select(Vote.worker_id, Vote.image_id, Vote.class_id)
            .group_by(Vote.worker_id, Vote.image_id, Vote.class_id)
            .having(func.count() > 1)
        ).all()
        assert not twice  # nobody judges an image of a class twice
    kept = b"".join(path.read_bytes() for path in study.root.rglob("*.db*"))
    assert b"olga" not in kept and b"hugo" not in kept
    # what follows needs no crowd: all pages are complete
    collected = replicate("collect", "-C", study.root, "--json")
    assert (collected.code, collected.json()["done"]) == (0, 0), collected.err
    assert "local annotators, nobody is paid" in collected.out


def test_a_study_with_simulated_votes_is_left_as_it_is(small_demo, tmp_path):
    before = sorted(small_demo.rglob("*"))
    outcome = replicate("annotate", "-C", small_demo, "--no-browser")
    assert outcome.code == 4 and "simulated workers" in outcome.err
    assert sorted(small_demo.rglob("*")) == before


@pytest.mark.parametrize("names", ["", "olga,,hugo", "olga,olga"])
def test_names_that_are_none(tmp_path, names):
    outcome = replicate("annotate", "-C", tmp_path, "--annotators", names)
    assert outcome.code == 2 and "--annotators ada,bob" in outcome.err
