"""Images that workers or reviewers report: they are held until somebody has looked."""

import json
from decimal import Decimal

import pytest
from sqlalchemy import select
from stages.labels import Labelling, labelling
from support.crowd import Person

from replicate.base.errors import UsageError
from replicate.crowdserver.admin import invite
from replicate.stages.collect import collect
from replicate.stages.publish import publish
from replicate.stages.publish_plan import plan
from replicate.stages.reports import flag_images, keep_images, reported_images, write_copies
from replicate.stages.takedowns import add
from replicate.store import queries
from replicate.store.tables import Assignment, Hit, HitImage, SafetyFlag

TOTAL = Decimal("1.80")


@pytest.fixture
def lab(tmp_path):
    with labelling(tmp_path) as found:
        yield found


def _pool(lab: Labelling) -> set[str]:
    with lab.study.session() as session:
        return {member.image_id for member in queries.pool(session)}


def _reported_by_people(lab: Labelling, people: int) -> tuple[str, str]:
    """So many people report the first image of the first page and collect; its HIT and id."""
    publish(lab.context(confirm_cost=TOTAL))
    lab.world.working = False
    with lab.study.session() as session:
        hit = session.scalars(select(Hit).order_by(Hit.class_id, Hit.number).limit(1)).one()
        place = session.scalars(
            select(HitImage)
            .where(HitImage.hit_key == hit.hit_key, HitImage.role == "candidate")
            .order_by(HitImage.slot)
            .limit(1)
        ).one()
    answer = {"version": 1, "selected": [], "broken": [], "none": True, "unsafe": [place.slot]}
    links = invite(lab.world.server.db, people, base_url=lab.world.server.endpoint)
    for link in links:
        Person(lab.world.server, link).do(str(hit.hit_id), json.dumps(answer))
    collect(lab.context())
    return str(hit.hit_id), place.image_id


def test_one_report_by_a_worker_holds_an_image(lab):
    _, image = _reported_by_people(lab, 1)
    (row,) = reported_images(lab.study)
    assert (row["image_id"], row["workers"], row["reviewers"], row["held"]) == (image, 1, [], True)
    assert image not in _pool(lab)
    with lab.study.session() as session:
        votes = {(image, yes) for image, _, _, yes in queries.counted_votes(session)}
        (flag,) = session.scalars(select(SafetyFlag))
        assert flag.flagged_by == session.get_one(Assignment, flag.assignment_id).worker_id
    assert (image, False) in votes  # the answer counts as it was given
    keep_images(lab.study, [image], "nothing is wrong with it")
    (row,) = reported_images(lab.study)
    assert (row["held"], row["note"]) == (False, "nothing is wrong with it")
    assert image in _pool(lab)
    flag_images(lab.study, [image], "a private address", "ada")
    assert image not in _pool(lab)


def test_how_many_reports_are_needed_is_a_key(lab):
    lab.change("[label]\n", "[label]\nhold_reported = 2\n")
    _, image = _reported_by_people(lab, 1)
    (row,) = reported_images(lab.study)
    assert (row["workers"], row["held"]) == (1, False)
    assert image in _pool(lab)
    lab.change("hold_reported = 2", "hold_reported = 1")
    assert image not in _pool(lab)
    lab.change("hold_reported = 1", "hold_reported = 0")
    assert image in _pool(lab)


def test_two_people_are_two_reports(lab):
    lab.change("[label]\n", "[label]\nhold_reported = 2\n")
    _, image = _reported_by_people(lab, 2)
    assert reported_images(lab.study)[0]["workers"] == 2
    assert image not in _pool(lab)


def test_rejected_work_is_not_heard(lab):
    _, image = _reported_by_people(lab, 1)
    with lab.study.session() as session:
        session.scalars(select(Assignment)).one().status = "Rejected"
    assert reported_images(lab.study) == []
    assert image in _pool(lab)


def test_a_held_image_is_on_no_new_page(lab):
    image = sorted(_pool(lab))[0]
    assert flag_images(lab.study, [image[:10]], "offensive", "ada") == [image]
    publish(lab.context(confirm_cost=plan(lab.study).cost.total))
    with lab.study.session() as session:
        assert image not in set(session.scalars(select(HitImage.image_id)))


def test_what_was_taken_down_needs_no_look(lab, tmp_path):
    image = sorted(_pool(lab))[0]
    flag_images(lab.study, [image], "offensive", "ada")
    write_copies(lab.study, [image], tmp_path / "look")
    assert (tmp_path / "look" / f"{image}.png").read_bytes().startswith(b"\x89PNG")
    add(lab.study, [image], "offensive")
    assert reported_images(lab.study) == []


def test_only_reported_images_can_be_let_stay(lab):
    with pytest.raises(UsageError, match="Nobody reported"):
        keep_images(lab.study, [sorted(_pool(lab))[0]])
    with pytest.raises(UsageError, match="no image"):
        flag_images(lab.study, ["f" * 64], "offensive")
