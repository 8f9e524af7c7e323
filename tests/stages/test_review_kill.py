"""A review that is killed loses nothing that a browser was told is stored; links stay the same."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from support.command import environment, replicate
from support.reviews import Visitor, field, review_study, wait_for_links

from replicate.store import reviews


@contextmanager
def served(root: Path, port: int, *what: str) -> Iterator[tuple[dict[str, str], int]]:
    """A review in a process of its own, killed at the end."""
    ready = root.parent / "ready.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "replicate", "-C", str(root), "review", *what]
    options = ["--no-browser", "--port", str(port), "--ready-file", str(ready)]
    child = subprocess.Popen([*command, *options], env=environment(), stderr=subprocess.DEVNULL)
    try:
        yield wait_for_links(ready, child.poll), child.pid
    finally:
        child.kill()
        child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    study = review_study(tmp_path / "study", pairs=60)
    port, stored = free_port(), 0
    with served(study.root, port, "duplicates", "--reviewers", "ada,bob") as (links, pid):
        ada = Visitor(links["ada"])
        killer = threading.Timer(0.005, os.kill, (pid, signal.SIGKILL))
        try:
            while True:
                ada.post(ada.path, verdict="different")
                stored += ada.page.status_code == 200
                if stored == 15:  # by count, not by time: machines differ in speed
                    killer.start()
        except requests.ConnectionError:
            killer.join()
    with study.session() as session:
        there = len(reviews.said_of_pairs(session))
    assert 0 < stored <= there <= stored + 1 < 60
    study.close()
    with served(study.root, port, "duplicates", "--reviewers", "ada,bob") as (again, _):
        assert again == links
        page = ada.get("/")  # the cookie of before still holds
        assert page.status_code == 200 and f"{there} of 60 looked at" in page.text
        ada.post(ada.path, verdict="same")
        assert f"{there + 1} of 60 looked at" in ada.page.text


def test_the_commands_say_what_was_found(tmp_path: Path) -> None:
    study = review_study(tmp_path / "study")
    for name, flag in (("ada", "wrong_class"), ("bob", "wrong_class")):
        with served(study.root, 0, "set", "matched", "--reviewer", name) as (links, _):
            person = Visitor(links[name])
            images = field(person.get("/classes/1").text, "images")
            person.post("/classes/1", images=images, **{f"{images[:20]}.{flag}": "on"})
            assert person.page.status_code == 200
    outcome = replicate("-C", study.root, "review", "status", "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.json()["matched-1"]
    assert found["looked"] == {"ada": 3, "bob": 3} and found["enough"] == 3
    assert found["together"] == {"review_wrong_class": 1}
    assert found["agreement"] == {"compared": 3, "agreed": 1.0, "alpha": 1.0}
    pairs = outcome.json()["duplicates"]
    assert pairs["agreement"]["agreed"] is None
    assert pairs["horizon"] == {"candidates": 4, "complete": 0, "smallest": 0.0}
    text = replicate("-C", study.root, "review", "status").out
    assert "matched-1: 3 of 6 looked at (ada 3, bob 3)" in text and "100.0%" in text
    table = tmp_path / "reviews.csv"
    outcome = replicate("-C", study.root, "review", "export", "sets", "--output", table, "--json")
    assert outcome.json() == {"rows": 6, "to": str(table)}
    lines = table.read_text().splitlines()
    assert lines[0].startswith("image_id,class_id,reviewer,verdict,flags,note,set,revision,at")
    assert sum(",exclude,wrong_class," in line for line in lines) == 2
    empty = tmp_path / "pairs.csv"
    replicate("-C", study.root, "review", "export", "duplicates", "--output", empty)
    assert empty.read_text() == "reference_id,candidate_id,reviewer,verdict,at,counts\n"
    replicate("-C", study.root, "review", "export", "horizons", "--output", empty)
    lines = empty.read_text().splitlines()
    assert lines[0] == "image_id,horizon,complete,pairs,looked" and len(lines) == 5
    ends = {line.partition(",")[2] for line in lines[1:]}
    assert ends == {f"{distance},False,1,0" for distance in (0.0, 0.1, 0.2, 0.3)}
    outcome = replicate("-C", study.root, "review", "set", "nothing", "--json")
    assert outcome.code == 2 and "no test set" in json.loads(outcome.out)["error"]
