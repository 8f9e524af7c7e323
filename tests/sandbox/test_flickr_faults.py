"""`replicate sandbox flickr --faults` goes wrong as its file plans."""

import json
import subprocess
import sys
import time
from pathlib import Path

import requests
from support.command import environment, replicate

from replicate.sandbox.flickr import SANDBOX_KEY

QUERY = {
    "method": "flickr.photos.search",
    "api_key": SANDBOX_KEY,
    "tags": "cat",
    "format": "json",
    "nojsoncallback": "1",
}


def test_the_served_api_follows_the_plan(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("id,file,tags\n1,files/1_ab.png,cat\n")
    plan = {"api_429": 1.0, "repeats": 2, "retry_after": 7}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    ready = tmp_path / "ready.json"
    words = "sandbox flickr --photos . --port 0 --ready-file ready.json --faults plan.json"
    child = subprocess.Popen(
        [sys.executable, "-m", "replicate", *words.split()],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not ready.exists() and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.02)
        endpoint = json.loads(ready.read_text())["endpoint"]
        answers = [requests.get(endpoint, params=QUERY, timeout=9) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429, 429, 200]
        assert [answer.headers.get("retry-after") for answer in answers] == ["7", "7", None]
        assert [photo["id"] for photo in answers[2].json()["photos"]["photo"]] == ["1"]
    finally:
        child.kill()
        child.wait()


def test_a_malformed_plan_is_said_before_photos_are_made(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"api_430": 1.0}')
    words = "sandbox flickr --photos made --make 10 --port 0 --faults plan.json"
    outcome = replicate(*words.split(), cwd=tmp_path)
    assert outcome.code == 2
    assert "api_430" in outcome.err
    assert "api_429" in outcome.err
    assert not (tmp_path / "made").exists()
