import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urljoin

import pytest

from replicate.base.errors import ProviderError
from replicate.sandbox.browser import Browser
from replicate.sandbox.html import Form, elements


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    drops = 0
    busy = 0

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/join/a":
            self._answer(303, Location="/worker", Set_Cookie="session=s1; HttpOnly; Path=/")
        elif self.path == "/worker":
            self._answer(200, (self.headers.get("Cookie") or "").encode())
        elif self.path == "/round":
            self._answer(302, Location="/round")
        elif self.path == "/away":
            self._answer(302, Location="http://127.0.0.2:1/")
        elif self.path == "/drop" and type(self).drops < 2:
            type(self).drops += 1
            self.close_connection = True
        elif self.path == "/busy" and type(self).busy < 2:
            type(self).busy += 1
            self._answer(503)
        elif self.path.startswith("/image/"):
            self._answer(200, self.path.encode())
        else:
            self._answer(200, b"done")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Origin"].startswith("http://127.0.0.1:")
        self._answer(200, self.path.encode() + b"|" + body)

    def log_message(self, *args):
        pass


@pytest.fixture
def origin():
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def browser(origin):
    found = Browser(origin + "/join/a", timeout=5)
    yield found
    found.close()


def test_cookies_and_redirects(browser, origin):
    page = browser.get("/join/a")
    assert (page.status, page.url) == (200, origin + "/worker")
    assert page.text == "session=s1"


def test_forms_are_posted_as_browsers_do(browser):
    page = browser.post("/x?y=1", {"a b": "ü&", "c": "1"})
    assert page.text == "/x?y=1|a+b=%C3%BC%26&c=1"


@pytest.mark.parametrize("path", ["/drop", "/busy"])
def test_a_lost_connection_or_a_busy_server_is_tried_again(browser, path):
    assert browser.get(path).text == "done"


def test_all_images_of_a_page_come_back_in_order(browser):
    paths = [f"/image/{i}" for i in range(60)]
    found = browser.images([browser.origin + path for path in paths])
    assert [page.body.decode() for page in found] == paths
    assert {page.status for page in found} == {200}
    assert browser.images([]) == []


def test_images_lost_on_the_way_are_asked_for_again(browser):
    paths = ["/image/1", "/drop", "/image/2", "/busy", "/image/3"]
    found = browser.images([browser.origin + path for path in paths])
    assert [page.body for page in found] == [
        b"/image/1",
        b"done",
        b"/image/2",
        b"done",
        b"/image/3",
    ]


def test_links_are_resolved_as_in_a_browser(browser, origin):
    base = origin + "/a/b?c"
    for url in ("/i/1", "i/1", "../x", "//127.0.0.1/y", "http://elsewhere/z", "?q"):
        assert browser.resolve(base, url) == urljoin(base, url)


def test_only_plain_http():
    with pytest.raises(ProviderError, match="plain HTTP"):
        Browser("https://crowd.example.org/join/x")


def test_it_stays_with_its_server(browser):
    with pytest.raises(ProviderError, match="elsewhere"):
        browser.get("/away")
    with pytest.raises(ProviderError, match="circles"):
        browser.get("/round")


def test_no_server():
    browser = Browser("http://127.0.0.1:9")
    with pytest.raises(ProviderError, match="does not answer"):
        browser.get("/")


def test_forms_are_found_with_the_entry_that_holds_them():
    page = """
      <ul><li data-hit-id="H1" data-state="available"><b>x</b>
        <form method="post" action="/a?x=1&amp;y=2"><input type="hidden" name="csrf" value="t1">
        <button>Accept</button></form></li>
      <li data-hit-id="H2"><a href="/go/2">Continue</a><a href="/other">Other</a></li></ul>
      <a href="/somewhere">x</a><a rel="next" href="/worker?after=2">More</a>
      <main data-class-id="3 &lt;4"><form action="/b"><img data-slot="i01" src="/i/1">
      <input type=hidden name=assignmentId value=A><input name="typed" value="no">
      <input type="checkbox" name="i01"></form></main>
    """
    found = elements(page)
    assert [e.tag for e in found] == ["li", "form", "li", "a", "main", "form", "img"]
    assert found[0].form == Form("/a?x=1&y=2", {"csrf": "t1"})
    assert (found[2].form, found[2].link) == (None, "/go/2")
    assert found[3].attributes["href"] == "/worker?after=2"
    assert found[4].attributes["data-class-id"] == "3 <4"
    assert found[5].form == Form("/b", {"assignmentId": "A"})
    assert found[6].attributes == {"data-slot": "i01", "src": "/i/1"}


def test_scripts_styles_and_comments_are_no_tags():
    page = """<script>document.write('<img data-slot="x">')</script><style>a::after{content:"<li>"}
      </style><!-- <img> --><IMG SRC='/a"b.png' data-slot=i01 alt="a > b"/><p data-x>"""
    image, last = elements(page)
    assert image.attributes == {"src": '/a"b.png', "data-slot": "i01", "alt": "a > b"}
    assert (last.tag, last.attributes) == ("p", {"data-x": ""})
