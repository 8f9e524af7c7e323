from collections import Counter
from decimal import Decimal

import pytest
from sqlalchemy import delete, select
from stages.labels import CLASSES, Labelling, add_candidates, labelling

from replicate.base.errors import GuardError, MissingError, UsageError
from replicate.crowd.mturk import MTurkProvider
from replicate.stages.publish import publish
from replicate.stages.publish_plan import plan
from replicate.store.tables import DedupDecision, Hit, HitImage

TOTAL = Decimal("1.80")  # 6 HITs, 3 assignments each, 10 cents


@pytest.fixture
def lab(tmp_path):
    with labelling(tmp_path) as found:
        yield found


def _pages(lab: Labelling):
    with lab.study.session() as session:
        return sorted(
            (row.hit_key, row.slot, row.image_id, row.role)
            for row in session.scalars(select(HitImage))
        )


def _hits(lab: Labelling):
    with lab.study.session() as session:
        return list(session.scalars(select(Hit).order_by(Hit.class_id, Hit.number)))


def test_the_plan_costs_nothing_and_publishes_nothing(lab):
    cost = plan(lab.study).cost
    assert (cost.hits, cost.images, cost.assignments) == (6, 60, 18)
    assert (cost.reward, cost.fees, cost.total) == (TOTAL, 0, TOTAL)
    assert "simulated" in cost.mode
    before = _pages(lab)
    assert plan(lab.study).cost == cost
    assert _pages(lab) == before
    assert lab.published() == []


def test_pages_are_composed_as_the_pipeline_says(lab):
    plan(lab.study)
    roles = Counter((key, role) for key, _, _, role in _pages(lab))
    pages = sorted(
        tuple(roles[hit.hit_key, role] for role in ("candidate", "positive", "negative"))
        for hit in _hits(lab)
    )
    assert pages == [(2, 4, 4)] * 3 + [(6, 2, 2)] * 3  # short pages are padded, half and half
    assert [(hit.class_id, hit.number) for hit in _hits(lab)] == [
        (name, number) for name in CLASSES for number in (0, 1)
    ]


@pytest.mark.parametrize("confirmed", [None, Decimal("1.79"), Decimal("18.0")])
def test_nothing_is_published_until_the_cost_is_confirmed(lab, confirmed):
    with pytest.raises(GuardError, match=r"\$1\.80 in all") as caught:
        publish(lab.context(confirm_cost=confirmed))
    assert "replicate publish --confirm-cost 1.80" in caught.value.hint
    assert caught.value.exit_code == 4
    assert lab.published() == []


def test_the_budget_counts_what_was_spent_before(lab):
    lab.change('budget = "500.00"', 'budget = "1.79"')
    with pytest.raises(GuardError, match=r"over the budget of \$1\.79"):
        publish(lab.context(confirm_cost=TOTAL))
    assert lab.published() == []
    lab.change('budget = "1.79"', 'budget = "2.00"')
    publish(lab.context(confirm_cost=TOTAL))
    add_candidates(lab.study, 8, 10)
    with pytest.raises(GuardError, match=r"with \$1\.80 spent already"):
        publish(lab.context(confirm_cost=plan(lab.study).total))


def test_each_hit_is_published_once_and_known_by_its_id(lab):
    result = publish(lab.context(confirm_cost=TOTAL))
    assert (result.tally.done, result.tally.skipped) == (6, 0)
    crowd = {hit["HITId"]: hit for hit in lab.published()}
    assert {hit.hit_id for hit in _hits(lab)} == set(crowd)
    assert {hit.status for hit in _hits(lab)} == {"published"}
    assert {(h["MaxAssignments"], h["Reward"]) for h in crowd.values()} == {(3, "0.10")}
    assert len({h["HITTypeId"] for h in crowd.values()}) == 1
    again = publish(lab.context())
    assert (again.tally.done, again.tally.skipped) == (0, 6)
    assert plan(lab.study).total == 0
    assert len(lab.published()) == 6


def test_pages_show_display_copies_and_no_role_or_id(lab):
    publish(lab.context(confirm_cost=TOTAL))
    questions = " ".join(hit["Question"] for hit in lab.published())
    for _, _, image_id, _ in _pages(lab):
        assert image_id not in questions
    assert questions.count("replicate-image:") == 60
    assert "positive" not in questions
    assert "negative" not in questions


@pytest.mark.parametrize("lost", ["call", "answer"])
def test_a_run_cut_off_is_carried_on_with_the_same_pages(lab, tmp_path, monkeypatch, lost):
    with labelling(tmp_path / "whole") as whole:
        publish(whole.context(confirm_cost=TOTAL))
        wanted = _pages(whole)
    real, calls = MTurkProvider.publish, []

    def cut(self, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            if lost == "answer":
                real(self, *arguments)
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(MTurkProvider, "publish", cut)
    with pytest.raises(KeyboardInterrupt):
        publish(lab.context(confirm_cost=TOTAL))
    assert [hit.hit_id is not None for hit in _hits(lab)] == [True] * 2 + [False] * 4
    assert plan(lab.study).total == Decimal("1.20")
    publish(lab.context(confirm_cost=TOTAL))  # whoever agreed to all agreed to what is left
    assert len(lab.published()) == 6
    assert {hit.hit_id for hit in _hits(lab)} == {hit["HITId"] for hit in lab.published()}
    assert _pages(lab) == wanted


def test_a_changed_pipeline_changes_what_was_not_published_yet(lab):
    plan(lab.study)
    before = {hit.hit_key for hit in _hits(lab)}
    lab.change('reward = "0.10"', 'reward = "0.20"')
    assert plan(lab.study).total == 2 * TOTAL
    changed = {hit.hit_key for hit in _hits(lab)}
    assert not before & changed
    publish(lab.context(confirm_cost=2 * TOTAL))
    lab.change('reward = "0.20"', 'reward = "0.30"')
    assert plan(lab.study).total == 0
    assert {hit.hit_key for hit in _hits(lab)} == changed


def test_a_studys_own_texts_and_template_are_on_its_pages(lab):
    lab.change(
        'reward = "0.10"',
        'reward = "0.10"\ntemplate = "own.html.j2"\ncontact = "ann@lab.example"\n'
        'consent = "You can stop at any time."\nlinks = { Read = "https://w.org/{name}?id={id}" }',
    )
    with pytest.raises(MissingError, match=r"no page template 'own\.html\.j2'"):
        plan(lab.study)
    own = lab.study.root / "own.html.j2"
    own.write_text("<p>{{ question }}</p>")
    with pytest.raises(UsageError, match="lacks a form"):
        plan(lab.study)
    own.write_text('{% extends "select-images.html.j2" %}{% block keys %}Own{% endblock %}')
    plan(lab.study)
    first = {hit.hit_key for hit in _hits(lab)}
    own.write_text(own.read_text().replace("Own", "Our own"))
    publish(lab.context(confirm_cost=TOTAL))
    assert not first & {hit.hit_key for hit in _hits(lab)}  # other pages have other keys
    for hit in lab.published():
        for said in ("Our own", "You can stop", "mailto:ann@lab.example", "https://w.org/"):
            assert said in hit["Question"]


def test_what_was_on_its_way_keeps_its_terms_when_the_pipeline_changes(lab, monkeypatch):
    def cut(self, *arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MTurkProvider, "publish", cut)
        with pytest.raises(KeyboardInterrupt):
            publish(lab.context(confirm_cost=TOTAL))
    lab.change('reward = "0.10"', 'reward = "0.20"')
    total = plan(lab.study).total
    assert total == Decimal("0.30") + 5 * Decimal("0.60")  # the crowd may have the first already
    with pytest.raises(GuardError):
        publish(lab.context(confirm_cost=TOTAL))  # which was agreed to for other pages
    publish(lab.context(confirm_cost=total))
    crowd = {hit["HITId"]: hit["Reward"] for hit in lab.published()}
    assert {hit.hit_id: hit.reward for hit in _hits(lab)} == crowd
    assert Counter(crowd.values()) == {"0.20": 5, "0.10": 1}


def test_later_candidates_get_pages_of_their_own(lab):
    publish(lab.context(confirm_cost=TOTAL))
    first = _pages(lab)
    add_candidates(lab.study, 8, 11)
    assert plan(lab.study).cost.hits == 3
    publish(lab.context(confirm_cost=Decimal("0.90")))
    assert set(first) < set(_pages(lab))
    assert [hit.number for hit in _hits(lab)] == [0, 1, 2] * 3
    shown = Counter(image for _, _, image, role in _pages(lab) if role == "candidate")
    assert len(shown) == 33
    assert set(shown.values()) == {1}


def test_without_a_pool_it_says_what_to_run(lab):
    with lab.study.session() as session:
        session.execute(delete(DedupDecision))
    with pytest.raises(MissingError, match="no candidates") as caught:
        publish(lab.context(confirm_cost=TOTAL))
    assert "replicate run --until dedup" in caught.value.hint
