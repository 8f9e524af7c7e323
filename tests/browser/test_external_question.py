"""A HIT whose page is on another server, done in a real Chromium."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.crowd import client, hit_values, running

from replicate.crowdserver.admin import invite

PAGE = b"""<!doctype html><title>The lab</title><form method="post">
<input type="hidden" name="assignmentId"><input name="mood" value="good">
<button>Send</button></form>
<script>
var query = new URLSearchParams(location.search), form = document.forms[0];
form.action = query.get("turkSubmitTo") + "/mturk/externalSubmit";
form.elements.assignmentId.value = query.get("assignmentId");
localStorage.setItem("visited", query.get("workerId"));
</script>"""
SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/"
    "ExternalQuestion.xsd"
)
pytestmark = pytest.mark.chromium


class _Lab(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def lab() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lab)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/task"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_answer_of_a_page_elsewhere_is_stored(chromium: Any, lab: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    question = (
        f'<ExternalQuestion xmlns="{SCHEMA}"><ExternalURL>{lab}</ExternalURL>'
        "<FrameHeight>0</FrameHeight></ExternalQuestion>"
    )
    with running(tmp_path / "crowd.db", sandbox=True) as server:
        requester = client(server)
        hit = requester.create_hit(**hit_values(question))["HIT"]["HITId"]
        chromium.get(invite(server.db, names=["ada"])[0])
        chromium.find_element(By.TAG_NAME, "button").click()  # accept
        wait = WebDriverWait(chromium, 20)
        wait.until(lambda d: "/worker/assignments/" in d.current_url)
        chromium.switch_to.frame(chromium.find_element(By.TAG_NAME, "iframe"))
        wait.until(lambda d: d.find_elements(By.NAME, "mood"))
        chromium.find_element(By.TAG_NAME, "button").click()
        wait.until(lambda d: "is stored" in d.find_element(By.TAG_NAME, "h1").text)
        chromium.find_element(By.LINK_TEXT, "To your HITs").click()
        chromium.switch_to.default_content()
        wait.until(lambda d: d.current_url == f"{server.worker_url}?said=saved")
        [work] = requester.list_assignments_for_hit(HITId=hit)["Assignments"]
        assert "<FreeText>good</FreeText>" in work["Answer"]
    chromium.get("about:blank")
