"""With JavaScript off, a page is a plain form; what comes of it are the same votes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicate.crowd.answers import parse_answer
from replicate.crowd.pages import PageText, render_pair

from .conftest import Work
from .driving import all_css, css, tile, wait

pytestmark = pytest.mark.chromium


def begin(driver: Any, work: Work) -> list[str]:
    driver.set_window_size(1280, 860)
    driver.get(work.link)
    css(driver, f'li[data-hit-id="{work.hit}"] form button').click()
    wait(lambda: all_css(driver, "#grid img"))
    return [image.get_attribute("data-slot") for image in all_css(driver, "#grid img")]


def test_images_are_selected(plain_chromium: Any, work: Work, screenshots: Path) -> None:
    driver = plain_chromium
    order = begin(driver, work)
    assert sorted(order) == [f"i{n:02d}" for n in range(1, 49)]
    assert order != sorted(order)  # drawn by the server
    assert not all_css(driver, "#grid .round") and "js" not in driver.page_source[:200]
    assert "must be ticked" in css(driver, "noscript").text
    names = [box.accessible_name for box in all_css(driver, "[name=selected]")]
    assert names == [f"Image {n}" for n in range(1, 49)]
    for slot in order[0], order[9]:
        tile(driver, slot).find_element("css selector", ".pick").click()
    tile(driver, order[3]).find_element("css selector", ".flag").click()
    for slot in order[3], order[9]:
        tile(driver, slot).find_element("css selector", ".report").click()
    driver.save_screenshot(str(screenshots / "without-scripts.png"))
    css(driver, "#send").click()
    wait(lambda: "Your answer is stored" in driver.page_source)
    assert work.votes() == {
        "yes": sorted([order[0], order[9]]),
        "broken": [order[3]],
        "no": sorted(order[1:3] + order[4:9] + order[10:]),
    }
    answer = parse_answer(work.xml())
    assert list(answer.order) == order
    assert answer.unsafe == (order[3], order[9])
    assert (answer.times, answer.dwell) == ({}, None)


def test_none_of_these_has_to_be_said(plain_chromium: Any, work: Work) -> None:
    driver = plain_chromium
    order = begin(driver, work)
    css(driver, "#send").click()
    wait(lambda: "Nothing is marked" in driver.page_source)
    driver.back()
    wait(lambda: all_css(driver, "#none"))
    tile(driver, order[0]).click()
    css(driver, "#none").click()
    assert css(driver, ".clash").is_displayed()
    tile(driver, order[0]).click()
    assert not css(driver, ".clash").is_displayed()
    css(driver, "#send").click()
    wait(lambda: "Your answer is stored" in driver.page_source)
    assert work.votes() == {"no": sorted(order)}


def test_a_preview_cannot_be_filled_in(plain_chromium: Any, work: Work, screenshots: Path) -> None:
    driver = plain_chromium
    driver.get(work.link)
    css(driver, f'li[data-hit-id="{work.hit}"] a').click()
    driver.switch_to.frame(wait(lambda: css(driver, "iframe")))
    wait(lambda: all_css(driver, "#grid img"))
    assert css(driver, "#preview").is_displayed()
    assert not any(control.is_enabled() for control in all_css(driver, "form input, form button"))
    driver.switch_to.default_content()
    driver.save_screenshot(str(screenshots / "without-scripts-preview.png"))


def test_a_pair_is_judged(plain_chromium: Any, publish: Callable[[str], Work], crowd: Any) -> None:
    text = PageText("pairs", "", "Is this the same photo?")
    work = publish(render_pair(text, *crowd.digests[:2]))
    order = begin(plain_chromium, work)
    css(plain_chromium, '[name=verdict][value="different"]').click()
    css(plain_chromium, "#send").click()
    wait(lambda: "Your answer is stored" in plain_chromium.page_source)
    assert work.fields() == {"answer": "", "order": ",".join(order), "verdict": "different"}
