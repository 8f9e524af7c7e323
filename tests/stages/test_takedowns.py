"""Takedowns on a small study: what leaves, what is named, and what comes back."""

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select
from stages.labels import CLASSES, Labelling, labelling

from replicate.base.errors import GuardError, UsageError
from replicate.sampling.manifest import Manifest
from replicate.stages.freezing import freeze, freeze_row
from replicate.stages.prepare import prepare
from replicate.stages.publish import publish
from replicate.stages.publish_plan import plan
from replicate.stages.takedowns import add, lift, listed
from replicate.store import queries
from replicate.store.tables import (
    Candidate,
    HitImage,
    PreparedImage,
    Query,
    Run,
    SetImage,
    TestSet,
    TestSetImage,
)

TOTAL = Decimal("1.80")


@pytest.fixture
def lab(tmp_path):
    with labelling(tmp_path) as found:
        yield found


def _draw(lab: Labelling, name: str, images: list[str], *, frozen: bool) -> None:
    """A test set of these images of one class, as if it had been drawn."""
    manifest = Manifest(name, 1, "top", {}, [(image, "3") for image in images])
    with lab.study.session() as session:
        now = lab.context().clock.now()
        row = TestSet(
            name=name,
            revision=1,
            strategy="top",
            parameters={},
            digest=manifest.digest,
            n=len(images),
            match={},
            created_at=now,
        )
        session.add(row)
        session.flush()
        session.add_all(
            TestSetImage(
                name=name,
                revision=1,
                position=place,
                image_id=image,
                class_id="3",
                stratum="all",
                filled=False,
            )
            for place, image in enumerate(images)
        )
        session.flush()
        if frozen:
            freeze_row(session, lab.study, row, now)


def _shown(lab: Labelling) -> set[str]:
    with lab.study.session() as session:
        return set(session.scalars(select(HitImage.image_id)))


def _pool(lab: Labelling) -> set[str]:
    with lab.study.session() as session:
        return {member.image_id for member in queries.pool(session)}


def _original(lab: Labelling, place: int) -> str:
    with lab.study.session() as session:
        return queries.set_members(session, "original")[place].image_id


def _own(lab: Labelling, images: dict[str, str]) -> None:
    """Give images of the pool owners, as a search would."""
    with lab.study.session() as session:
        run = Run(
            stage="gather",
            versions={},
            seed=1,
            pipeline_digest="",
            started_at=lab.context().clock.now(),
            status="done",
        )
        session.add(run)
        session.flush()
        session.add(
            Query(
                query_id="q",
                source="flickr",
                class_id="3",
                term="t",
                page=1,
                fetched=1,
                new=1,
                run_id=run.run_id,
            )
        )
        session.flush()
        session.execute(
            insert(Candidate),
            [
                {
                    "source": "flickr",
                    "source_id": str(place),
                    "class_id": "3",
                    "position": place,
                    "query_id": "q",
                    "url": f"https://example.org/{place}.png",
                    "owner": owner,
                    "status": "ok" if image else "found",
                    "image_id": image or None,
                }
                for place, (image, owner) in enumerate(images.items())
            ],
        )


def test_an_image_leaves_pool_and_pages_before_they_are_published(lab):
    plan(lab.study)
    victim = sorted(_pool(lab) & _shown(lab))[0]
    effect = add(lab.study, [victim[:12]], "asked for", requested_by="its owner")
    assert effect.images == (victim,)
    assert (effect.pages_taken_back, effect.pages_open, effect.holders) == (1, 0, ())
    assert victim not in _pool(lab)
    cost = plan(lab.study).cost
    publish(lab.context(confirm_cost=cost.total))
    assert victim not in _shown(lab)
    assert (_pool(lab) - _shown(lab)) == set()
    assert not any(victim in str(hit["Question"]) for hit in lab.published())


def test_an_original_is_no_longer_a_control(lab):
    plan(lab.study)
    with lab.study.session() as session:
        control = session.scalars(
            select(HitImage.image_id).where(HitImage.role == "positive").order_by(HitImage.image_id)
        ).first()
        name = session.scalar(select(SetImage.name).where(SetImage.image_id == control))
    effect = add(lab.study, [f"original:{name}"], "asked for")
    assert effect.images == (control,)
    assert [(each.name, each.revision, each.images) for each in effect.holders] == [
        ("original", None, 1)
    ]
    publish(lab.context(confirm_cost=plan(lab.study).cost.total))
    assert control not in _shown(lab)


def test_published_pages_are_named(lab):
    publish(lab.context(confirm_cost=TOTAL))
    victim = sorted(_pool(lab))[0]
    effect = add(lab.study, [victim], "asked for")
    assert (effect.pages_taken_back, effect.pages_open, effect.pages_done) == (0, 1, 0)
    assert "can still be taken" in " ".join(effect.next)


def test_an_owner_takes_all_of_theirs_now_and_later(lab):
    first, second, third = sorted(_pool(lab))[:3]
    _own(lab, {first: "Ann", second: "Bob", "": "Ann"})
    effect = add(lab.study, ["Ann"], "asked for")
    assert (effect.entries, effect.images, effect.candidates) == (
        (("owner", "Ann"),),
        (first,),
        2,
    )
    with lab.study.session() as session:
        assert session.scalar(select(Candidate.status).where(Candidate.source_id == "2")) == (
            "taken_down"
        )
        session.execute(delete(Candidate).where(Candidate.source_id == "2"))
        session.execute(
            insert(Candidate),
            [
                {
                    "source": "flickr",
                    "source_id": "9",
                    "class_id": "3",
                    "position": 9,
                    "query_id": "q",
                    "url": "https://example.org/9.png",
                    "owner": "Ann",
                    "status": "ok",
                    "image_id": third,
                }
            ],
        )
    assert {first, second, third} - _pool(lab) == {first, third}
    lift(lab.study, ["Ann"])
    assert {first, second, third} <= _pool(lab)


def test_files_are_deleted_but_not_what_another_image_needs(lab):
    first, second = sorted(_pool(lab))[:2]
    with lab.study.session() as session:
        ids = queries.prepared_ids(session, lab.study.steps)
        row = session.get_one(PreparedImage, (second, lab.study.steps))
        row.display_id = ids[first][1]  # as if both looked the same to workers
    effect = add(lab.study, [first], "asked for", erase=True)
    assert effect.files_deleted == 2
    assert not lab.study.images.path(first).exists()
    assert not lab.study.prepared.path(ids[first][0]).exists()
    assert lab.study.displays.path(ids[first][1]).exists()
    assert lab.study.images.path(second).exists()
    assert add(lab.study, [first], "again", erase=True).files_deleted == 0
    add(lab.study, [second], "asked for", erase=True)
    assert not lab.study.displays.path(ids[first][1]).exists()
    (one, two) = listed(lab.study)
    assert one["erased_at"] and two["erased_at"] and one["reason"] == "asked for"
    assert plan(lab.study).cost.hits == 5


def test_the_running_crowd_server_forgets_a_deleted_copy(lab):
    publish(lab.context(confirm_cost=TOTAL))
    from replicate.web.pictures import Pictures

    victim = sorted(_pool(lab))[0]
    with lab.study.session() as session:
        display = queries.prepared_ids(session, lab.study.steps)[victim][1]
    pictures = Pictures(lab.study.displays.root)
    assert pictures.get(display) is not None
    add(lab.study, [victim], "asked for", erase=True)
    assert pictures.get(display) is None


def test_what_was_deleted_can_be_made_again_once_it_is_lifted(lab):
    victim = sorted(_pool(lab))[0]
    data = lab.study.images.get(victim)
    add(lab.study, [victim], "a mistake", erase=True)
    assert prepare(lab.context()).tally.done == 0
    lift(lab.study, [victim[:8]])
    assert listed(lab.study) == []
    lab.study.images.put(data)
    with lab.study.session() as session:
        assert session.get(PreparedImage, (victim, lab.study.steps)) is None


def test_frozen_sets_are_named_and_others_cannot_be_frozen(lab):
    fixed, loose = (block.name for block in lab.study.pipeline.sample[:2])
    victim, *others = sorted(_pool(lab))[:3]
    _draw(lab, fixed, [victim, *others], frozen=True)
    _draw(lab, loose, [others[0], victim], frozen=False)
    effect = add(lab.study, [victim], "asked for")
    assert sorted(
        (each.name, each.revision, each.frozen, each.images) for each in effect.holders
    ) == (sorted([(fixed, 1, True, 1), (loose, 1, False, 1)]))
    assert "Frozen sets never change" in " ".join(effect.next)
    with pytest.raises(GuardError, match=rf"1 images of {loose}-1 were taken down"):
        freeze(lab.study, loose)
    lift(lab.study, [victim])
    assert freeze(lab.study, loose).frozen_at is not None


@pytest.mark.parametrize(
    ("thing", "kind", "message"),
    [
        ("nobody", None, "no image, address or owner"),
        ("0" * 64, None, "no image, address or owner"),
        ("https://example.org/none.jpg", None, "--as address"),
        ("nobody", "image", "no image of this study"),
        ("original:nothing", "image", "no image of this study"),
    ],
)
def test_what_the_study_does_not_know_is_refused(lab, thing, kind, message):
    with pytest.raises(UsageError) as caught:
        add(lab.study, [thing], "asked for", kind=kind)
    assert message in caught.value.message + caught.value.hint
    assert listed(lab.study) == []


def test_things_can_be_kept_out_before_they_are_there(lab):
    effect = add(lab.study, ["https://example.org/0.png"], "asked for", kind="address")
    assert effect.images == ()
    victim = sorted(_pool(lab))[0]
    _own(lab, {victim: "Ann"})
    assert victim not in _pool(lab)


def test_an_image_is_known_by_its_file_and_by_its_copies(lab, tmp_path: Path):
    victim = _original(lab, 0)
    path = tmp_path / "sent-by-mail.png"
    path.write_bytes(lab.study.images.get(victim))
    assert add(lab.study, [str(path)], "asked for").images == (victim,)
    other = _original(lab, 1)
    with lab.study.session() as session:
        display = queries.prepared_ids(session, lab.study.steps)[other][1]
    assert add(lab.study, [display], "asked for").images == (other,)
    path.write_bytes(b"something else")
    with pytest.raises(UsageError, match="to the byte"):
        add(lab.study, [str(path)], "asked for")


def test_a_reason_is_needed(lab):
    with pytest.raises(UsageError, match="reason"):
        add(lab.study, [sorted(_pool(lab))[0]], " ")


def test_a_study_has_all_its_classes(lab):
    with lab.study.session() as session:
        assert {member.class_id for member in queries.pool(session)} == set(CLASSES)
