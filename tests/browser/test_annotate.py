"""`replicate annotate` in a real browser: the link, a page, the next one, and Ctrl-C."""

import signal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.annotators import annotating, ended, small_study

from replicate.store.tables import Vote

from .driving import all_css, complaints, css, tile, wait

pytestmark = pytest.mark.chromium


def test_from_the_link_to_the_votes(chromium: Any, tmp_path: Path, screenshots: Path) -> None:
    study = small_study(tmp_path)
    with annotating(study, "--annotator", "ada") as (child, links):
        chromium.get(links["ada"])
        chromium.save_screenshot(str(screenshots / "annotate-list.png"))
        assert len(all_css(chromium, "li[data-hit-id]")) == 6
        css(chromium, "li[data-hit-id] form button").click()
        wait(lambda: all_css(chromium, "#grid img"))
        slots = [image.get_attribute("data-slot") for image in all_css(chromium, "#grid img")]
        tile(chromium, slots[0]).find_element("css selector", "label").click()
        chromium.save_screenshot(str(screenshots / "annotate-page.png"))
        css(chromium, "#send").click()
        wait(lambda: len(all_css(chromium, "li[data-hit-id]")) == 5)
        assert complaints(chromium) == []
        child.send_signal(signal.SIGINT)
        found = ended(child)
    assert found["pages"] == {"done": 1, "wanted": 12}
    with study.session() as session:
        votes = session.scalars(select(Vote)).all()
    assert {vote.slot: vote.value for vote in votes} == {
        slot: "yes" if slot == slots[0] else "no" for slot in slots
    }
    study.close()
