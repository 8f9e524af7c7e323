"""A person does HITs in a real browser: with the mouse, with the keyboard, on a phone."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.crowd import hit_values

from .conftest import CLASS, Work

pytestmark = pytest.mark.chromium


def css(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", selector)


def all_css(driver: Any, selector: str) -> list[Any]:
    return list(driver.find_elements("css selector", selector))


def wait(test: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := test()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.03)
    return found


def start(driver: Any, work: Work, width: int = 1280, height: int = 860) -> list[str]:
    """Join and accept; the slots in the order in which they are shown."""
    driver.set_window_size(width, height)
    driver.get_log("browser")
    driver.get(work.link)
    css(driver, f'li[data-hit-id="{work.hit}"] form button').click()
    wait(lambda: all_css(driver, "#grid .flag"))
    wait(lambda: driver.execute_script("return [...document.images].every(i => i.complete)"))
    return [image.get_attribute("data-slot") for image in all_css(driver, "#grid img")]


def tile(driver: Any, slot: str) -> Any:
    """An image's tile, in the middle of the window."""
    found = css(driver, f'.tile:has(img[data-slot="{slot}"])')
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    return found


def complaints(driver: Any) -> list[str]:
    return [e["message"] for e in driver.get_log("browser") if "favicon" not in e["message"]]


def finish(driver: Any) -> None:
    css(driver, "#send").click()
    wait(lambda: "Your answer is stored" in driver.page_source)


def test_with_the_mouse(chromium: Any, work: Work, screenshots: Path) -> None:
    order = start(chromium, work)
    assert sorted(order) == [f"i{n:02d}" for n in range(1, 49)]
    assert order != sorted(order)
    assert CLASS in css(chromium, "h1").text
    assert [a.text for a in all_css(chromium, ".about a")] == ["Wikipedia"]
    for slot in ("i03", "i17", "i40", "i05"):
        tile(chromium, slot).find_element("css selector", "label").click()
    tile(chromium, "i05").find_element("css selector", "label").click()  # and off again
    tile(chromium, "i09").find_element("css selector", ".flag").click()
    tile(chromium, "i40").find_element("css selector", ".flag").click()  # selected, then broken
    assert css(chromium, "#count").text == "2 of 48 selected, 2 broken"
    chromium.execute_script("scrollTo(0, 0)")
    chromium.save_screenshot(str(screenshots / "laptop.png"))
    assert complaints(chromium) == []
    finish(chromium)
    chromium.save_screenshot(str(screenshots / "after.png"))
    answer = work.answer()
    assert answer["selected"] == ["i03", "i17"]
    assert answer["broken"] == ["i09", "i40"]
    assert answer["none"] is False
    assert answer["order"] == order
    assert set(answer["times"]) == {"i03", "i05", "i09", "i17", "i40"}
    assert all(0 < ms < 60_000 for ms in answer["times"].values())


def test_with_the_keyboard_alone(chromium: Any, work: Work) -> None:
    from selenium.webdriver import ActionChains, Keys

    order = start(chromium, work)
    wide = chromium.execute_script(
        "const t = [...document.querySelectorAll('.tile')];"
        "return t.filter(x => x.offsetTop === t[0].offsetTop).length"
    )
    assert 6 <= wide <= 9

    def press(*keys: str) -> None:
        for key in keys:
            ActionChains(chromium).send_keys(key).perform()

    press(Keys.ARROW_RIGHT, Keys.SPACE)  # the first image
    press(Keys.ARROW_RIGHT, Keys.ENTER)  # the second
    press(Keys.ARROW_DOWN, "b")  # below the second: broken
    press("4")  # the fourth of that row
    press(Keys.END, Keys.SPACE, Keys.SPACE)  # the last: on and off
    press(Keys.HOME, Keys.ARROW_UP, Keys.ARROW_LEFT)  # no way out of the grid
    focused = chromium.switch_to.active_element
    assert focused.get_attribute("aria-label") == "Image 1"
    press(Keys.TAB, Keys.TAB)
    assert chromium.switch_to.active_element.get_attribute("id") == "send"
    press(Keys.ENTER)
    wait(lambda: "Your answer is stored" in chromium.page_source)
    answer = work.answer()
    assert answer["selected"] == sorted([order[0], order[1], order[wide + 3]])
    assert answer["broken"] == [order[wide + 1]]


def test_nothing_selected_needs_none_of_these(chromium: Any, work: Work) -> None:
    start(chromium, work)
    css(chromium, "#send").click()
    assert "None of these" in css(chromium, "#notice").text
    assert all_css(chromium, "#grid")  # still there
    css(chromium, "#none").click()
    assert css(chromium, "#none").get_attribute("aria-pressed") == "true"
    tile(chromium, "i01").find_element("css selector", "label").click()
    assert css(chromium, "#none").get_attribute("aria-pressed") == "false"
    tile(chromium, "i01").find_element("css selector", "label").click()
    css(chromium, "#none").click()
    finish(chromium)
    answer = work.answer()
    assert (answer["selected"], answer["none"]) == ([], True)


@pytest.mark.parametrize("work", [9], indirect=True)
def test_a_closed_tab_is_taken_up_again(chromium: Any, work: Work) -> None:
    order = start(chromium, work)
    for slot in ("i02", "i05"):
        tile(chromium, slot).find_element("css selector", "label").click()
    tile(chromium, "i07").find_element("css selector", ".flag").click()
    chromium.get("about:blank")
    chromium.get(work.server.worker_url)
    css(chromium, 'li[data-state="running"] form button').click()
    wait(lambda: all_css(chromium, "#grid .flag"))
    shown = [image.get_attribute("data-slot") for image in all_css(chromium, "#grid img")]
    assert shown == order
    assert css(chromium, "#count").text == "2 of 9 selected, 1 broken"
    finish(chromium)
    answer = work.answer()
    assert (answer["selected"], answer["broken"]) == (["i02", "i05"], ["i07"])


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone(chromium: Any, work: Work, screenshots: Path, width: int) -> None:
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 780, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        start(chromium, work)
        tile(chromium, "i03").find_element("css selector", "label").click()
        overflow = chromium.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow == 0
        sizes = chromium.execute_script(
            "return [...document.querySelectorAll('button, .tile label')]"
            ".map(b => b.getBoundingClientRect()).map(r => Math.min(r.width, r.height))"
        )
        assert min(sizes) >= 24
        chromium.execute_script("scrollTo(0, 0)")
        chromium.save_screenshot(str(screenshots / f"phone-{width}.png"))
        finish(chromium)
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert work.answer()["selected"] == ["i03"]


def test_the_list_and_a_preview(chromium: Any, work: Work, screenshots: Path) -> None:
    chromium.set_window_size(1280, 860)
    chromium.get(work.link)
    chromium.save_screenshot(str(screenshots / "list.png"))
    css(chromium, f'li[data-hit-id="{work.hit}"] a').click()
    frame = wait(lambda: css(chromium, "iframe"))
    chromium.switch_to.frame(frame)
    wait(lambda: all_css(chromium, "#grid .flag"))
    assert css(chromium, "#preview").is_displayed()
    controls = all_css(chromium, "#grid input, #grid button, #send, #none")
    assert not any(control.is_enabled() for control in controls)
    chromium.switch_to.default_content()
    chromium.save_screenshot(str(screenshots / "preview.png"))


def test_an_image_that_does_not_load_is_broken(chromium: Any, work: Work) -> None:
    question = work.requester.get_hit(HITId=work.hit)["HIT"]["Question"]
    changed = question.replace(work.server.digests[10], "0" * 64)  # a file that is not there
    values = hit_values(changed, Title="One is lost", MaxAssignments=1)
    work.hit = work.requester.create_hit(**values)["HIT"]["HITId"]
    start(chromium, work)
    wait(lambda: css(chromium, "#count").text == "0 of 48 selected, 1 broken")
    css(chromium, "#none").click()
    finish(chromium)
    assert work.answer()["broken"] == ["i11"]


def test_returning_a_hit(chromium: Any, work: Work) -> None:
    start(chromium, work)
    chromium.find_element("link text", "Return this HIT").click()
    wait(lambda: "Return this HIT?" in css(chromium, "h1").text)
    css(chromium, "form button").click()
    wait(lambda: all_css(chromium, f'li[data-hit-id="{work.hit}"][data-state="available"]'))


def test_a_question_cannot_reach_our_pages(chromium: Any, work: Work) -> None:
    start(chromium, work)
    assert chromium.execute_script("return window.origin") == "null"
    script = "try { return document.cookie + 'read' } catch (e) { return e.name }"
    assert chromium.execute_script(script) == "SecurityError"
    fetched = chromium.execute_async_script(
        "const done = arguments[0];"
        "fetch('/worker', {credentials: 'include'}).then(r => r.text())"
        ".then(done, e => done(e.name))"
    )
    assert fetched == "TypeError"
