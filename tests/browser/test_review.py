"""The review pages in a real browser: keys, touch, no scripts, axe, and a server that is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stages.test_review_kill import free_port, served
from support.reviews import SET, forget_said, review_study, reviewing

from replicate.stages.review_pairs import review_of_pairs
from replicate.stages.review_sets import review_of_set
from replicate.store import reviews
from replicate.study import Study

from .driving import (
    all_css,
    complaints,
    css,
    focused,
    overflow,
    phone,
    preferring,
    press,
    tap,
    wait,
)
from .test_accessible import axe, findings

__all__ = ["axe"]
pytestmark = pytest.mark.chromium
LEFT, UP, RIGHT, DOWN = "\ue012", "\ue013", "\ue014", "\ue015"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return review_study(tmp_path_factory.mktemp("review") / "study")


@pytest.fixture
def study(made: Study) -> Iterator[Study]:
    yield made
    forget_said(made)


def said(study: Study) -> list[str]:
    with study.session() as session:
        return [given.verdict for _, given in reviews.said_of_pairs(session)]


def flagged(study: Study) -> list[tuple[str, tuple[str, ...]]]:
    with study.session() as session:
        return [(given.verdict, given.flags) for _, given in reviews.said_of_items(session)]


def goes_on(driver: Any, act: Any) -> None:
    """Do something, and wait until another page has come of it."""
    driver.execute_script("document.documentElement.dataset.old = 'yes'")
    act()
    wait(lambda: driver.execute_script("return !document.documentElement.dataset.old"))
    wait(lambda: driver.execute_script("return document.readyState") == "complete")


def test_pairs_by_keyboard(chromium: Any, study: Study) -> None:
    with reviewing(review_of_pairs(study, ["ada"])) as links:
        chromium.set_window_size(1280, 860)
        chromium.get(links["ada"])
        first = chromium.current_url
        frames = all_css(chromium, "#pair figure:not([hidden]) .frame")
        assert len(frames) == 2 and frames[0].size == frames[1].size
        press(chromium, "x")
        wait(lambda: css(chromium, "#difference").is_displayed())
        loaded = "const i = document.querySelector('#difference img');return i.naturalWidth"
        assert wait(lambda: chromium.execute_script(loaded)) == 96
        press(chromium, "x", "e")
        both = "return [...document.querySelectorAll('#pair .frame img')].slice(0, 2).map(i =>"
        scales = chromium.execute_script(f"{both} getComputedStyle(i).transform)")
        assert scales == ["matrix(2, 0, 0, 2, 0, 0)"] * 2
        goes_on(chromium, lambda: press(chromium, "s"))
        goes_on(chromium, lambda: press(chromium, "d"))
        third = chromium.current_url
        goes_on(chromium, lambda: press(chromium, "z"))
        assert said(study) == ["same", "different", "withdrawn"]
        goes_on(chromium, lambda: press(chromium, LEFT))
        assert chromium.current_url == first
        assert css(chromium, ".verdicts .mine").get_attribute("value") == "same"
        goes_on(chromium, lambda: press(chromium, RIGHT))
        goes_on(chromium, lambda: press(chromium, "u"))
        assert chromium.current_url == third
        for key in "dd":
            goes_on(chromium, lambda key=key: press(chromium, key))
        assert "All pairs are looked at" in chromium.page_source
        assert said(study)[3:] == ["unsure", "different", "different"]
        # Single keys can be turned off, and stay so.
        chromium.get(first)
        css(chromium, ".keys summary").click()
        css(chromium, "#keys").click()
        chromium.refresh()
        press(chromium, "d")
        assert len(said(study)) == 6
        chromium.execute_script("localStorage.clear()")
    assert complaints(chromium) == []


def test_a_set_by_keyboard(chromium: Any, study: Study) -> None:
    with reviewing(review_of_set(study, ["ada"], SET)) as links:
        chromium.set_window_size(1280, 860)
        chromium.get(links["ada"])
        css(chromium, ".actions .button").click()
        wait(lambda: all_css(chromium, ".tile"))
        press(chromium, RIGHT, RIGHT)
        assert focused(chromium) == "Image 2"
        press(chromium, "2", "4", "4")
        wait(lambda: flagged(study)[-1:] == [("exclude", ("ambiguous",))])
        wait(lambda: css(chromium, "#count").text == "1 flagged, stored")
        assert "Ambiguous" in all_css(chromium, ".tile .said")[1].text
        press(chromium, RIGHT, "u", LEFT, LEFT, "e")
        wait(lambda: css(chromium, "#zoom").is_displayed())
        press(chromium, "\ue00c")
        wait(lambda: not css(chromium, "#zoom").is_displayed())
        assert focused(chromium) == "Image 1"
        # By mouse: open a tile, tick a reason, write a note.
        all_css(chromium, ".tile summary")[0].click()
        all_css(chromium, ".tile .note-field input")[0].send_keys("a drawing, d")
        all_css(chromium, ".tile")[0].find_element("css selector", "[data-key='5']").click()
        goes_on(chromium, lambda: press(chromium, "d"))
        assert chromium.current_url.endswith("/classes/2")
        goes_on(chromium, lambda: css(chromium, ".finish button").click())
        assert "All classes are looked at" in chromium.page_source
    with study.session() as session:
        latest = [each.latest["ada"] for each in reviews.item_histories(session).values()]
    assert sorted((g.verdict, g.flags, g.note) for g in latest) == [
        ("exclude", ("ambiguous",), ""),
        ("exclude", ("not_a_photo",), "a drawing, d"),
        *[("ok", (), "")] * 3,
        ("unsure", (), ""),
    ]
    assert complaints(chromium) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_review_pages(
    chromium: Any, study: Study, axe: str, scheme: str, screenshots: Path
) -> None:
    chromium.set_window_size(1280, 860)
    with preferring(chromium, prefers_color_scheme=scheme):
        with reviewing(review_of_pairs(study, ["ada", "bob"])) as links:
            for name, key in (("ada", "s"), ("bob", "d")):
                chromium.get(links[name])
                first = chromium.current_url
                assert findings(chromium, axe) == []
                goes_on(chromium, lambda key=key: press(chromium, key))
            chromium.get(first)
            press(chromium, "x", "e")
            chromium.save_screenshot(str(screenshots / f"review-pair-{scheme}.png"))
            assert findings(chromium, axe) == []
            chromium.get(f"{first.partition('/pairs')[0]}/list")
            assert "ada" in css(chromium, ".rows").text
            assert findings(chromium, axe) == []
        with reviewing(review_of_set(study, ["ada", "bob"], SET)) as links:
            for name in ("ada", "bob"):
                chromium.get(links[name])
                assert findings(chromium, axe) == []
                css(chromium, ".actions .button").click()
                wait(lambda: all_css(chromium, ".tile"))
                press(chromium, RIGHT, "1" if name == "ada" else "u")
                all_css(chromium, ".tile summary")[1].click()
                assert findings(chromium, axe) == []
                css(chromium, ".tile .frame").click()
                assert findings(chromium, axe) == []
                press(chromium, "\ue00c")
                chromium.save_screenshot(str(screenshots / f"review-set-{scheme}.png"))
                goes_on(chromium, lambda: css(chromium, ".finish button").click())
            for path in ("list", "sign-out", "classes/1"):
                chromium.get(f"{links['bob'].partition('/join')[0]}/{path}")
                assert findings(chromium, axe) == [], path


def test_on_a_phone_by_touch(chromium: Any, study: Study, screenshots: Path) -> None:
    with phone(chromium, 320):
        with reviewing(review_of_pairs(study, ["ada"])) as links:
            chromium.get(links["ada"])
            assert overflow(chromium) <= 0
            boxes = [b.rect for b in all_css(chromium, ".verdicts button")]
            assert all(box["height"] >= 44 and box["y"] + box["height"] <= 780 for box in boxes)
            chromium.save_screenshot(str(screenshots / "review-pair-phone.png"))
            goes_on(chromium, lambda: tap(chromium, css(chromium, "[value=different]")))
            assert said(study) == ["different"]
        with reviewing(review_of_set(study, ["ada"], SET)) as links:
            chromium.get(f"{links['ada']}")
            css(chromium, ".actions .button").click()
            wait(lambda: all_css(chromium, ".tile"))
            assert overflow(chromium) <= 0
            summary = all_css(chromium, ".tile summary")[1]
            chromium.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
            tap(chromium, summary)
            box = css(chromium, ".tile details[open] [data-key='1']")
            wait(box.is_displayed)
            chromium.execute_script("arguments[0].scrollIntoView({block: 'center'})", box)
            tap(chromium, box)
            wait(lambda: flagged(study) == [("exclude", ("wrong_class",))])
            chromium.save_screenshot(str(screenshots / "review-set-phone.png"))
            assert overflow(chromium) <= 0


def test_without_scripts(plain_chromium: Any, study: Study) -> None:
    driver = plain_chromium
    driver.set_window_size(1280, 1200)
    with reviewing(review_of_pairs(study, ["ada"])) as links:
        driver.get(links["ada"])
        first = driver.current_url
        css(driver, "[data-toggle]").click()
        assert css(driver, "#difference img").is_displayed()
        css(driver, "[value=same]").click()
        wait(lambda: driver.current_url != first and "difference" not in driver.current_url)
        css(driver, "[data-key=z]").click()
        wait(lambda: driver.current_url == first)
        assert said(study) == ["same", "withdrawn"]
    with reviewing(review_of_set(study, ["ada"], SET)) as links:
        driver.get(links["ada"])
        css(driver, ".actions .button").click()
        all_css(driver, ".tile summary")[2].click()
        all_css(driver, ".tile")[2].find_element("css selector", "[data-key='1']").click()
        css(driver, ".finish button").click()
        wait(lambda: driver.current_url.endswith("/classes/2"))
    assert sorted(flagged(study)) == [("exclude", ("wrong_class",)), ("ok", ()), ("ok", ())]


def test_a_server_that_is_killed_loses_nothing(chromium: Any, tmp_path: Path) -> None:
    study = review_study(tmp_path / "study")
    port = free_port()
    chromium.set_window_size(1280, 860)
    with served(study.root, port, "duplicates", "--reviewer", "ada") as (links, pid):
        chromium.get(links["ada"])
        goes_on(chromium, lambda: press(chromium, "s"))
        os.kill(pid, signal.SIGKILL)
        press(chromium, "d")
        wait(lambda: "Not stored" in css(chromium, "#problem").text)
        assert said(study) == ["same"]
    with served(study.root, port, "duplicates", "--reviewer", "ada"):
        goes_on(chromium, lambda: press(chromium, "d"))
        assert said(study) == ["same", "different"]
        assert "2 of 4 looked at" in chromium.page_source
    with served(study.root, port, "set", SET, "--reviewer", "ada") as (links, pid):
        chromium.get(links["ada"])
        css(chromium, ".actions .button").click()
        wait(lambda: all_css(chromium, ".tile"))
        os.kill(pid, signal.SIGKILL)
        press(chromium, RIGHT, "1")
        wait(lambda: "Not stored yet" in css(chromium, "#problem").text)
        assert flagged(study) == []
    with served(study.root, port, "set", SET, "--reviewer", "ada"):
        # The page tries again by itself.
        wait(lambda: flagged(study) == [("exclude", ("wrong_class",))])
        wait(lambda: css(chromium, "#problem").text == "")
    chromium.get_log("browser")  # of the server that was not there
