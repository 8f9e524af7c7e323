"""A person judges a pair of images, and single images, in a real browser."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.crowd import Running

from replicate.crowd.judgements import IMAGE_VERDICTS, PAIR_VERDICTS, Judgement, parse_judgement
from replicate.crowd.pages import PageText, render_image, render_pair

from .conftest import TEXT, Work
from .driving import complaints, css, finish, focused, overflow, phone, press, start, tap, wait

pytestmark = pytest.mark.chromium
PAIR = PageText("pairs", "", "Is this the same photo?", contact="ann@lab.example")


@pytest.fixture
def pair(crowd: Running, publish: Callable[[str], Work]) -> Work:
    return publish(render_pair(PAIR, *crowd.digests[3:5]))


@pytest.fixture
def single(crowd: Running, publish: Callable[[str], Work]) -> Work:
    text = replace(TEXT, question="Does this image show at least one")
    return publish(render_image(text, crowd.digests[7]))


def judged(work: Work, verdicts: tuple[str, ...]) -> Judgement:
    assert list(work.fields()) == ["answer"]
    return parse_judgement(work.xml(), verdicts)


def test_a_pair_with_the_mouse(chromium: Any, pair: Work, screenshots: Path) -> None:
    order = start(chromium, pair)
    css(chromium, "#send").click()
    assert css(chromium, "#notice").text == "Choose an answer first."
    css(chromium, ".tile .round").click()
    css(chromium, "#zoom-difference").click()
    modes = "return getComputedStyle(document.getElementById('zoom-other')).mixBlendMode"
    assert chromium.execute_script(modes) == "difference"
    sources = "return [...document.querySelectorAll('#zoom img')].map(i => i.src)"
    shown = chromium.execute_script(sources)
    assert len(set(shown)) == 2
    chromium.save_screenshot(str(screenshots / "pair-difference.png"))
    css(chromium, "#zoom-close").click()
    css(chromium, 'label:has([value="different"])').click()
    chromium.save_screenshot(str(screenshots / "pair.png"))
    assert complaints(chromium) == []
    finish(chromium)
    answer = judged(pair, PAIR_VERDICTS)
    assert (answer.verdict, answer.broken, list(answer.order)) == ("different", (), order)
    assert set(answer.times) == {"verdict"}
    assert answer.dwell is not None and answer.dwell >= answer.times["verdict"] > 0


def test_a_pair_with_the_keyboard_alone(chromium: Any, pair: Work) -> None:
    from selenium.webdriver import Keys

    start(chromium, pair)
    press(chromium, "u", "z", "c", "c", Keys.ARROW_RIGHT)
    assert css(chromium, "#zoom-name").text == "Image 2"
    press(chromium, "s", Keys.ESCAPE)
    wait(lambda: focused(chromium) == "Image 2: enlarge")
    assert css(chromium, '[value="same"]').is_selected()
    press(chromium, "d", "s", Keys.ENTER)  # the focus is on the answer: Enter submits
    wait(lambda: "Your answer is stored" in chromium.page_source)
    assert judged(pair, PAIR_VERDICTS).verdict == "same"


def test_a_broken_image_is_no_verdict(chromium: Any, pair: Work) -> None:
    order = start(chromium, pair)
    press(chromium, "s")
    css(chromium, f'.tile [name=broken][value="{order[1]}"]').click()
    assert not css(chromium, '[value="same"]').is_selected()
    finish(chromium)
    answer = judged(pair, PAIR_VERDICTS)
    assert (answer.verdict, answer.broken) == ("broken", (order[1],))


def test_a_verdict_is_there_again_after_a_closed_tab(chromium: Any, pair: Work) -> None:
    order = start(chromium, pair)
    press(chromium, "d")
    chromium.get("about:blank")
    assert start(chromium, pair) == order
    assert css(chromium, '[value="different"]').is_selected()
    finish(chromium)
    answer = judged(pair, PAIR_VERDICTS)
    assert answer.verdict == "different"
    assert answer.dwell is not None and answer.dwell >= answer.times["verdict"]


def test_one_image_on_a_phone(chromium: Any, single: Work, screenshots: Path) -> None:
    with phone(chromium, 320):
        start(chromium, single)
        assert overflow(chromium) == 0
        tap(chromium, css(chromium, 'label:has([value="yes"])'))
        wait(lambda: css(chromium, '[value="yes"]').is_selected())
        chromium.save_screenshot(str(screenshots / "single-320.png"))
        tap(chromium, css(chromium, "#send"))
        wait(lambda: "Your answer is stored" in chromium.page_source)
    assert judged(single, IMAGE_VERDICTS).verdict == "yes"


def test_one_image_with_the_keyboard_alone(chromium: Any, single: Work, screenshots: Path) -> None:
    from selenium.webdriver import Keys

    start(chromium, single)
    press(chromium, "b")
    assert css(chromium, "[name=broken]").is_selected()
    press(chromium, "n", "r")
    assert not css(chromium, "[name=broken]").is_selected()
    assert css(chromium, "[name=unsafe]").is_selected()
    chromium.save_screenshot(str(screenshots / "single.png"))
    press(chromium, Keys.ENTER)
    wait(lambda: "Your answer is stored" in chromium.page_source)
    answer = judged(single, IMAGE_VERDICTS)
    assert (answer.verdict, answer.unsafe) == ("no", ("i01",))
