"""Somebody who is signed in to the requester's page, in a browser without scripts."""

import json
import re
from typing import Any

import requests

from support.crowd import Running, html_question

CLASS = "n01443537"


class Requester:
    """A requester at a browser."""

    def __init__(self, server: Running, key: tuple[str, str]) -> None:
        self.server = server
        self.key = key
        self.session = requests.Session()
        self.root = f"{server.endpoint}/requester"

    def try_to_sign_in(self, **fields: str) -> requests.Response:
        page = self.session.get(f"{self.root}/sign-in")
        given = {"csrf": csrf_of(page.text), "key": self.key[0], "secret": self.key[1], **fields}
        return self.session.post(f"{self.root}/sign-in", data=given, allow_redirects=False)

    def sign_in(self) -> "Requester":
        answer = self.try_to_sign_in()
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == "/requester"
        return self

    def get(self, path: str = "", **options: Any) -> requests.Response:
        return self.session.get(self.root + path, **options)

    def post(self, path: str, csrf: str | None = None, **fields: str) -> requests.Response:
        """Send a form that the page at the same address showed, with what was hidden in it."""
        page = self.session.get(self.root + path)
        form = page.text.partition("<h1>")[2]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        data = {**hidden, **fields, **({} if csrf is None else {"csrf": csrf})}
        url = self.root + path.partition("?")[0]
        return self.session.post(url, data=data, allow_redirects=False)


def csrf_of(html: str) -> str:
    return re.findall(r'name="csrf" value="(\w+)"', html)[0]


def our_page(digests: list[str], class_id: str = CLASS, title: str = "Goldfish?") -> str:
    """A question as the study publishes it, as far as the server looks at it."""
    images = "".join(
        f'<li><img data-slot="i{n:02d}" src="replicate-image:{digest}" alt=""></li>'
        for n, digest in enumerate(digests, 1)
    )
    return html_question(
        f"<!doctype html><html><head><title>{title}</title></head><body>"
        f'<form method=post action="/mturk/externalSubmit" data-class-id="{class_id}">'
        f'<input type="hidden" name="assignmentId" value="">{images}'
        '<input type="hidden" name="answer" value=""></form></body></html>'
    )


def our_answer(selected: list[str], broken: list[str] | None = None) -> str:
    value = {"version": 1, "selected": selected, "broken": broken or []}
    return json.dumps({**value, "none": not selected, "order": [], "times": {}})
