"""The report of an analysis in a real browser: every control, no error, no sideways scrolling."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from support.zoos import planted

from replicate.analysis.replication import analyse
from replicate.analysis.replication_data import Options
from replicate.reporting.analysis_json import as_json
from replicate.reporting.analysis_page import write_page

pytestmark = pytest.mark.chromium
NAMES = ("alexnet", "resnet_50", "resnet_18_with_quite_a_long_name_indeed", "vgg", "vit_b_16")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    old, new, _, _ = planted(5, NAMES)
    found = analyse(old, [new], Options(resamples=200))
    return write_page(tmp_path_factory.mktemp("page") / "out.html", found, as_json(found))[0]


@pytest.fixture
def browser(chromium, page):
    chromium.set_window_size(1200, 900)
    chromium.get(page.as_uri())
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert chromium.get_log("browser") == []


def find(browser, selector):
    return browser.find_elements("css selector", selector)


def test_every_control_works(browser):
    shown = [e.get_attribute("class") for e in find(browser, ".view") if e.is_displayed()]
    assert len(shown) == 1
    for scale in ("linear", "probit", "logit"):
        find(browser, f"label[for=scale-1-{scale}]")[0].click()
        (view,) = [e for e in find(browser, ".view") if e.is_displayed()]
        assert scale in view.get_attribute("class")
    point = find(browser, ".view.logit .pt[data-name=alexnet]")[0]
    browser.execute_script("arguments[0].focus()", point)
    assert find(browser, ".says")[0].text.startswith("alexnet: ")
    find(browser, ".finder input")[0].send_keys("resnet, vgg")
    assert find(browser, ".finder output")[0].text == "3 found"
    assert len(find(browser, ".view.logit .pt.found")) == 3
    first = find(browser, "#models tbody td")[0].text
    button = find(browser, "#models th:nth-child(2) button.sort")[0]
    button.click()
    assert find(browser, "#models tbody td")[0].text == first
    button.click()
    assert find(browser, "#models tbody td")[0].text == "alexnet"


@pytest.mark.parametrize("width", [320, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_readable(browser, width, scheme, page, screenshots):
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(page.as_uri())
    measure = "return document.documentElement.scrollWidth - window.innerWidth"
    assert browser.execute_script(measure) <= 0
    style = "return getComputedStyle(document.body)"
    ink, paper = (
        sum(map(int, browser.execute_script(f"{style}.{name}").strip("rgb()").split(",")))
        for name in ("color", "backgroundColor")
    )
    assert (ink < 200 and paper > 700) if scheme == "light" else (ink > 600 and paper < 120)
    audit = "axe.run().then(r => arguments[arguments.length - 1](r.violations))"
    axe = Path(str(find_spec("axe_playwright_python").origin)).with_name("axe.min.js")
    # The page's own policy allows no other script: the audit comes in by the debugger.
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": axe.read_text(encoding="utf-8")})
    found = browser.execute_async_script(audit)
    assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []
    browser.save_screenshot(str(screenshots / f"analysis-{scheme}-{width}.png"))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
