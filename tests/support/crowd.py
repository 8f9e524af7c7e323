"""A crowd server in a thread or a process, requesters and workers for it."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import requests
from botocore.config import Config

from replicate.base.files import BlobStore
from replicate.base.images import encode_png
from replicate.crowdserver.admin import add_key
from replicate.crowdserver.serve import serve

_SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
)
_START = """
import json, sys
from pathlib import Path
from replicate.crowdserver.serve import serve
options = json.loads(sys.argv[1])
for name in ("ready_file", "images"):
    options[name] = Path(options[name]) if options.get(name) else None
serve(**options)
"""


@dataclass
class Running:
    """A server that answers."""

    db: Path | str
    ready_file: Path
    endpoint: str
    worker_url: str
    digests: list[str] = field(default_factory=list)

    def advance(self, seconds: float) -> None:
        answer = requests.post(f"{self.endpoint}/sandbox/clock", json={"advance": seconds})
        assert answer.status_code == 200, answer.text

    def faults(self, kind: str, calls: int = 1, **more: str) -> None:
        document = {"kind": kind, "calls": calls, **more}
        answer = requests.post(f"{self.endpoint}/sandbox/faults", json=document)
        assert answer.status_code == 200, answer.text


@contextmanager
def running(db: Path, url: str | None = None, **options: Any) -> Iterator[Running]:
    """A server in a thread, on a SQLite file or on the database of a URL."""
    ready, stop = db.with_name(f"{db.stem}-ready.json"), threading.Event()

    def work() -> None:
        try:
            serve(url or db, port=0, ready_file=ready, stop=stop, **options)
        except BaseException as error:
            errors.append(error)

    errors: list[BaseException] = []
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield _wait(url or db, ready, lambda: not thread.is_alive())
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()
        assert not errors


def _wait(db: Path | str, ready: Path, ended: Callable[[], bool]) -> Running:
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert not ended() and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    found = json.loads(ready.read_text())
    return Running(db, ready, found["endpoint"], found["worker_url"])


@contextmanager
def process(
    db: Path, url: str | None = None, **options: Any
) -> Iterator[tuple[subprocess.Popen[bytes], Running]]:
    """A server in a process of its own, killed at the end if it still runs."""
    ready = db.with_name("process-ready.json")
    ready.parent.mkdir(parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    given = {"db": url or str(db), "port": 0, "ready_file": str(ready), **options}
    child = subprocess.Popen(
        [sys.executable, "-c", _START, json.dumps(given, default=str)], stdin=subprocess.PIPE
    )
    try:
        found = _wait(url or db, ready, lambda: child.poll() is not None)
        assert json.loads(ready.read_text())["pid"] == child.pid
        yield child, found
    finally:
        child.kill()
        child.wait()
        if child.stdin is not None:
            child.stdin.close()


def client(server: Running, key: tuple[str, str] | None = None, attempts: int = 1) -> Any:
    access, secret = key or add_key(server.db)
    return boto3.client(
        "mturk",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )


def html_question(html: str) -> str:
    return (
        f'<HTMLQuestion xmlns="{_SCHEMA}"><HTMLContent><![CDATA[{html}]]></HTMLContent>'
        "<FrameHeight>0</FrameHeight></HTMLQuestion>"
    )


def simple_html(digests: list[str]) -> str:
    images = "".join(
        f'<img data-slot="i{n:02d}" src="replicate-image:{digest}" alt="">'
        for n, digest in enumerate(digests, 1)
    )
    return (
        "<!doctype html><html><body class=x><form method=post "
        'action="https://www.mturk.com/mturk/externalSubmit">'
        f'<input type="hidden" name="assignmentId" value="">{images}'
        '<input type="hidden" name="answer" value=""></form></body></html>'
    )


def put_images(folder: Path, count: int, size: int = 24) -> list[str]:
    generator = np.random.Generator(np.random.PCG64(7))
    blobs = BlobStore(folder)
    return [
        blobs.put(encode_png(generator.integers(0, 256, (size, size), dtype=np.uint8)))
        for _ in range(count)
    ]


def hit_values(question: str = "", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "Title": "Which images contain a goldfish?",
        "Description": "Look at some images.",
        "Keywords": "images",
        "Reward": "0.10",
        "AssignmentDurationInSeconds": 600,
        "AutoApprovalDelayInSeconds": 3600,
        "LifetimeInSeconds": 86_400,
        "MaxAssignments": 2,
        "Question": question or html_question(simple_html(["a" * 64])),
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


class Person:
    """A worker at a browser without scripts."""

    def __init__(self, server: Running, link: str) -> None:
        self.server = server
        self.session = requests.Session()
        self.csrf = ""
        answer = self.session.get(link)
        assert answer.status_code == 200, answer.text

    def home(self) -> str:
        return self.session.get(self.server.worker_url).text

    def hits(self, state: str = "available") -> list[str]:
        rows = re.findall(r"<li [^>]*>", self.home())
        return [
            re.findall(r'data-hit-id="(\w+)"', row)[0]
            for row in rows
            if f'data-state="{state}"' in row
        ]

    def accept(self, hit: str) -> requests.Response:
        found = re.findall(r'name="csrf" value="(\w+)"', self.home())
        self.csrf = found[0] if found else self.csrf  # a list without HITs has no form
        url = f"{self.server.endpoint}/worker/hits/{hit}/accept"
        return self.session.post(url, data={"csrf": self.csrf})

    def submit(self, page: requests.Response, **fields: str) -> requests.Response:
        action = re.findall(r'action="([^"]*/mturk/externalSubmit)"', page.text)[0]
        assignment = re.findall(r'name="assignmentId" value="(\w+)"', page.text)[0]
        return self.session.post(action, data={"assignmentId": assignment, **fields})

    def do(self, hit: str, answer: str = "{}") -> str:
        page = self.accept(hit)
        assert page.status_code == 200, page.text
        sent = self.submit(page, answer=answer)
        assert sent.status_code == 200, sent.text
        return re.findall(r'name="assignmentId" value="(\w+)"', page.text)[0]
