"""What a person does in a browser, in a few words."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .conftest import Work


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
    wait(lambda: all_css(driver, "#grid img"))
    loaded = "return [...document.images].every(i => i.complete || !i.src)"
    wait(lambda: driver.execute_script(loaded))
    return [image.get_attribute("data-slot") for image in all_css(driver, "#grid img")]


def tile(driver: Any, slot: str) -> Any:
    """An image's tile, in the middle of the window."""
    found = css(driver, f'.tile:has(img[data-slot="{slot}"])')
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    return found


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(driver).send_keys(key).perform()


def focused(driver: Any) -> str:
    """What has the focus: its id, or the name that a screen reader says."""
    element = driver.switch_to.active_element
    return str(element.get_attribute("id") or element.accessible_name)


def complaints(driver: Any) -> list[str]:
    """What the browser objected to since it was asked last."""
    told = [e for e in driver.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
    return [e["message"] for e in told if "favicon" not in e["message"]]


def finish(driver: Any) -> None:
    css(driver, "#send").click()
    wait(lambda: "Your answer is stored" in driver.page_source)


def overflow(driver: Any) -> int:
    """Pixels by which a page is wider than its window."""
    return int(
        driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    )


@contextmanager
def phone(driver: Any, width: int, height: int = 780) -> Iterator[None]:
    """A phone's window, with fingers instead of a mouse."""
    size = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@contextmanager
def preferring(driver: Any, **features: str) -> Iterator[None]:
    """What a person has chosen: ``prefers_color_scheme="dark"``, ``forced_colors="active"`` …"""
    chosen = [{"name": n.replace("_", "-"), "value": v} for n, v in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": chosen})
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def tap(driver: Any, element: Any) -> None:
    """A finger on the middle of an element."""
    box = driver.execute_script(
        "const r = arguments[0].getBoundingClientRect();"
        "return {x: r.x + r.width / 2, y: r.y + r.height / 2}",
        element,
    )
    touch = {"type": "touchStart", "touchPoints": [box]}
    driver.execute_cdp_cmd("Input.dispatchTouchEvent", touch)
    driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
