"""A real Chromium, and a HIT for a person to do in it."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.crowd import Running, client, hit_values, running

from replicate.base.files import BlobStore
from replicate.base.images import encode_png
from replicate.crowd.answers import answer_votes, parse_answer
from replicate.crowd.composition import HitPlan, Slot
from replicate.crowd.pages import PageText, html_question, render_page
from replicate.crowdserver.admin import invite

CLASS = "goldfish <b>&\"'"
TEXT = PageText(
    class_id="n01443537",
    class_name=CLASS,
    question="Which of these images contain at least one",
    synonyms=("Carassius auratus",),
    gloss="small golden or orange-red freshwater fishes used as pond or aquarium pets",
    links=(("Wikipedia", "https://en.wikipedia.org/wiki/Goldfish"), ("no", "javascript:1")),
    consent="We look at how people see images. You can stop at any time.\n\nNo names are kept.",
    contact="Ann Example, ann@lab.example",
)


@contextmanager
def browser(scripts: bool = True) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    # A headless browser has no mouse: say that it has one, as the pages look then.
    mouse = "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"
    options.add_argument(f"--blink-settings={mouse}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not scripts:
        off = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", off)
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with browser() as driver:
        yield driver


@pytest.fixture(autouse=True)
def clean_log(request: pytest.FixtureRequest) -> None:
    """What one test's pages complained of is not another's."""
    if "chromium" in request.fixturenames:
        request.getfixturevalue("chromium").get_log("browser")


@pytest.fixture(scope="module")
def plain_chromium() -> Iterator[Any]:
    """A Chromium in which no page's script runs."""
    with browser(scripts=False) as driver:
        yield driver


def digit_like(number: int) -> np.ndarray:
    """A bright blob on a dark ground, another for each number."""
    generator = np.random.Generator(np.random.PCG64(number))
    small = Image.fromarray(generator.integers(0, 256, (8, 8), dtype=np.uint8))
    return np.asarray(small.resize((96, 96), Image.Resampling.BICUBIC))


def select_page(digests: list[str], **changes: Any) -> str:
    """A page that asks to select images, in slots i01, i02 …"""
    slots = [Slot(f"i{n:02d}", digest, "candidate") for n, digest in enumerate(digests, 1)]
    plan = HitPlan("c", 0, tuple(slots), "key")
    return render_page(plan, replace(TEXT, **changes), {d: d for d in digests})


@dataclass
class Work:
    """A HIT on a running server, and a person who is invited."""

    server: Running
    requester: Any
    hit: str
    link: str

    def xml(self) -> str:
        found = self.requester.list_assignments_for_hit(HITId=self.hit)["Assignments"]
        assert len(found) == 1
        return str(found[0]["Answer"])

    def fields(self) -> dict[str, str]:
        """What the server has got, by field."""
        pattern = r"<QuestionIdentifier>(.*?)</QuestionIdentifier><FreeText>(.*?)</FreeText>"
        return {name: unescape(value) for name, value in re.findall(pattern, self.xml(), re.DOTALL)}

    def answer(self) -> Any:
        assert parse_answer(self.xml())
        fields = self.fields()
        assert list(fields) == ["answer"]  # one field, whatever the plain form has
        return json.loads(fields["answer"])

    def votes(self) -> dict[str, list[str]]:
        """The slots that have each vote, as the study reads them."""
        answer = parse_answer(self.xml())
        places = [Slot(slot, slot, "candidate") for slot in answer.order]
        found: dict[str, list[str]] = {}
        for slot, vote in sorted(answer_votes(answer, places).items()):
            found.setdefault(vote, []).append(slot)
        return found


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("browser")
    blobs = BlobStore(folder / "images")
    digests = [blobs.put(encode_png(digit_like(n))) for n in range(48)]
    with running(folder / "crowd.db", images=folder / "images", sandbox=True, seed=9) as server:
        server.digests = digests
        yield server


@pytest.fixture
def publish(crowd: Running, request: pytest.FixtureRequest) -> Callable[[str], Work]:
    """Makes a HIT of a page, for a person of this test alone."""

    def make(html: str) -> Work:
        requester = client(crowd)
        values = hit_values(html_question(html), MaxAssignments=1, Reward="0.11")
        values["Title"] = f"{CLASS}: {request.node.name}"
        made = requester.create_hit(**values)["HIT"]
        link = invite(crowd.db, names=[request.node.name])[0]
        return Work(crowd, requester, made["HITId"], link)

    return make


@pytest.fixture
def work(crowd: Running, publish: Callable[[str], Work], request: pytest.FixtureRequest) -> Work:
    return publish(select_page(crowd.digests[: getattr(request, "param", 48)]))


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages go, to be looked at."""
    kept = os.environ.get("SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
