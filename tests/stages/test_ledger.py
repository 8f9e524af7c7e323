"""Every assignment is paid exactly once, and what batches were agreed to is kept."""

import re
from collections import Counter
from decimal import Decimal

import pytest
from sqlalchemy import select, update
from stages.labels import Labelling, labelling
from support.crowd import Person

from replicate.base.errors import GuardError
from replicate.crowd.mturk import MTurkProvider
from replicate.crowdserver.admin import invite
from replicate.stages import ledger
from replicate.stages.batches import batch_states
from replicate.stages.collect import collect
from replicate.stages.publish import publish
from replicate.stages.publish_plan import plan
from replicate.store import queries
from replicate.store.tables import Assignment, Batch, Hit, Payment, Vote

TOTAL = Decimal("1.80")
N = 18
SIMULATED = "sandbox: simulated workers, nobody is paid"


@pytest.fixture
def lab(tmp_path):
    with labelling(tmp_path) as found:
        publish(found.context(confirm_cost=TOTAL))
        yield found


def _payments(lab: Labelling) -> dict[str, Payment]:
    with lab.study.session() as session:
        return {row.assignment_id: row for row in session.scalars(select(Payment))}


def _approvals(monkeypatch) -> Counter[str]:
    """How often each assignment is approved."""
    real, calls = MTurkProvider.approve, Counter[str]()

    def counted(self, assignment_id):
        calls[assignment_id] += 1
        real(self, assignment_id)

    monkeypatch.setattr(MTurkProvider, "approve", counted)
    return calls


def test_each_assignment_has_one_row_that_says_what_was_paid(lab, monkeypatch):
    calls = _approvals(monkeypatch)
    collect(lab.context())
    rows = _payments(lab)
    assert set(rows) == set(calls)
    assert set(calls.values()) == {1}
    for row in rows.values():
        assert (row.kind, row.amount, row.fee) == ("approve", "0.10", "0.00")
        assert (row.status, row.mode) == ("paid", SIMULATED)
        assert row.due_at <= row.paid_at
    with lab.study.session() as session:
        assert ledger.sums(session) == ledger.Sums(N, Decimal("1.80"), Decimal("0.00"), 0)
    collect(lab.context(recheck=True))
    assert sum(calls.values()) == N
    assert plan(lab.study).as_json()["paid"] == "1.80"


def test_fees_are_the_providers(lab):
    # The same server, spoken to as if it were a provider that takes a share.
    lab.change(
        'provider = "crowd"', f'provider = "mturk"\nendpoint = "{lab.world.server.endpoint}"'
    )
    with lab.study.session() as session:
        session.execute(update(Batch).values(simulated=False))
    assert plan(lab.study).spent == Decimal("2.16")
    lab.world.simulate_work()
    lab.world.simulated = False
    collect(lab.context())
    assert {row.fee for row in _payments(lab).values()} == {"0.02"}
    with lab.study.session() as session:
        assert ledger.sums(session).fees == Decimal("0.36")


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_payment_that_was_cut_off_is_settled_by_what_the_provider_says(lab, monkeypatch, cut):
    calls = _approvals(monkeypatch)
    counted = MTurkProvider.approve

    def once(self, assignment_id):
        if cut == "after":
            counted(self, assignment_id)
        raise KeyboardInterrupt

    monkeypatch.setattr(MTurkProvider, "approve", once)
    with pytest.raises(KeyboardInterrupt):
        collect(lab.context())
    assert Counter(row.status for row in _payments(lab).values()) == {"due": 3}  # the first HIT's
    monkeypatch.setattr(MTurkProvider, "approve", counted)
    collect(lab.context())
    assert Counter(row.status for row in _payments(lab).values()) == {"paid": N}
    assert set(calls.values()) == {1}


def test_paying_can_be_left_to_automatic_approval(lab, monkeypatch):
    calls = _approvals(monkeypatch)
    lab.change("assignments = 3", 'assignments = 3\npay = "auto"')
    result = collect(lab.context())
    assert result.tally.details["undecided"] == N
    assert "wait for their automatic approval" in " ".join(result.tally.notes)
    assert _payments(lab) == {}
    with lab.study.session() as session:
        assert sum(f.shown for f in queries.frequencies(session)) == N * 10  # votes count at once
        assert {hit.status for hit in session.scalars(select(Hit))} == {"published"}
    lab.world.server.advance(3 * 86_400 + 1)
    result = collect(lab.context())
    assert (result.tally.done, result.tally.details["undecided"]) == (0, 0)
    assert Counter(row.status for row in _payments(lab).values()) == {"paid": N}
    with lab.study.session() as session:
        assert {hit.status for hit in session.scalars(select(Hit))} == {"complete"}
    assert not calls


def test_rejected_work_is_not_paid(lab):
    lab.world.simulate_work()
    hit = lab.published()[0]["HITId"]
    item = lab.client.list_assignments_for_hit(HITId=hit)["Assignments"][0]["AssignmentId"]
    lab.client.reject_assignment(AssignmentId=item, RequesterFeedback="no")
    collect(lab.context())
    assert len(_payments(lab)) == N - 1
    assert item not in _payments(lab)


def test_work_that_was_withdrawn_keeps_its_votes_and_they_count_no_more(lab, monkeypatch):
    collect(lab.context())
    real = MTurkProvider.assignments
    with lab.study.session() as session:
        gone = session.scalars(select(Assignment.assignment_id).order_by("assignment_id")).first()

    def without(self, hit_id):
        return (item for item in real(self, hit_id) if item.assignment_id != gone)

    monkeypatch.setattr(MTurkProvider, "assignments", without)
    assert collect(lab.context()).tally.details["withdrawn"] == 0  # complete HITs are left alone
    result = collect(lab.context(recheck=True))
    assert result.tally.details["withdrawn"] == 1
    assert "1 assignments were withdrawn" in " ".join(result.tally.notes)
    with lab.study.session() as session:
        assert session.get_one(Assignment, gone).status == "Withdrawn"
        assert len(session.scalars(select(Vote).where(Vote.assignment_id == gone)).all()) == 10
        assert sum(f.shown for f in queries.frequencies(session)) == (N - 1) * 10
    assert _payments(lab)[gone].status == "paid"  # it was, and that is not taken back
    assert collect(lab.context(recheck=True)).tally.details["withdrawn"] == 0


def test_what_a_worker_took_back_is_deleted_and_stays_paid(lab):
    lab.world.simulate_work()
    item = lab.client.list_assignments_for_hit(HITId=lab.published()[0]["HITId"])["Assignments"][0]
    _withdraw(lab, item)  # before it was collected
    collect(lab.context())
    with lab.study.session() as session:
        early = session.get_one(Assignment, item["AssignmentId"])
        assert (early.status, early.answer, early.reason) == ("Withdrawn", "", None)
        assert sum(f.shown for f in queries.frequencies(session)) == (N - 1) * 10
        other = session.scalars(select(Assignment).where(Assignment.status == "Approved")).first()
        later, hit_key = other.assignment_id, other.hit_key
        hit_id = session.get_one(Hit, hit_key).hit_id
    listed = lab.client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    (found,) = [row for row in listed if row["AssignmentId"] == later]
    _withdraw(lab, found)
    result = collect(lab.context(recheck=True))
    assert result.tally.details["withdrawn"] == 1
    assert "1 assignments were withdrawn" in " ".join(result.tally.notes)
    with lab.study.session() as session:
        row = session.get_one(Assignment, later)
        assert (row.status, row.answer) == ("Withdrawn", "")
        assert not session.scalars(select(Vote).where(Vote.assignment_id == later)).all()
        assert sum(f.shown for f in queries.frequencies(session)) == (N - 2) * 10
    assert Counter(row.status for row in _payments(lab).values()) == {"paid": N}
    assert collect(lab.context(recheck=True)).tally.details["withdrawn"] == 0


def _withdraw(lab: Labelling, item: dict[str, str]) -> None:
    """What the worker of an assignment does at their own browser."""
    names = [f"simulated worker {number:03d}" for number in range(6)]
    path = f"/worker/assignments/{item['AssignmentId']}/withdraw"
    for link in invite(lab.world.server.db, names=names):
        person = Person(lab.world.server, link)
        asked = person.session.get(lab.world.server.endpoint + path)
        if asked.status_code == 200:
            csrf = re.findall(r'name="csrf" value="(\w+)"', asked.text)[0]
            person.session.post(lab.world.server.endpoint + path, data={"csrf": csrf})
            return
    raise AssertionError("nobody sent it in")


def test_a_batch_says_where_it_went_and_what_was_agreed_to(lab):
    with lab.study.session() as session:
        batch = session.scalars(select(Batch)).one()
        assert {hit.batch_id for hit in session.scalars(select(Hit))} == {batch.batch_id}
        (state,) = batch_states(session)
    assert (batch.mode, batch.provider, batch.simulated) == (SIMULATED, "sandbox", True)
    assert batch.endpoint == lab.world.server.endpoint
    assert (batch.hits, batch.assignments, batch.reward, batch.fees) == (6, N, "1.80", "0.00")
    assert batch.composition["candidates"] == 6
    assert len(batch.composition_digest) == 64
    assert batch.confirmed_by
    assert (state.published, state.complete, state.collected, state.total) == (6, 0, 0, "1.80")
    collect(lab.context())
    with lab.study.session() as session:
        (state,) = batch_states(session)
    assert (state.complete, state.collected, state.assignments) == (6, N, N)


def test_people_and_simulated_workers_are_never_pooled(lab):
    before = lab.published()
    endpoint = lab.world.server.endpoint
    lab.change('provider = "crowd"', f'provider = "crowd"\nendpoint = "{endpoint}"')
    lab.world.simulated = False
    for run in (
        lambda: collect(lab.context()),
        lambda: publish(lab.context(top_up=9, confirm_cost=plan(lab.study, 9).total)),
    ):
        if run.__code__.co_names[0] == "publish":
            with lab.study.session() as session:
                session.execute(update(Hit).values(status="expired"))
        with pytest.raises(GuardError, match="6 pages by simulated workers; real ones") as caught:
            run()
        assert "replicate init" in caught.value.hint
    assert lab.published() == before
    with lab.study.session() as session:
        assert session.scalars(select(Assignment)).all() == []


def test_a_worker_may_do_so_many_pages_of_a_study(tmp_path):
    with labelling(tmp_path) as found:
        found.change("assignments = 3", "assignments = 3\nmax_per_worker = 2")
        publish(found.context(confirm_cost=TOTAL))
        result = collect(found.context())
        with found.study.session() as session:
            done = Counter(session.scalars(select(Assignment.worker_id)))
    assert set(done.values()) == {2}  # six workers, six pages, three workers a page
    assert len(done) == 6
    assert result.tally.details["pending"] == N - 12
