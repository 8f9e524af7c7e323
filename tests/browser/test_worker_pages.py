"""A participant of a platform in a real browser: from the link to the code, and out again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from replicate.crowdserver.recruiting import recruit

from .conftest import Work, select_page
from .driving import all_css, complaints, css, overflow, phone, preferring, wait

pytestmark = pytest.mark.chromium
OWN = ("", "/work", "/finish", "/withdraw", "/leave", "/sign-out", "/messages", "/qualifications")


def test_from_the_link_to_the_code_and_out_again(
    chromium: Any, crowd: Any, publish: Callable[[str], Work], screenshots: Path
) -> None:
    work = publish(select_page(crowd.digests[:6], class_id="only here"))
    made = recruit(crowd.db, "browser", "C1A2B3", hits_needed=1, completion_url=None)
    chromium.get(made.link.replace("{{%PROLIFIC_PID%}}", "5f1e2d3c4b5a69788796a5b4"))
    chromium.get_log("browser")
    assert "PROLIFIC" not in chromium.current_url
    css(chromium, f'li[data-hit-id="{work.hit}"] form button').click()
    wait(lambda: all_css(chromium, "#grid .round"))
    # The same page in a second tab, where the time runs out.
    first = chromium.current_window_handle
    address = chromium.current_url
    chromium.switch_to.new_window("tab")
    chromium.get(address)
    wait(lambda: all_css(chromium, "#grid .round"))
    css(chromium, "#none").click()
    chromium.switch_to.window(first)
    crowd.advance(601)
    css(chromium, "#none").click()
    css(chromium, "#send").click()
    wait(lambda: "The time for this HIT is over" in chromium.page_source)
    css(chromium, 'a.button[href="/worker"]').click()
    css(chromium, f'li[data-hit-id="{work.hit}"] form button').click()
    wait(lambda: all_css(chromium, "#grid .round"))
    css(chromium, "#none").click()
    css(chromium, "#send").click()
    wait(lambda: "Your answer is stored" in chromium.page_source)
    assert work.answer()["none"] is True
    css(chromium, 'a.button[href="/worker/finish"]').click()
    assert css(chromium, ".code").text == "C1A2B3"
    back = css(chromium, 'main a.button[rel="noreferrer"]').get_attribute("href")
    assert back == "https://app.prolific.com/submissions/complete?cc=C1A2B3"
    chromium.save_screenshot(str(screenshots / "finish.png"))
    # Everything that concerns the worker alone fits a phone, in the dark as well.
    root = f"{urlsplit(crowd.worker_url).scheme}://{urlsplit(crowd.worker_url).netloc}"
    for path in OWN:
        for scheme in ("light", "dark"):
            with phone(chromium, 320), preferring(chromium, prefers_color_scheme=scheme):
                chromium.get(f"{root}/worker{path}")
                assert overflow(chromium) <= 0, path
                name = f"worker{path.replace('/', '-')}-{scheme}.png"
                chromium.save_screenshot(str(screenshots / name))
    # The other tab: it was sent in here.
    chromium.switch_to.window(chromium.window_handles[-1])
    css(chromium, "#send").click()
    wait(
        lambda: (
            "Your answer is stored" in chromium.page_source
            or "first answer is kept" in chromium.page_source
        )
    )
    chromium.close()
    chromium.switch_to.window(first)
    chromium.get(f"{root}/worker/work")
    css(chromium, "ul.pieces a.button").click()
    css(chromium, "button.grave").click()
    wait(lambda: "You withdrew your answer" in chromium.page_source)
    listed = work.requester.list_assignments_for_hit(HITId=work.hit)["Assignments"]
    assert "withdrawn" in listed[0]["Answer"]
    chromium.get(f"{root}/worker/sign-out")
    css(chromium, "form button").click()
    wait(lambda: "You have signed out" in chromium.page_source)
    chromium.get(f"{root}/worker")
    assert "Please use your link" in chromium.page_source
    assert requests.get(f"{root}/worker").status_code == 401
    refused = ("401", "409", "410")  # each of these was asked for above
    assert [line for line in complaints(chromium) if not any(n in line for n in refused)] == []
