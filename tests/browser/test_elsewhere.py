"""A page on another endpoint of the protocol, which fills nothing in; a bad connection."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from replicate.base.images import encode_png

from .conftest import digit_like, select_page
from .driving import all_css, css, tile, wait

pytestmark = pytest.mark.chromium
DIGESTS = [f"{n:064x}" for n in range(12)]


@contextmanager
def endpoint(html: str) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """A server that knows nothing of pages: it shows the HTML and keeps what is posted."""
    got: list[dict[str, list[str]]] = []

    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                ended.wait(30)
            elif self.path.startswith("/image"):
                self.reply(encode_png(digit_like(int(self.path[6:], 16))), "image/png")
            else:
                self.reply(html.replace("replicate-image:", "/image").encode(), "text/html")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            got.append({"path": [self.path], **parse_qs(body, keep_blank_values=True)})
            self.reply(b"<p>Thank you", "text/html")

        def reply(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _order(driver: Any) -> list[str]:
    return [image.get_attribute("data-slot") for image in all_css(driver, "#grid img")]


def test_another_endpoint(chromium: Any) -> None:
    with endpoint(select_page(DIGESTS)) as (origin, got):
        orders = []
        for assignment in ("3A", "3B", "3A"):
            query = {"assignmentId": assignment, "hitId": "3H", "turkSubmitTo": origin}
            chromium.get(f"{origin}/page?{urlencode(query)}")
            orders.append(_order(chromium))
        assert orders[0] == orders[2] != orders[1]
        assert sorted(orders[0]) == [f"i{n:02d}" for n in range(1, 13)]
        names = [box.accessible_name for box in all_css(chromium, "[name=selected], [name=broken]")]
        assert names[:4] == ["Image 1", "Image 1: Broken", "Image 2", "Image 2: Broken"]
        tile(chromium, "i04").find_element("css selector", ".pick").click()
        chromium.refresh()  # what was marked is kept by the browser, where it may
        wait(lambda: css(chromium, '[value="i04"]').is_selected())
        css(chromium, "#send").click()
        wait(lambda: "Thank you" in chromium.page_source)
    (sent,) = got
    answer = json.loads(sent.pop("answer")[0])
    assert sent == {"path": ["/mturk/externalSubmit"], "assignmentId": ["3A"]}
    assert (answer["selected"], answer["order"]) == (["i04"], orders[0])


def test_another_endpoints_preview(chromium: Any) -> None:
    with endpoint(select_page(DIGESTS)) as (origin, got):
        for query in ("", "?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE"):
            chromium.get(f"{origin}/page{query}")
            assert css(chromium, "#preview").is_displayed()
            assert not any(one.is_enabled() for one in all_css(chromium, "form input, form button"))
    assert got == []


def test_images_that_have_not_loaded_are_no_no(chromium: Any) -> None:
    """On a bad connection nothing that was not seen may count as not selected."""
    with endpoint(select_page(DIGESTS)) as (origin, got):
        chromium.get(f"{origin}/page?assignmentId=3C&turkSubmitTo={origin}")
        order = _order(chromium)
        chromium.execute_script(
            "for (const image of [...document.querySelectorAll('#grid img')].slice(2)) {"
            "image.removeAttribute('src'); image.src = '/slow'; }"
        )
        tile(chromium, order[0]).find_element("css selector", ".pick").click()
        css(chromium, "#send").click()
        assert "have not loaded yet: 10" in css(chromium, "#notice").text
        css(chromium, "#send").click()
        wait(lambda: "Thank you" in chromium.page_source)
    answer = json.loads(got[0]["answer"][0])
    assert answer["selected"] == [order[0]]
    assert answer["broken"] == sorted(order[2:])
