from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from sqlalchemy import select, text
from stages.labels import Labelling, labelling
from support.crowd import Person

from replicate.base.errors import MissingError
from replicate.crowd.frequency import selection_frequencies
from replicate.crowd.mturk import MTurkProvider
from replicate.crowdserver.admin import invite
from replicate.stages import collect as module
from replicate.stages.collect import collect
from replicate.stages.labelling import worker_key
from replicate.stages.publish import publish
from replicate.store import queries
from replicate.store.tables import Assignment, Hit, HitImage, Vote
from replicate.study import open_study

TOTAL = Decimal("1.80")
N = 18  # 6 HITs, 3 assignments each


@pytest.fixture
def lab(tmp_path):
    with labelling(tmp_path) as found:
        publish(found.context(confirm_cost=TOTAL))
        yield found


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study that was collected without any trouble."""
    with labelling(tmp_path_factory.mktemp("done")) as found:
        publish(found.context(confirm_cost=TOTAL))
        collect(found.context())
        yield found


def _votes(lab: Labelling):
    with lab.study.session() as session:
        return sorted(
            (row.assignment_id, row.slot, row.image_id, row.class_id, row.worker_id, row.value)
            for row in session.scalars(select(Vote))
        )


def _assignments(lab: Labelling):
    with lab.study.session() as session:
        return list(session.scalars(select(Assignment).order_by(Assignment.assignment_id)))


def _crowds(lab: Labelling):
    """The crowd's own account: every assignment's status."""
    return {
        item["AssignmentId"]: item["AssignmentStatus"]
        for hit in lab.published()
        for item in lab.client.list_assignments_for_hit(HITId=hit["HITId"])["Assignments"]
    }


def test_every_assignment_is_stored_with_one_row_a_vote_and_paid(done):
    rows = _assignments(done)
    assert len(rows) == N
    assert {row.status for row in rows} == {"Approved"}
    assert all(row.simulated and row.reason is None for row in rows)
    assert _crowds(done) == {row.assignment_id: "Approved" for row in rows}
    assert len(_votes(done)) == N * 10
    with done.study.session() as session:
        shown = {
            (row.hit_key, row.slot): (row.image_id, row.role)
            for row in session.scalars(select(HitImage))
        }
        keys = {row.assignment_id: row.hit_key for row in rows}
        for vote in session.scalars(select(Vote)):
            assert shown[keys[vote.assignment_id], vote.slot] == (vote.image_id, vote.role)
            assert (vote.milliseconds is None) == (vote.value == "no")
        assert {hit.status for hit in session.scalars(select(Hit))} == {"complete"}


def test_workers_are_known_by_keyed_hashes_only(done):
    workers = {row.worker_id for row in _assignments(done)}
    assert 3 <= len(workers) <= 6
    raw = {
        item["WorkerId"]
        for hit in done.published()
        for item in done.client.list_assignments_for_hit(HITId=hit["HITId"])["Assignments"]
    }
    assert len(raw) == len(workers)
    stored = (done.study.root / "study.db").read_bytes()
    assert not any(worker.encode() in stored for worker in raw)


def test_a_second_run_does_nothing_and_asks_nobody(done):
    before, visits = _votes(done), done.world.visits
    result = collect(done.context())
    assert (result.tally.done, result.tally.skipped) == (0, N)
    assert (_votes(done), done.world.visits) == (before, visits)


def test_the_views_agree_with_the_pure_functions(done):
    with done.study.session() as session:
        rows = session.execute(
            select(Vote.image_id, Vote.class_id, Vote.worker_id, Vote.role, Vote.value)
        ).all()
        found = {
            (f.image_id, f.class_id): (f.selected, f.shown) for f in queries.frequencies(session)
        }
        flagged = set(session.execute(text("SELECT worker_id FROM flagged_workers")).scalars())
    votes = pd.DataFrame(
        [(r.image_id, r.class_id, r.worker_id, "Approved", r.value) for r in rows],
        columns=["image_id", "class_id", "worker", "status", "vote"],
    )
    expected = selection_frequencies(votes, flagged)
    expected = expected[expected["shown"] > 0]
    assert found == {
        (row.image_id, row.class_id): (row.selected, row.shown) for row in expected.itertuples()
    }


def test_a_changed_rule_changes_frequencies_at_once_and_deletes_no_vote(tmp_path):
    with labelling(tmp_path) as lab:
        publish(lab.context(confirm_cost=TOTAL))
        collect(lab.context())
        before = _votes(lab)
        lab.change(
            "quality = { min_control_accuracy = 0.6 }",
            "quality = { min_control_accuracy = 1.0, min_controls = 1 }",
        )
        result = collect(lab.context())
        assert result.tally.details["flagged_workers"] > 0
        assert "left out of selection frequencies" in result.tally.notes[0]
        assert result.tally.details["flagged_by_rule"] == {
            "min_control_accuracy": result.tally.details["flagged_workers"]
        }
        assert _votes(lab) == before
        with lab.study.session() as session:
            assert sum(f.shown for f in queries.frequencies(session)) < len(before)


def test_work_that_is_still_to_come_is_said(lab):
    lab.world.working = False
    result = collect(lab.context())
    assert result.tally.details["pending"] == N
    assert "18 assignments are still to come" in result.tally.notes[-1]
    lab.world.working = True
    result = collect(lab.context())
    assert (result.tally.done, result.tally.details["pending"]) == (N, 0)


@pytest.mark.parametrize(
    "at", [("approve", 0), ("approve", 7), ("assignments", 3), ("progress", 0)]
)
def test_a_run_cut_off_is_carried_on_with_nothing_lost_or_doubled(lab, done, monkeypatch, at):
    name, calls_before = at
    real, calls = getattr(MTurkProvider, name), []

    def cut(self, *arguments):
        calls.append(arguments)
        if len(calls) == calls_before + 1:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(MTurkProvider, name, cut)
    if name == "progress":
        lab.world.working = False  # progress is asked for only while work is missing
    with pytest.raises(KeyboardInterrupt):
        collect(lab.context())
    lab.world.working = True
    collect(lab.context())
    assert _votes(lab) == _votes(done)
    assert set(_crowds(lab).values()) == {"Approved"}
    assert {row.status for row in _assignments(lab)} == {"Approved"}
    with lab.study.session() as ours, done.study.session() as theirs:
        assert queries.votes_digest(ours) == queries.votes_digest(theirs)


def test_an_answer_that_cannot_be_read_is_a_row_with_a_reason_and_is_paid(lab):
    hit = lab.published()[0]["HITId"]
    names = [f"guest {number}" for number in range(3)]
    bad = ['{"version": 9}', "no json", '{"version": 1, "none": true, "selected": ["i99"]}']
    for link, answer in zip(
        invite(lab.world.server.db, names=names, base_url=lab.world.server.endpoint),
        bad,
        strict=True,
    ):
        Person(lab.world.server, link).do(hit, answer)
    result = collect(lab.context())
    assert result.tally.failed == {"wrong_version": 1, "not_json": 1, "unknown_slot": 1}
    assert result.tally.done == N
    rows = [row for row in _assignments(lab) if row.reason]
    assert len(rows) == 3
    assert any("no json" in row.answer for row in rows)
    assert not {row.assignment_id for row in rows} & {vote[0] for vote in _votes(lab)}
    assert set(_crowds(lab).values()) == {"Approved"}


def test_retry_reads_stored_answers_again(lab, monkeypatch):
    real = module.parse_answer

    def older(_xml):
        raise module.ItemError("wrong_version", "an older program")

    monkeypatch.setattr(module, "parse_answer", older)
    assert collect(lab.context()).tally.failed == {"wrong_version": N}
    monkeypatch.setattr(module, "parse_answer", real)
    assert collect(lab.context(retry_failed=True, retry_reason="not_xml")).tally.done == 0
    assert collect(lab.context(retry_failed=True)).tally.done == N
    assert len(_votes(lab)) == N * 10
    assert not any(row.reason for row in _assignments(lab))


def test_a_hit_that_ended_early_is_expired_with_what_there_is(lab):
    for hit in lab.published()[:2]:
        lab.client.update_expiration_for_hit(HITId=hit["HITId"], ExpireAt=0)
    result = collect(lab.context())
    assert (result.tally.done, result.tally.details["pending"]) == (N - 6, 0)
    assert result.tally.details["missing"] == 6
    assert "2 HITs ended with 6 assignments missing" in result.tally.notes[-1]
    with lab.study.session() as session:
        states = Counter(hit.status for hit in session.scalars(select(Hit)))
    assert states == {"expired": 2, "complete": 4}
    visits = lab.world.visits
    assert collect(lab.context()).tally.details["pending"] == 0
    assert lab.world.visits == visits
    # Whoever extends them at the server lets them be collected again.
    for hit in lab.published()[:2]:
        later = datetime.now(UTC) + timedelta(days=1)
        lab.client.update_expiration_for_hit(HITId=hit["HITId"], ExpireAt=later)
    result = collect(lab.context(recheck=True))
    assert (result.tally.done, result.tally.details["missing"]) == (6, 0)
    with lab.study.session() as session:
        assert {hit.status for hit in session.scalars(select(Hit))} == {"complete"}


def test_work_that_was_rejected_elsewhere_is_kept_but_neither_paid_nor_counted(lab):
    lab.world.simulate_work()
    hit = lab.published()[0]["HITId"]
    item = lab.client.list_assignments_for_hit(HITId=hit)["Assignments"][0]["AssignmentId"]
    lab.client.reject_assignment(AssignmentId=item, RequesterFeedback="no")
    assert collect(lab.context()).tally.done == N
    assert {row.assignment_id for row in _assignments(lab) if row.status == "Rejected"} == {item}
    assert [name for name, status in _crowds(lab).items() if status != "Approved"] == [item]
    assert len(_votes(lab)) == N * 10
    with lab.study.session() as session:
        assert sum(f.shown for f in queries.frequencies(session)) == (N - 1) * 10


def test_without_hits_it_says_what_to_run(tmp_path):
    with labelling(tmp_path) as lab, pytest.raises(MissingError, match="No HIT is published"):
        collect(lab.context())


def test_the_key_of_real_workers_is_secret_random_and_kept(lab):
    path = lab.study.root / "pipeline.toml"
    content = path.read_text()
    start = content.index("\n[sandbox]\n")
    end = content.index("\n[[class]]\n")
    path.write_text(content[:start] + content[end:])
    study = open_study(lab.study.root)
    key = worker_key(study)
    assert len(key) == 32
    assert worker_key(study) == key
    assert (study.root / "worker-ids.key").stat().st_mode & 0o777 == 0o600
    study.close()
