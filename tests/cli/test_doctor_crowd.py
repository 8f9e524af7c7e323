"""`replicate doctor` says which crowd is meant, and whether it is ready."""

from pathlib import Path

import pytest
from support.command import replicate
from support.crowd import running

from replicate.crowdserver.admin import add_key


def _crowd(study: Path, **extra: str) -> tuple[int, dict[str, str]]:
    outcome = replicate("doctor", "-C", study, "--json", **extra)
    (found,) = [check for check in outcome.json()["checks"] if check["name"] == "crowd"]
    return outcome.code, found


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    assert replicate("init", folder, "--from", "digits", "--size", "small").code == 0
    return folder


def test_each_crowd_is_named(study):
    code, found = _crowd(study)
    assert (code, found["state"]) == (0, "ok") and "simulated" in found["found"]
    path = study / "pipeline.toml"
    text = path.read_text()
    path.write_text(text.replace('provider = "crowd"', 'provider = "files"'))
    assert _crowd(study)[1]["found"] == "files at labels: people fill them in"
    closed = "https://mturk-requester.us-east-1.amazonaws.com"
    code, found = _crowd(study, REPLICATE_CROWD_URL=closed)
    assert (code, found["state"]) == (0, "ok")  # files go to no address
    path.write_text(text.replace('provider = "crowd"', 'provider = "mturk"'))
    code, found = _crowd(study, REPLICATE_CROWD_URL=closed)
    assert (code, found["state"]) == (2, "missing")
    assert "30 September 2026" in found["found"] and "replicate annotate" in found["advice"]
    plan = replicate("publish", "--plan", "-C", study, REPLICATE_CROWD_URL=closed)
    assert plan.code == 2


def test_a_server_is_asked(study, tmp_path):
    with running(tmp_path / "crowd.db") as server:
        key, secret = add_key(server.db)
        keys = {
            "REPLICATE_CROWD_URL": server.endpoint,
            "REPLICATE_CROWD_ACCESS_KEY_ID": key,
            "REPLICATE_CROWD_SECRET_ACCESS_KEY": secret,
        }
        code, found = _crowd(study, **keys)
        assert (code, found["state"]) == (0, "ok") and "takes the keys" in found["found"]
        wrong = {**keys, "REPLICATE_CROWD_SECRET_ACCESS_KEY": "wrong"}
        assert "refuses the keys" in _crowd(study, **wrong)[1]["found"]
    assert _crowd(study, **keys)[1]["state"] == "warning"


def test_a_sandbox_of_our_own_is_never_taken_for_real(study, tmp_path):
    with running(tmp_path / "crowd.db", sandbox=True, seed=1) as server:
        key, secret = add_key(server.db)
        keys = {
            "REPLICATE_CROWD_URL": server.endpoint,
            "REPLICATE_CROWD_ACCESS_KEY_ID": key,
            "REPLICATE_CROWD_SECRET_ACCESS_KEY": secret,
        }
        found = _crowd(study, **keys)[1]["found"]
        assert server.endpoint in found and "simulated workers" in found and "real" not in found


def test_a_provider_that_is_none(study):
    path = study / "pipeline.toml"
    path.write_text(path.read_text().replace('provider = "crowd"', 'provider = "crwod"'))
    outcome = replicate("status", "-C", study)
    assert outcome.code == 2 and "did you mean 'crowd'" in outcome.err and "line" in outcome.err
