"""The review pages over HTTP: who may see and say what, and what is stored."""

import io
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from sqlalchemy import delete, select
from support.reviews import (
    SET,
    Visitor,
    add_image,
    draw,
    field,
    forget_said,
    members,
    review_study,
    reviewing,
)

from replicate.base.errors import GuardError, MissingError, UsageError
from replicate.stages.review import only_one
from replicate.stages.review_pairs import review_of_pairs
from replicate.stages.review_sets import review_of_set
from replicate.store import reviews
from replicate.store.tables import DuplicatePair, SafetyFlag, SetReview
from replicate.study import Study
from replicate.web.review_pairs import GAIN, difference

BOTH = ("ada", "bob")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return review_study(tmp_path_factory.mktemp("review") / "study")


@pytest.fixture
def study(made: Study) -> Iterator[Study]:
    yield made
    forget_said(made)


def said(study: Study) -> list[tuple[str, str]]:
    with study.session() as session:
        return [(g.reviewer, g.verdict) for _, g in reviews.said_of_pairs(session)]


def test_without_a_link_nothing_is_shown(study: Study) -> None:
    with reviewing(review_of_pairs(study, BOTH)) as links:
        ada = Visitor(links["ada"])
        image = re.search(r"/image/[0-9a-f]+", ada.page.text)
        assert image is not None
        for path in ("/", ada.path, image[0], f"{ada.path}/difference.png", "/list"):
            answer = requests.get(ada.base + path)
            assert answer.status_code == 401 and b"img" not in answer.content, path
        assert requests.get(f"{ada.base}/join/{'0' * 32}").status_code == 404
        forged = {"replicate_reviewer": ada.session.cookies["replicate_reviewer"][:-1] + "x"}
        assert requests.get(f"{ada.base}/list", cookies=forged).status_code == 401
        # Not even images of the study that no pair holds.
        other = members(study)[-1][0]
        assert requests.get(ada.base + image[0], cookies=ada.session.cookies).ok
        assert ada.session.get(f"{ada.base}/image/{other}").status_code == 404


def test_the_pages_load_nothing_from_elsewhere_and_nobody_frames_them(study: Study) -> None:
    with reviewing(review_of_set(study, BOTH, SET)) as links:
        link = requests.get(links["ada"], allow_redirects=False)
        cookie = link.headers["set-cookie"]
        assert "HttpOnly" in cookie and "samesite=lax" in cookie.lower()
        ada = Visitor(links["ada"])
        page = ada.get("/classes/1")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy and "unsafe-inline'; script" not in policy
        assert page.headers["cache-control"] == "no-store"
        addresses = re.findall(r'(?:src|action)="([^"]*)"', page.text)
        assert addresses and all(address.startswith("/") for address in addresses)
        assert not re.search(r"<script(?! src=\"/review.js\")|\son\w+=|url\(", page.text)
        for rel in re.findall(r'<a href="https://[^>]*>', page.text):
            assert "noreferrer" in rel


def test_forms_of_other_people_and_of_other_sites_are_refused(study: Study) -> None:
    with reviewing(review_of_pairs(study, BOTH)) as links:
        ada, bob = Visitor(links["ada"]), Visitor(links["bob"])
        path = ada.path
        for csrf in ("", "x", bob.csrf):
            answer = ada.session.post(ada.base + path, {"csrf": csrf, "verdict": "same"})
            assert answer.status_code == 403
        assert ada.session.post(ada.base + path, {"verdict": "same"}).status_code == 403
        assert ada.post(path, verdict="withdrawn").status_code == 400
        ada.get("/")
        assert ada.post("/pairs/unknown", verdict="same").status_code == 404
    assert said(study) == []


def test_pairs_come_doubtful_first_and_what_was_said_is_stored_and_taken_back(
    study: Study,
) -> None:
    with reviewing(review_of_pairs(study, BOTH)) as links:
        ada = Visitor(links["ada"])
        assert "0 of 4 looked at" in ada.page.text and "the search is not sure" in ada.page.text
        first = ada.path
        ada.post(first, verdict="same")
        second = ada.path
        assert second != first and "1 of 4 looked at" in ada.page.text
        assert said(study) == [("ada", "same")]
        ada.post("/undo")
        assert ada.path == first and said(study)[-1] == ("ada", "withdrawn")
        ada.post("/undo")  # nothing is left to take back
        assert len(said(study)) == 2
        for verdict in ("different", "unsure", "same", "same"):
            ada.post(ada.path, verdict=verdict)
        assert ada.path == "/list" and "All pairs are looked at" in ada.page.text
        assert "same 2, different 1, unsure 1" in ada.page.text
    with study.session() as session:
        rows = {r.candidate_id: r for r in session.scalars(select(DuplicatePair))}
        found = reviews.verdicts(session)
    by_distance = sorted(found, key=lambda pair: rows[pair[1]].distance)
    assert [found[pair] for pair in by_distance] == ["unsure", "same", "same", "different"]


def test_nobody_sees_what_others_say_before_saying_something(study: Study) -> None:
    with reviewing(review_of_pairs(study, BOTH)) as links:
        ada, bob = Visitor(links["ada"]), Visitor(links["bob"])
        path = ada.path
        ada.post(path, verdict="same")
        assert "ada</b>" not in bob.get(path).text
        assert "ada</b>" not in bob.get("/list?show=all").text
        bob.post(path, verdict="different")
        assert "<b>ada</b>: same" in bob.get(path).text
        assert "<b>bob</b>: different" in ada.get("/list").text


def test_it_ends_by_itself_once_all_agree(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replicate.stages.review.LINGER", 0.1)
    made = review_of_pairs(study, BOTH)
    with reviewing(made) as links:
        people = [Visitor(links[name]) for name in BOTH]
        for person in people:
            for _ in range(3):
                person.post(person.path, verdict="different")
        last = people[0].path
        people[0].post(last, verdict="different")
        people[1].post(last, verdict="same")
        found = made.standings()
        assert not any(found.left.values()) and found.disagreements == 1 and not found.complete
        people[1].get(last)
        people[1].post(last, verdict="different")
        assert made.standings().complete
        assert _gone(people[0].base)


def test_who_looks_alone_need_not_settle_what_others_disagree_on(study: Study) -> None:
    with reviewing(review_of_pairs(study, BOTH)) as links:
        for name, verdict in (("ada", "same"), ("bob", "different")):
            person = Visitor(links[name])
            person.post(person.path, verdict=verdict)
    made = review_of_pairs(study, ["carl"])
    with reviewing(made) as links:
        carl = Visitor(links["carl"])
        for left in (4, 3, 2, 1):
            assert made.standings().left == {"carl": left} and not made.standings().complete
            carl.post(carl.path, verdict="unsure")
        assert made.standings().disagreements == 1 and made.standings().complete


def _gone(base: str) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            requests.get(base, timeout=1)
        except requests.ConnectionError:
            return True
        time.sleep(0.1)
    return False


def test_verdicts_are_there_again_when_the_pool_has_grown(study: Study) -> None:
    with reviewing(review_of_pairs(study, ["ada"])) as links:
        ada = Visitor(links["ada"])
        for _ in range(4):
            ada.post(ada.path, verdict="different")
    new = add_image(study, 300)
    with study.session() as session:
        first = session.scalars(select(DuplicatePair)).first()
        assert first is not None
        row = {"reference_id": first.reference_id, "candidate_id": new, "distance": 2}
        session.add(
            DuplicatePair(**row, reference_set="train", pixel_distance=0.0, verdict="unsure")
        )
    again = review_of_pairs(study, ["ada"])
    assert again.standings().left == {"ada": 1} and again.total == 5
    with study.session() as session:
        session.execute(delete(DuplicatePair).where(DuplicatePair.candidate_id == new))


def test_a_class_is_looked_at_whole_and_what_is_flagged_is_excluded(study: Study) -> None:
    with reviewing(review_of_set(study, BOTH, SET)) as links:
        ada, bob = Visitor(links["ada"]), Visitor(links["bob"])
        ada.get("/classes/1")
        images = field(ada.page.text, "images")
        one, other, _ = images.split(",")
        ada.post("/classes/1/image", image=one, **{f"{one}.offensive": "on", f"{one}.note": "x"})
        bob.get("/classes/1")
        assert "ada</b>" not in bob.page.text
        flags = {f"{one}.offensive": "on", f"{one}.note": "x", f"{other}.unsure": "on"}
        ada.post("/classes/1", images=images, **flags)
        assert ada.path == "/classes/2"
        bob.post("/classes/1", images=images)
        assert "<b>ada</b>: offensive “x”" in bob.get("/classes/1").text
        assert "offensive" in bob.get("/list").text
        assert "disagreed on" in bob.get("/").text
        # A page of another revision calls nothing right that was not seen.
        bob.get("/classes/1")
        assert bob.post("/classes/1", images=images[:-1]).status_code == 409
        bob.get("/classes/1")
        assert bob.post("/classes/1/image", image="nobody").status_code == 409
    with study.session() as session:
        assert len(session.scalars(select(SetReview)).all()) == 6  # nothing is said twice
        (flag,) = session.scalars(select(SafetyFlag)).all()
        assert (flag.flagged_by, flag.source, flag.reason) == ("ada", "reviewer", "x")
        assert reviews.excluded(session) == {}
        found = reviews.excluded(session, "any")
    assert list(found.values()) == ["offensive"]
    assert next(iter(found))[0].startswith(one)


def test_reviews_carry_over_and_only_what_is_new_is_asked(study: Study) -> None:
    with reviewing(review_of_set(study, ["ada"], SET)) as links:
        ada = Visitor(links["ada"])
        for number in (1, 2):
            images = field(ada.get(f"/classes/{number}").text, "images")
            ada.post(f"/classes/{number}", images=images)
    old = members(study)
    new = add_image(study, 400)
    draw(study, 2, [*old[1:], (new, "0")])
    made = review_of_set(study, ["ada"], SET)
    with reviewing(made) as links:
        ada = Visitor(links["ada"])
        assert "matched-2" in ada.page.text and "<b>1 new</b>" in ada.page.text
        assert made.standings().left == {"ada": 1}
        page = ada.get("/classes/1").text
        assert page.count('class="new"') == 1
        assert new[:20] in page.partition('class="new"')[0].rpartition('<li class="tile')[2]


def test_what_cannot_be_reviewed_says_why(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no test set 'matchd'"):
        review_of_set(study, BOTH, "matchd")
    with pytest.raises(MissingError, match="not drawn"):
        review_of_set(study, BOTH, "top")
    with pytest.raises(MissingError, match="no pairs"):
        review_of_pairs(study, BOTH, up_to=-1.0)
    with (
        only_one(study, "duplicates"),
        pytest.raises(GuardError, match="Another"),
        only_one(study, "duplicates"),
    ):
        pass


def test_the_difference_is_black_where_images_are_the_same() -> None:
    def png(pixels: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    one = np.full((8, 6, 3), 100, dtype=np.uint8)
    other = one.copy()
    other[2, 3] = (110, 100, 0)
    found = np.asarray(Image.open(io.BytesIO(difference(png(one), png(other)))))
    assert found[2, 3].tolist() == [10 * GAIN, 0, 255]
    found = found.copy()
    found[2, 3] = 0
    assert not found.any()
    grey = difference(png(one), png(np.full((4, 3), 100, dtype=np.uint8)))
    assert not np.asarray(Image.open(io.BytesIO(grey))).any()
