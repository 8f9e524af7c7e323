"""Images with too few valid votes are asked about again, until they have enough or it is no use."""

from collections import Counter
from decimal import Decimal

import pytest
from sqlalchemy import select
from stages.labels import CLASSES, Labelling, labelling

from replicate.crowd.mturk import MTurkProvider
from replicate.stages.collect import collect
from replicate.stages.publish import publish
from replicate.stages.publish_plan import plan
from replicate.store import queries
from replicate.store.tables import Hit, HitImage, Vote

TOTAL = Decimal("1.80")  # 6 HITs, 3 assignments each, 10 cents


@pytest.fixture
def lab(tmp_path):
    with labelling(tmp_path) as found:
        publish(found.context(confirm_cost=TOTAL))
        yield found


def _expire(lab: Labelling) -> None:
    lab.world.server.advance(8 * 86_400)  # a HIT can be taken for seven days


def _shown(lab: Labelling) -> Counter[int]:
    """How many candidates have how many valid votes."""
    with lab.study.session() as session:
        pool = {(m.image_id, m.class_id) for m in queries.pool(session)}
        found = {(f.image_id, f.class_id): f.shown for f in queries.frequencies(session)}
    return Counter(found.get(member, 0) for member in pool)


def _again(lab: Labelling) -> list[tuple[Hit, list[HitImage]]]:
    """The HITs that ask again, with what they show."""
    with lab.study.session() as session:
        hits = session.scalars(select(Hit).where(Hit.round > 0).order_by(Hit.hit_key)).all()
        return [
            (hit, list(session.scalars(select(HitImage).where(HitImage.hit_key == hit.hit_key))))
            for hit in hits
        ]


def test_nothing_is_asked_again_before_it_is_wanted_or_while_votes_may_come(lab):
    assert plan(lab.study, 3).cost.hits == 0  # 3 assignments are still out
    collect(lab.context())
    assert plan(lab.study).cost.hits == 0
    assert plan(lab.study, 3).cost.hits == 0
    assert _shown(lab) == {3: 24}


def test_more_votes_are_asked_for_and_paid_as_any_other(lab):
    collect(lab.context())
    lab.change("assignments = 3", "assignments = 3\nmin_votes = 5")
    found = plan(lab.study)
    assert (found.cost.hits, found.top_up, found.cost.assignments) == (6, 6, 12)
    assert (found.cost.total, found.spent) == (Decimal("1.20"), TOTAL)
    assert plan(lab.study) == found
    publish(lab.context(confirm_cost=Decimal("1.20")))
    collect(lab.context())
    assert _shown(lab) == {5: 24}
    assert plan(lab.study).cost.hits == 0
    with lab.study.session() as session:
        rows = session.execute(
            select(Vote.worker_id, Vote.image_id, Vote.class_id).where(Vote.role != "repeat")
        ).all()
    assert len(set(rows)) == len(rows), "somebody judged an image of a class twice"
    for hit, images in _again(lab):
        assert (hit.round, hit.assignments) == (1, 2)
        assert {image.role for image in images} == {"candidate", "positive", "negative"}


def test_a_broken_image_is_not_asked_about_again(lab):
    with lab.study.session() as session:
        displays = queries.prepared_ids(session, lab.study.steps)
        broken = queries.pool(session)[0].image_id
    lab.study.displays.path(displays[broken][1]).unlink()
    collect(lab.context())
    assert _shown(lab) == {3: 23, 0: 1}
    assert plan(lab.study, 3).cost.hits == 0
    assert plan(lab.study, 4).cost.hits > 0
    assert broken not in {image.image_id for _, images in _again(lab) for image in images}


def test_votes_of_flagged_workers_are_asked_for_again(lab):
    collect(lab.context())
    lab.change(
        "quality = { min_control_accuracy = 0.6 }",
        "quality = { min_control_accuracy = 1.0, min_controls = 1 }",
    )
    collect(lab.context())
    short = _shown(lab)
    assert set(short) != {3}
    assert plan(lab.study).cost.hits == 0
    found = plan(lab.study, 3)
    assert found.top_up == found.cost.hits > 0
    lacking = sum(count for votes, count in short.items() if votes < 3)
    again = [i for _, images in _again(lab) for i in images if i.role == "candidate"]
    assert len(again) == lacking


def test_asking_again_ends(lab):
    lab.world.working = False
    lab.change("assignments = 3", "assignments = 3\nmin_votes = 2\nmax_rounds = 2")
    for round_ in (1, 2):
        _expire(lab)
        result = collect(lab.context())
        assert "ended" in result.tally.notes[-1]
        found = plan(lab.study)
        assert found.top_up == found.cost.hits == 6
        assert found.assignments == (2, 2)
        publish(lab.context(confirm_cost=found.total))
        assert {hit.round for hit, _ in _again(lab)} == set(range(1, round_ + 1))
    _expire(lab)
    collect(lab.context())
    found = plan(lab.study)
    assert (found.cost.hits, found.short) == (0, 24)
    assert "24 images have too few votes" in found.warnings[-1]
    assert publish(lab.context()).tally.done == 0
    assert len(lab.published()) == 18


def test_originals_that_were_mixed_in_are_asked_about_again_as_originals(tmp_path):
    with labelling(tmp_path) as lab:
        lab.change("originals = 0", "originals = 4")
        lab.change("repeats = 0", "repeats = 1")
        lab.change("positive = 2", "positive = 1")
        lab.world.working = False
        publish(lab.context(confirm_cost=TOTAL))
        with lab.study.session() as session:
            first = set(
                session.execute(
                    select(HitImage.image_id).where(HitImage.role == "original")
                ).scalars()
            )
        assert len(first) == len(CLASSES) * 8  # the other 4 of each class's 12 are controls
        _expire(lab)
        collect(lab.context())
        found = plan(lab.study, 1)
        roles = Counter((i.role, i.image_id in first) for _, im in _again(lab) for i in im)
        assert roles["candidate", False] == 24
        assert roles["original", True] == 24
        assert roles["positive", True] == 0
        assert found.assignments == (1, 1)
        assert plan(lab.study, 1) == found


def test_cut_off_it_is_carried_on_with_the_same_pages(lab, monkeypatch):
    collect(lab.context())
    wanted = plan(lab.study, 5)
    keys = {hit.hit_key for hit, _ in _again(lab)}
    real, calls = MTurkProvider.publish, []

    def cut(self, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            real(self, *arguments)
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(MTurkProvider, "publish", cut)
    with pytest.raises(KeyboardInterrupt):
        publish(lab.context(confirm_cost=wanted.total, top_up=5))
    publish(lab.context(confirm_cost=wanted.total, top_up=5))
    assert {hit.hit_key for hit, _ in _again(lab)} == keys
    assert len(lab.published()) == 12
    assert {hit.batch_id for hit, _ in _again(lab)} == {2}
