import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
import requests
from support.flickr import local_flickr, picture, write_table

from replicate.base.errors import UsageError
from replicate.sandbox.faults import FaultPlan, Faults
from replicate.sandbox.flickr import PLACEHOLDER, SANDBOX_KEY, serve
from replicate.web.serving import bound

QUERY = {"method": "flickr.photos.search", "api_key": SANDBOX_KEY, "tags": "cat"}
JSON = {"format": "json", "nojsoncallback": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("served")
    common = {"tags": "cat", "owner": "ada@N01", "ownername": "ada", "licence": 4,
              "date_upload": 1350000000, "date_taken": "2012-10-01 12:00:00",
              "width": 200, "height": 120, "description": "A cat & <more>"}  # fmt: skip
    write_table(
        made,
        [
            {"id": "1", "file": "files/1_ab.png", "title": "Ünicode <cat>", **common},
            {"id": "2", "file": "files/2_cd.png", "status": "placeholder", **common},
            {"id": "3", "file": "files/3_ef.png", "status": "gone", **common},
        ],
    )
    (made / "files").mkdir()
    for name in ("1_ab", "2_cd", "3_ef"):
        (made / "files" / f"{name}.png").write_bytes(picture(9, side=200))
    (made / "truth.csv").write_text("secret")
    return made


@pytest.fixture(scope="module")
def endpoint(folder: Path):
    with local_flickr(folder) as address:
        yield address


def test_a_plain_get_is_answered(endpoint: str):
    extras = "url_o,url_t,url_l,owner_name,license,date_upload,date_taken,tags,o_dims,description"
    answer = requests.get(endpoint, params={**QUERY, **JSON, "extras": extras}, timeout=9).json()
    assert answer["stat"] == "ok"
    assert {name: answer["photos"][name] for name in ("page", "pages", "perpage", "total")} == {
        "page": 1, "pages": 1, "perpage": 100, "total": 3,
    }  # fmt: skip
    photo = answer["photos"]["photo"][0]
    assert photo["title"] == "Ünicode <cat>"
    assert photo["ownername"] == "ada"
    assert photo["license"] == "4"
    assert photo["dateupload"] == "1350000000"
    assert photo["datetaken"] == "2012-10-01 12:00:00"
    assert photo["description"] == {"_content": "A cat & <more>"}
    assert (photo["o_width"], photo["o_height"]) == (200, 120)
    assert photo["url_o"].endswith("/photos/files/1_ab.png")
    assert (photo["width_t"], photo["height_t"]) == (100, 60)
    assert "url_l" not in photo


def test_without_extras_a_photo_has_only_its_plain_fields(endpoint: str):
    answer = requests.get(endpoint, params={**QUERY, **JSON}, timeout=9).json()
    assert set(answer["photos"]["photo"][0]) == {
        "id", "owner", "secret", "server", "farm", "title", "ispublic", "isfriend", "isfamily",
    }  # fmt: skip


def test_xml_and_callbacks_are_spoken_too(endpoint: str):
    root = ElementTree.fromstring(requests.get(endpoint, params=QUERY, timeout=9).content)
    assert root.attrib == {"stat": "ok"}
    assert [photo.get("id") for photo in root.iter("photo")] == ["1", "2", "3"]
    text = requests.get(endpoint, params={**QUERY, "format": "json"}, timeout=9).text
    assert json.loads(text.removeprefix("jsonFlickrApi(")[:-1])["stat"] == "ok"
    failed = requests.get(endpoint, params={**QUERY, "tags": ""}, timeout=9).content
    assert ElementTree.fromstring(failed)[0].get("code") == "3"


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"api_key": "wrong"}, 100), ({"method": "flickr.photos.delete"}, 112), ({"tags": ""}, 3)],
)
def test_errors_have_flickrs_codes(endpoint: str, changed: dict[str, str], code: int):
    for ask in (requests.get, requests.post):
        keyword = "params" if ask is requests.get else "data"
        answer = ask(endpoint, **{keyword: {**QUERY, **JSON, **changed}}, timeout=9)
        assert answer.status_code == 200
        assert answer.json()["stat"] == "fail"
        assert answer.json()["code"] == code


def test_images_are_served_whole_and_smaller(endpoint: str, folder: Path):
    base = endpoint.removesuffix("services/rest/")
    whole = requests.get(f"{base}photos/files/1_ab.png", timeout=9)
    assert whole.content == (folder / "files" / "1_ab.png").read_bytes()
    assert whole.headers["content-type"] == "image/png"
    small = requests.get(f"{base}photos/files/1_ab_sq.png", timeout=9)
    assert small.headers["content-type"] == "image/jpeg"


def test_dead_photos_redirect_or_are_gone(endpoint: str):
    base = endpoint.removesuffix("services/rest/")
    dead = requests.get(f"{base}photos/files/2_cd.png", timeout=9)
    assert dead.status_code == 200
    assert dead.url.endswith(PLACEHOLDER)
    assert requests.get(f"{base}photos/files/3_ef.png", timeout=9).status_code == 404


@pytest.mark.parametrize("name", ["truth.csv", "photos.csv", "../photos.csv", "files/9_zz.png"])
def test_nothing_is_served_but_the_photos(endpoint: str, name: str):
    base = endpoint.removesuffix("services/rest/")
    assert requests.get(f"{base}photos/{name}", timeout=9).status_code == 404


def test_planned_faults_come_once_and_then_the_answer(folder: Path):
    with local_flickr(folder, FaultPlan(api_500=1.0, image_cut=1.0)) as endpoint:
        statuses = [requests.get(endpoint, params=QUERY, timeout=9).status_code for _ in range(2)]
        assert statuses == [500, 200]
        url = endpoint.replace("services/rest/", "photos/files/1_ab.png")
        with pytest.raises(requests.RequestException):
            requests.get(url, timeout=9)
        assert requests.get(url, timeout=9).status_code == 200


def test_faults_depend_on_the_request_alone():
    plan = FaultPlan(seed=3, api_429=0.2, api_105=0.2)
    names = [f"q{i}" for i in range(300)]
    one, other = Faults(plan), Faults(plan)
    there = {name: one.draw("api", name) for name in names}
    back = {name: other.draw("api", name) for name in reversed(names)}
    assert there == back
    assert 30 < sum(value == "429" for value in there.values()) < 90
    assert not any(Faults(plan).draw("image", name) for name in names)


def test_a_plan_of_faults_is_read_from_a_file(tmp_path: Path):
    (tmp_path / "plan.json").write_text('{"api_429": 0.5}')
    assert FaultPlan.read(tmp_path / "plan.json") == FaultPlan(api_429=0.5)
    (tmp_path / "plan.json").write_text('{"api_430": 0.5}')
    with pytest.raises(UsageError) as caught:
        FaultPlan.read(tmp_path / "plan.json")
    assert "api_429" in caught.value.hint


def test_a_port_in_use_is_a_usage_error(folder: Path):
    with bound("127.0.0.1", 0, "test") as taken, pytest.raises(UsageError, match="cannot listen"):
        serve(folder, port=taken.getsockname()[1])


def start(folder: Path, ready: Path, *more: str) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from pathlib import Path; from replicate.sandbox.flickr import serve; "
        "serve(Path(sys.argv[1]), ready_file=Path(sys.argv[2]), exit_with_stdin=len(sys.argv) > 3)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(ready), *more], stdin=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.01)
    return child


@pytest.mark.parametrize("ending", ["sigterm", "sigint", "stdin"])
def test_a_server_says_when_it_is_ready_and_ends_when_told(folder: Path, tmp_path: Path, ending):
    child = start(folder, tmp_path / "ready.json", *(["stdin"] if ending == "stdin" else []))
    assert child.stdin is not None
    try:
        ready = json.loads((tmp_path / "ready.json").read_text())
        assert ready["pid"] == child.pid
        assert requests.get(ready["endpoint"], params={**QUERY, **JSON}, timeout=9).ok
        if ending == "stdin":
            child.stdin.close()
        else:
            os.kill(child.pid, signal.SIGTERM if ending == "sigterm" else signal.SIGINT)
        assert child.wait(timeout=20) in (0, -signal.SIGTERM, -signal.SIGINT)
        with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port_of(ready)), 1):
            pass
    finally:
        child.kill()
        child.wait()
        child.stdin.close()


def port_of(ready: dict[str, str]) -> int:
    return int(ready["endpoint"].split(":")[2].split("/")[0])
