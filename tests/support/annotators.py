"""A small study to be labelled by people, the command that they use, and such people."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import requests
from stages.labels import SMALLER, fill

from replicate.base.digests import sha256_bytes
from replicate.store.tables import Assignment, Hit
from replicate.study import Study, init_study, open_study
from support.command import environment

Judge = Callable[[str, str, str], bool]


class Annotator:
    """Somebody who follows a link and judges images.

    Args:
        link: The invitation.
        judge: Whether an image shows a class: the class, the SHA-256 of its display copy, and the
            round that the page names.

    Attributes:
        seen: The class, the round that the page names, and the image, of every judgement sent.
    """

    def __init__(self, link: str, judge: Judge) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self._judge = judge
        self.enter(link)

    def enter(self, link: str) -> None:
        """Follow the link, perhaps of a server that was started again."""
        self.session = requests.Session()
        answer = self.session.get(link)
        assert answer.status_code == 200, answer.text
        self._home = urljoin(link, "/worker")

    def wait_for_work(self, seconds: float = 60) -> None:
        """Load the list of work again until there is some."""
        deadline = time.monotonic() + seconds
        while "/accept" not in self.session.get(self._home).text:
            assert time.monotonic() < deadline, "no work came"
            time.sleep(0.1)

    def work(self, pages: int | None = None) -> int:
        """Do some pages, or all that there are; how many that was."""
        done = 0
        while pages is None or done < pages:
            home = self.session.get(self._home).text
            forms = re.findall(
                r'action="(/worker/hits/\w+/accept)"><input type="hidden" name="csrf" '
                r'value="(\w+)"',
                home,
            )
            if not forms:
                break
            page = self.session.post(urljoin(self._home, forms[0][0]), data={"csrf": forms[0][1]})
            assert page.status_code == 200, page.text
            self._answer(page.text, page.url)
            done += 1
        return done

    def _answer(self, html: str, url: str) -> None:
        class_id = re.findall(r'data-class-id="([^"]+)"', html)[0]
        number = (re.findall(r'data-round="([^"]+)"', html) or [""])[0]
        order, selected = [], []
        for tag in re.findall(r"<img [^>]*data-slot[^>]*>", html):
            slot = re.findall(r'data-slot="([^"]+)"', tag)[0]
            source = re.findall(r'src="([^"]+)"', tag)[0]
            digest = sha256_bytes(self.session.get(urljoin(url, source)).content)
            order.append(slot)
            self.seen.append((class_id, number, digest))
            if self._judge(class_id, digest, number):
                selected.append(slot)
        answer = {
            "version": 1,
            "selected": selected,
            "broken": [],
            "none": not selected,
            "order": order,
            "times": {},
        }
        sent = self.session.post(
            re.findall(r'action="([^"]*/mturk/externalSubmit)"', html)[0],
            data={
                "assignmentId": re.findall(r'name="assignmentId" value="(\w+)"', html)[0],
                "answer": json.dumps(answer),
            },
        )
        assert sent.status_code == 200, sent.text


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


def with_simulated_vote(study: Study) -> Study:
    """The study with one page that a simulated worker has done."""
    with study.session() as session:
        hit = Hit(
            hit_key="k", class_id="3", number=0, assignments=1, reward="0.00", status="complete"
        )
        session.add(hit)
        session.flush()
        session.add(
            Assignment(
                assignment_id="A",
                hit_key="k",
                worker_id="w",
                status="Approved",
                answer="",
                simulated=True,
            )
        )
    study.close()
    return study


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
