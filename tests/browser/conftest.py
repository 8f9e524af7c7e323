"""A real Chromium, and a HIT for a person to do in it."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from support.crowd import Running, client, hit_values, html_question, running

from replicate.base.files import BlobStore
from replicate.base.images import encode_png
from replicate.base.resources import data_dir
from replicate.crowd.answers import parse_answer
from replicate.crowdserver.admin import invite

CLASS = "goldfish <b>&\"'"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def digit_like(number: int) -> np.ndarray:
    """A bright blob on a dark ground, another for each number."""
    generator = np.random.Generator(np.random.PCG64(number))
    small = Image.fromarray(generator.integers(0, 256, (8, 8), dtype=np.uint8))
    return np.asarray(small.resize((96, 96), Image.Resampling.BICUBIC))


def render(digests: list[str], **changes: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(data_dir("mturk_templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    slots = [{"id": f"i{n:02d}", "src": f"replicate-image:{d}"} for n, d in enumerate(digests, 1)]
    values = {
        "class_id": "n01443537",
        "class_name": CLASS,
        "question": "Which of these images contain at least one",
        "title": "Goldfish",
        "synonyms": ["Carassius auratus"],
        "gloss": "small golden or orange-red freshwater fishes used as pond or aquarium pets",
        "links": [("Wikipedia", "https://en.wikipedia.org/wiki/Goldfish"), ("no", "javascript:1")],
        "photographs_only": True,
        "slots": slots,
    }
    template = environment.get_template("select-images.html.j2")
    return template.render(**{**values, **changes})


@dataclass
class Work:
    """A HIT on a running server, and a person who is invited."""

    server: Running
    requester: Any
    hit: str
    link: str

    def answer(self) -> Any:
        found = self.requester.list_assignments_for_hit(HITId=self.hit)["Assignments"]
        assert len(found) == 1
        assert parse_answer(found[0]["Answer"])
        text = found[0]["Answer"].partition("<FreeText>")[2].partition("</FreeText>")[0]
        return json.loads(text)


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("browser")
    blobs = BlobStore(folder / "images")
    digests = [blobs.put(encode_png(digit_like(n))) for n in range(48)]
    with running(folder / "crowd.db", images=folder / "images", sandbox=True, seed=9) as server:
        server.digests = digests
        yield server


@pytest.fixture
def work(crowd: Running, request: pytest.FixtureRequest) -> Work:
    count = getattr(request, "param", 48)
    requester = client(crowd)
    question = html_question(render(crowd.digests[:count]))
    values = hit_values(question, Title=f"{CLASS}: {request.node.name}", MaxAssignments=1)
    made = requester.create_hit(**values)["HIT"]
    link = invite(crowd.db, names=[request.node.name])[0]
    return Work(crowd, requester, made["HITId"], link)


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages go, to be looked at."""
    kept = os.environ.get("SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
