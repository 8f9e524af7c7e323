"""The requester's page in a real browser: signed in, looked through, on a phone, by axe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.crowd import Person, client
from support.requester import our_answer

from replicate.crowdserver.admin import add_key, invite

from .conftest import Work, select_page
from .driving import all_css, complaints, css, overflow, phone, preferring, wait
from .test_accessible import axe, findings

pytestmark = pytest.mark.chromium
__all__ = ["axe"]


def test_a_batch_is_looked_through(
    chromium: Any, crowd: Any, publish: Callable[[str], Work], axe: str, screenshots: Path
) -> None:
    work = publish(select_page(crowd.digests[:12], class_id="<i>requester</i>"))
    Person(crowd, invite(crowd.db, 1)[0]).do(work.hit, our_answer(["i01", "i07"], ["i03"]))
    key, secret = add_key(crowd.db)
    root = f"{crowd.endpoint}/requester"
    chromium.get(root)
    chromium.get_log("browser")
    assert findings(chromium, axe) == []
    css(chromium, "#key").send_keys(key)
    css(chromium, "#secret").send_keys(secret)
    css(chromium, "form button").click()
    wait(lambda: "Batches" in chromium.title)
    for path in ("", f"/hits/{work.hit}", f"/hits/{work.hit}/end", f"/hits/{work.hit}/look"):
        for scheme in ("light", "dark"):
            with preferring(chromium, prefers_color_scheme=scheme):
                chromium.get(root + path)
                assert findings(chromium, axe) == [], path
                chromium.save_screenshot(
                    str(screenshots / f"requester{path.replace('/', '-')}-{scheme}.png")
                )
        with phone(chromium, 320):
            chromium.get(root + path)
            assert overflow(chromium) <= 0, path
    chromium.get(f"{root}/hits/{work.hit}")
    thumbs = all_css(chromium, ".thumbs img")
    wide = "return arguments[0].naturalWidth"
    assert [image.get_attribute("alt") for image in thumbs] == ["i01", "i07", "i03"]
    chromium.execute_script("scrollTo(0, document.body.scrollHeight)")
    wait(lambda: all(chromium.execute_script(wide, image) > 0 for image in thumbs))
    css(chromium, 'a[href*="/batches/"]').click()
    assert css(chromium, ".numbers b")
    assert findings(chromium, axe) == []
    with phone(chromium, 320):
        assert overflow(chromium) <= 0
        assert findings(chromium, axe) == []
    assert complaints(chromium) == []


def test_the_view_of_a_worker_can_be_tried_and_not_sent(
    chromium: Any, crowd: Any, publish: Callable[[str], Work]
) -> None:
    work = publish(select_page(crowd.digests[:12], class_id="tried"))
    key, secret = add_key(crowd.db)
    chromium.get(f"{crowd.endpoint}/requester/sign-in")
    if all_css(chromium, "#key"):
        css(chromium, "#key").send_keys(key)
        css(chromium, "#secret").send_keys(secret)
        css(chromium, "form button").click()
    chromium.get(f"{crowd.endpoint}/requester/hits/{work.hit}/look")
    chromium.get_log("browser")
    chromium.switch_to.frame(css(chromium, "iframe"))
    try:
        wait(lambda: len(all_css(chromium, "#grid .round")) == 12)
        images = all_css(chromium, "#grid img")
        loaded = "return arguments[0].complete && arguments[0].naturalWidth > 0"
        wait(lambda: all(chromium.execute_script(loaded, image) for image in images))
        css(chromium, "#none").click()
        address = chromium.execute_script("return location.href")
        css(chromium, "#send").click()
        # Neither the button nor a script of the page gets anything away.
        after = chromium.execute_async_script(
            "document.querySelector('form').submit();"
            "setTimeout(() => arguments[0](location.href), 500)"
        )
        assert after == address
        assert chromium.execute_script("return origin") == "null"  # it reaches nothing of ours
    finally:
        chromium.switch_to.default_content()
    found = client(crowd, (key, secret)).list_assignments_for_hit(HITId=work.hit)
    assert found["NumResults"] == 0
