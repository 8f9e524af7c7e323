"""People who label through their invitation link, over HTTP, by a rule of their own."""

import json
import re
import time
from collections.abc import Callable
from urllib.parse import urljoin

import requests

from replicate.base.digests import sha256_bytes

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
