"""A person selects images in a real browser: with the mouse, with the keyboard, on a phone."""

from pathlib import Path
from typing import Any

import pytest
from support.crowd import hit_values

from .conftest import CLASS, Work
from .driving import (
    all_css,
    complaints,
    css,
    finish,
    focused,
    overflow,
    phone,
    press,
    start,
    tap,
    tile,
    wait,
)

pytestmark = pytest.mark.chromium


def test_with_the_mouse(chromium: Any, work: Work, screenshots: Path) -> None:
    order = start(chromium, work)
    assert sorted(order) == [f"i{n:02d}" for n in range(1, 49)]
    assert order != sorted(order)
    assert CLASS in css(chromium, "h1").text
    assert [a.text for a in all_css(chromium, ".about a")] == ["Wikipedia"]
    names = [box.accessible_name for box in all_css(chromium, "[name=selected]")]
    assert names == [f"Image {n}" for n in range(1, 49)]
    for slot in ("i03", "i17", "i40", "i05"):
        tile(chromium, slot).find_element("css selector", "label").click()
    tile(chromium, "i05").find_element("css selector", "label").click()  # and off again
    tile(chromium, "i09").find_element("css selector", ".flag").click()
    tile(chromium, "i40").find_element("css selector", ".flag").click()  # selected, then broken
    assert css(chromium, "#count").text == "2 of 48 selected, 2 broken"
    # Nothing lies over an image that the mouse is not on, but what is marked stays marked.
    seen = "return getComputedStyle(document.querySelector(arguments[0])).opacity"
    css(chromium, "h1").click()
    for selector, opacity in [
        ('.pick:has([value="i03"]) .mark', "1"),
        ('.pick:has([value="i05"]) .mark', "0"),
        ('.flag:has([value="i09"])', "1"),
        ('.flag:has([value="i03"])', "0"),
    ]:
        assert chromium.execute_script(seen, selector) == opacity, selector
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
    from selenium.webdriver import Keys

    order = start(chromium, work)
    wide = chromium.execute_script(
        "const t = [...document.querySelectorAll('.tile')];"
        "return t.filter(x => x.offsetTop === t[0].offsetTop).length"
    )
    assert 6 <= wide <= 9
    press(chromium, Keys.ARROW_RIGHT, Keys.SPACE)  # the first image
    press(chromium, Keys.ARROW_RIGHT, Keys.SPACE)  # the second
    press(chromium, Keys.ARROW_DOWN, "b")  # below the second: broken
    press(chromium, "4")  # the fourth of that row
    press(chromium, Keys.END, Keys.SPACE, Keys.SPACE)  # the last: on and off
    css(chromium, "#keys").click()  # letters and digits can be turned off
    press(chromium, "n", "5")
    css(chromium, "#keys").click()
    assert not css(chromium, "#none").is_selected()
    press(chromium, Keys.TAB, Keys.HOME, Keys.ARROW_UP, Keys.ARROW_LEFT)  # no way out of the grid
    assert focused(chromium) == "Image 1"
    press(chromium, "n")
    assert not css(chromium, "#none").is_selected()
    assert "Some images are selected" in css(chromium, "#notice").text
    press(chromium, Keys.TAB)
    assert focused(chromium) == "none"
    press(chromium, Keys.TAB)
    assert focused(chromium) == "send"
    press(chromium, Keys.ENTER)
    wait(lambda: "Your answer is stored" in chromium.page_source)
    answer = work.answer()
    assert answer["selected"] == sorted([order[0], order[1], order[wide + 3]])
    assert answer["broken"] == [order[wide + 1]]


def test_an_image_large_over_the_page(chromium: Any, work: Work, screenshots: Path) -> None:
    from selenium.webdriver import Keys

    order = start(chromium, work)
    press(chromium, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    box = css(chromium, "#zoom")
    assert box.is_displayed() and css(chromium, "#zoom-name").text == "Image 2"
    large, small = css(chromium, "#zoom-image").size, tile(chromium, order[1]).size
    assert min(large.values()) > 3 * small["width"]
    press(chromium, Keys.SPACE)
    assert css(chromium, "#zoom-name").text == "Image 2, selected"
    assert css(chromium, "#zoom-select").get_attribute("aria-pressed") == "true"
    chromium.save_screenshot(str(screenshots / "zoom.png"))
    press(chromium, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, "b")
    assert css(chromium, "#zoom-name").text == "Image 4, broken"
    press(chromium, Keys.ESCAPE)
    assert not box.is_displayed()
    wait(lambda: focused(chromium) == "Image 4")  # that was looked at last
    press(chromium, Keys.ENTER, Keys.ENTER)
    assert not box.is_displayed()
    # with the mouse: the button of a tile, then the buttons below the image
    tile(chromium, order[6]).find_element("css selector", ".round").click()
    css(chromium, "#zoom-select").click()
    press(chromium, Keys.SPACE, Keys.SPACE)  # a mouse's click does not keep the focus
    for name in ("next", "broken", "previous", "previous", "select", "close"):
        css(chromium, f"#zoom-{name}").click()
    assert not box.is_displayed()
    finish(chromium)
    assert work.votes()["yes"] == sorted([order[1], order[6], order[5]])
    assert work.votes()["broken"] == sorted([order[3], order[7]])


def test_nothing_selected_needs_none_of_these(chromium: Any, work: Work) -> None:
    start(chromium, work)
    css(chromium, "#send").click()
    assert "None of these" in css(chromium, "#notice").text
    assert all_css(chromium, "#grid")  # still there
    css(chromium, "#none").click()
    assert css(chromium, "#none").is_selected()
    tile(chromium, "i01").find_element("css selector", "label").click()
    assert not css(chromium, "#none").is_selected()
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
    wait(lambda: all_css(chromium, "#grid .round"))
    shown = [image.get_attribute("data-slot") for image in all_css(chromium, "#grid img")]
    assert shown == order
    assert css(chromium, "#count").text == "2 of 9 selected, 1 broken"
    finish(chromium)
    answer = work.answer()
    assert (answer["selected"], answer["broken"]) == (["i02", "i05"], ["i07"])


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone(chromium: Any, work: Work, screenshots: Path, width: int) -> None:
    with phone(chromium, width):
        start(chromium, work)
        tap(chromium, tile(chromium, "i03"))
        tap(chromium, tile(chromium, "i04").find_element("css selector", ".flag"))
        tap(chromium, tile(chromium, "i05").find_element("css selector", ".round"))
        wait(lambda: css(chromium, "#zoom").is_displayed())
        chromium.save_screenshot(str(screenshots / f"phone-{width}-zoom.png"))
        tap(chromium, css(chromium, "#zoom-select"))
        tap(chromium, css(chromium, "#zoom-close"))
        wait(lambda: css(chromium, "#count").text == "2 of 48 selected, 1 broken")
        assert overflow(chromium) == 0
        sizes = chromium.execute_script(
            "return [...document.querySelectorAll('button, label, summary')]"
            ".map(b => b.getBoundingClientRect()).filter(r => r.width)"
            ".map(r => Math.min(r.width, r.height))"
        )
        assert len(sizes) > 3 * 48 and min(sizes) >= 24
        chromium.execute_script("scrollTo(0, 0)")
        chromium.save_screenshot(str(screenshots / f"phone-{width}.png"))
        tile(chromium, "i04")
        chromium.save_screenshot(str(screenshots / f"phone-{width}-grid.png"))
        tap(chromium, css(chromium, "#send"))
        wait(lambda: "Your answer is stored" in chromium.page_source)
    assert work.votes()["yes"] == ["i03", "i05"]
    assert work.votes()["broken"] == ["i04"]


def test_the_list_and_a_preview(chromium: Any, work: Work, screenshots: Path) -> None:
    chromium.set_window_size(1280, 860)
    chromium.get(work.link)
    chromium.save_screenshot(str(screenshots / "list.png"))
    css(chromium, f'li[data-hit-id="{work.hit}"] a').click()
    frame = wait(lambda: css(chromium, "iframe"))
    chromium.switch_to.frame(frame)
    wait(lambda: all_css(chromium, "#grid .round"))
    assert css(chromium, "#preview").is_displayed()
    controls = all_css(chromium, "form input, form button")
    assert len(controls) > 3 * 48
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


def test_an_image_is_reported(chromium: Any, work: Work, screenshots: Path) -> None:
    from selenium.webdriver import Keys

    order = start(chromium, work)
    flag = tile(chromium, order[1]).find_element("css selector", ".report input")
    assert flag.accessible_name == "Image 2: Report"
    tile(chromium, order[1]).find_element("css selector", ".report").click()
    tile(chromium, order[4]).find_element("css selector", "label").click()
    assert css(chromium, "#count").text == "1 of 48 selected, 1 reported"
    press(chromium, "r")  # the image in focus, which stays selected
    press(chromium, Keys.ENTER)
    assert css(chromium, "#zoom-name").text == "Image 5, selected, reported"
    assert css(chromium, "#zoom-report").get_attribute("aria-pressed") == "true"
    chromium.save_screenshot(str(screenshots / "reported.png"))
    press(chromium, Keys.ARROW_RIGHT)
    css(chromium, "#zoom-report").click()
    css(chromium, "#zoom-report").click()  # taken back
    press(chromium, Keys.ESCAPE)
    assert css(chromium, "#count").text == "1 of 48 selected, 2 reported"
    chromium.execute_script("scrollTo(0, 0)")
    chromium.save_screenshot(str(screenshots / "reported-page.png"))
    finish(chromium)
    answer = work.answer()
    assert answer["unsafe"] == sorted([order[1], order[4]])
    assert answer["selected"] == [order[4]]
    assert work.votes() == {"yes": [order[4]], "no": sorted(set(order) - {order[4]})}
