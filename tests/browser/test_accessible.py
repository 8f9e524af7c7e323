"""axe-core finds nothing in our pages, in light and in dark; nothing moves while they load."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from support.crowd import Running

from replicate.crowd.pages import PageText, render_image, render_pair

from .conftest import TEXT, Work, select_page
from .driving import all_css, css, focused, overflow, phone, preferring, press, start, tile, wait

pytestmark = pytest.mark.chromium
PAGES = ("select", "pair", "single")
# Whether the bar at the bottom lies over what has the focus.
HIDDEN = (
    "const bar = document.getElementById('bottom'), e = document.activeElement;"
    "return !bar.contains(e) && "
    "e.getBoundingClientRect().bottom > bar.getBoundingClientRect().top + 1"
)
# Texts and what they stand on, of which WCAG wants 4.5 to 1; borders of controls, 3 to 1.
PAIRS = (
    ("ink", "ground", 4.5),
    ("ink", "card", 4.5),
    ("soft", "ground", 4.5),
    ("accent", "ground", 4.5),
    ("accent", "card", 4.5),
    ("on-accent", "accent", 4.5),
    ("warn", "card", 4.5),
    ("warn", "warn-ground", 4.5),
    ("edge", "ground", 3.0),
)


@pytest.fixture(scope="module")
def axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def page(crowd: Running, publish: Callable[[str], Work], request: pytest.FixtureRequest) -> Work:
    text = PageText("pairs", "", "Is this the same photo?", consent="You can stop.")
    html = {
        "select": lambda: select_page(crowd.digests[:12]),
        "pair": lambda: render_pair(text, *crowd.digests[:2]),
        "single": lambda: render_image(replace(TEXT, question="Is this a"), crowd.digests[0]),
    }
    return publish(html[request.param]())


def findings(driver: Any, axe: str) -> list[str]:
    """What axe objects to on the page as it is, whatever its weight."""
    driver.execute_script(axe)
    result = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    assert len(result["passes"]) > 10
    return [
        f"{rule['impact']}: {rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_axe_finds_nothing(
    chromium: Any, page: Work, axe: str, scheme: str, screenshots: Path, request: Any
) -> None:
    name = request.node.callspec.params["page"]
    with preferring(chromium, prefers_color_scheme=scheme):
        start(chromium, page)
        assert findings(chromium, axe) == []
        if name == "select":
            tile(chromium, "i03").find_element("css selector", ".flag").click()
            tile(chromium, "i02").find_element("css selector", ".pick").click()
        else:
            press(chromium, "y", "s", "b")  # a verdict, then broken
        chromium.save_screenshot(str(screenshots / f"{name}-{scheme}.png"))
        assert findings(chromium, axe) == []
        tile(chromium, "i01").find_element("css selector", ".round").click()
        wait(lambda: css(chromium, "#zoom").is_displayed())
        assert findings(chromium, axe) == []


def test_axe_finds_nothing_on_the_servers_pages(chromium: Any, work: Work, axe: str) -> None:
    for scheme in ("light", "dark"):
        with preferring(chromium, prefers_color_scheme=scheme):
            chromium.get(work.link)
            assert findings(chromium, axe) == []
            css(chromium, f'li[data-hit-id="{work.hit}"] a').click()
            assert findings(chromium, axe) == []
            chromium.switch_to.frame(css(chromium, "iframe"))
            assert findings(chromium, axe) == []
            chromium.switch_to.default_content()
            for path in ("work", "withdraw", "leave", "sign-out", "messages", "qualifications"):
                chromium.get(f"{work.server.worker_url}/{path}")
                assert findings(chromium, axe) == [], path


def test_forced_colours_contrast_and_no_motion(
    chromium: Any, work: Work, screenshots: Path
) -> None:
    chosen = {"forced_colors": "active", "prefers_contrast": "more"}
    with preferring(chromium, prefers_reduced_motion="reduce", **chosen):
        order = start(chromium, work)
        tile(chromium, order[20]).find_element("css selector", ".pick").click()
        tile(chromium, order[21]).find_element("css selector", ".flag").click()
        chromium.save_screenshot(str(screenshots / "forced-colours.png"))
        style = "const s = getComputedStyle(arguments[0]); return [s.outlineStyle, s.outlineWidth]"
        chosen_style = chromium.execute_script(style, css(chromium, ".pick:has(:checked)"))
        assert chosen_style == ["solid", "4px"]  # a colour alone would not show
        moving = "return document.getAnimations().length"
        assert chromium.execute_script(moving) == 0
    with preferring(chromium, prefers_contrast="more"):
        chromium.save_screenshot(str(screenshots / "contrast.png"))
        ink = chromium.execute_script("return getComputedStyle(document.body).color")
        assert ink == "rgb(0, 0, 0)"


def test_focus_can_be_seen_on_everything(chromium: Any, work: Work) -> None:
    from selenium.webdriver import Keys

    start(chromium, work)
    seen = []
    for _ in range(14):
        press(chromium, Keys.TAB)
        # an image's box fills its tile, a button's box its label: there the ring is drawn
        ring = chromium.execute_script(
            "const e = document.activeElement, near = [e, e.closest('.tile'), e.closest('label')];"
            "const style = near.filter(x => x).map(x => getComputedStyle(x));"
            "return [e.id || e.tagName,"
            "style.some(s => parseInt(s.outlineWidth) >= 2 && s.outlineStyle !== 'none')]"
        )
        if ring[0] == "BODY":
            break
        seen.append(ring)
        assert not chromium.execute_script(HIDDEN), ring
    css(chromium, "[name=selected]").send_keys(Keys.END)
    assert focused(chromium) == "Image 48"
    assert not chromium.execute_script(HIDDEN)
    assert {"none", "send", "SUMMARY", "A", "INPUT"} <= {name for name, _ in seen}
    assert [name for name, visible in seen if not visible] == []


def _luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance of a colour like #1f5fd0 or #fff."""
    digits = colour.strip().lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("wish", ["no-preference", "more"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_differ_enough(chromium: Any, crowd: Running, scheme: str, wish: str) -> None:
    assert contrast("#fff", "#000000") == pytest.approx(21)
    html = select_page(crowd.digests[:1])
    chromium.get("data:text/html;base64," + b64encode(html.encode()).decode())
    value = (
        "return getComputedStyle(document.documentElement).getPropertyValue('--' + arguments[0])"
    )
    with preferring(chromium, prefers_color_scheme=scheme, prefers_contrast=wish):
        for front, back, least in PAIRS:
            found = [chromium.execute_script(value, name) for name in (front, back)]
            wanted = least if wish == "no-preference" else 7.0
            assert contrast(*found) >= wanted, (front, back, found)
    # signs over an image, on the lightest image there is: the disc is 82 % opaque
    disc = "#" + "".join(f"{round(0.82 * part + 0.18 * 255):02x}" for part in (17, 22, 29))
    assert contrast("#fff", disc) >= 7
    assert contrast("#fff", "#a63c0a") >= 4.5


@pytest.mark.parametrize("width", [1280, 320])
def test_nothing_moves_while_the_page_loads(chromium: Any, work: Work, width: int) -> None:
    watch = (
        "window.moved = []; new PerformanceObserver(l => { for (const e of l.getEntries()) "
        "moved.push([e.value, e.startTime, ...e.sources.map(s => s.node && s.node.textContent)]) })"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    command = "Page.addScriptToEvaluateOnNewDocument"
    added = chromium.execute_cdp_cmd(command, {"source": watch})
    # On a slow machine the page is painted before it is read to its end.
    chromium.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": 4})
    try:
        with phone(chromium, width) if width < 500 else nullcontext():
            start(chromium, work)
            chromium.execute_async_script("setTimeout(arguments[0], 200)")
            assert chromium.execute_script("return window.moved") == []
            assert overflow(chromium) == 0
    finally:
        chromium.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": 1})
        name = {"identifier": added["identifier"]}
        chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", name)


def test_texts_are_read_once_and_collapsed_from_then_on(
    chromium: Any, crowd: Running, publish: Callable[[str], Work]
) -> None:
    work = publish(select_page(crowd.digests[:4]))
    start(chromium, work)
    opened = [box.get_attribute("open") for box in all_css(chromium, "details")]
    assert opened == ["true", "true"]
    css(chromium, "#none").click()
    css(chromium, "#send").click()
    wait(lambda: "Your answer is stored" in chromium.page_source)
    again = publish(select_page(crowd.digests[4:8]))  # nobody sees an image twice
    start(chromium, again)
    assert [box.get_attribute("open") for box in all_css(chromium, "details")] == [None, None]
