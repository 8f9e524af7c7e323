"""Rules and workers' records in SQL, against loops, on SQLite and on PostgreSQL."""

import math
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
import pytest
from sqlalchemy import Engine, text
from support.databases import ENGINES, new_database
from support.votes import Page, random_pages, store_pages

from replicate.analysis.dawid_skene import dawid_skene
from replicate.crowd.quality import WorkerRecord
from replicate.store import database, queries
from replicate.store.rules import follow_rules, outcome, take_over_rules
from replicate.store.tables import Estimate
from replicate.store.workers import estimates_are_fresh, refresh_estimates, worker_records

LEAST = {
    "min_controls": 20.0,
    "min_repeats": 8.0,
    "min_pages": 4.0,
    "min_compared": 20.0,
    "min_each_kind": 5.0,
}
RULES = {
    "min_control_accuracy": 0.55,
    "min_consistency": 0.5,
    "min_seconds_per_page": 60.0,
    "min_seconds_per_image": 5.0,
    "max_all_or_none": 0.2,
    "min_agreement": 0.5,
    "min_informedness": 0.35,
}


def _sqlite(tmp_path_factory) -> Engine:
    return database.connect(database.sqlite_url(tmp_path_factory.mktemp("rules") / "study.db"))


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    return random_pages(np.random.default_rng(5), workers=7, pages=70)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, tmp_path_factory, pages) -> Iterator[Engine]:
    with new_database(request, tmp_path_factory) as engine:
        store_pages(engine, pages)
        yield engine


def _usable(pages: list[Page]) -> list[tuple[Page, list[tuple[str, str, str]]]]:
    return [
        (page, [vote for vote in page.votes if vote[2] in ("yes", "no")])
        for page in pages
        if page.status != "Rejected"
    ]


def _by_hand(pages: list[Page]) -> dict[str, WorkerRecord]:
    """Every worker's record, by loops."""
    usable = _usable(pages)
    cells = [
        (image, page.class_id, page.worker, value == "yes")
        for page, votes in usable
        for image, role, value in votes
        if role != "repeat"
    ]
    images = {key: n for n, key in enumerate(sorted({cell[:2] for cell in cells}))}
    names = sorted({cell[2] for cell in cells})
    model = dawid_skene(
        [images[cell[:2]] for cell in cells],
        [names.index(cell[2]) for cell in cells],
        [cell[3] for cell in cells],
    )
    records = {}
    for worker in sorted({page.worker for page in pages}):
        mine = [(page, votes) for page, votes in usable if page.worker == worker and votes]
        votes = [vote for _, found in mine for vote in found]
        twice = [
            (value, other)
            for _, found in mine
            for image, role, value in found
            for image_2, role_2, other in found
            if role == "repeat" != role_2 and image == image_2
        ]
        compared = agreed = 0
        for image, class_id, who, yes in cells:
            others = [c[3] for c in cells if c[:2] == (image, class_id) and c[2] != worker]
            if who == worker and 2 * sum(others) != len(others):
                compared += 1
                agreed += yes == (2 * sum(others) > len(others))
        times = [(page.seconds, page.seconds / len(v)) for page, v in mine if page.seconds]
        n = names.index(worker)
        records[worker] = WorkerRecord(
            worker=worker,
            votes=sum(role != "repeat" for _, role, _ in votes),
            yes=sum(role != "repeat" and value == "yes" for _, role, value in votes),
            positive=sum(role == "positive" for _, role, _ in votes),
            positive_right=sum((role, value) == ("positive", "yes") for _, role, value in votes),
            negative=sum(role == "negative" for _, role, _ in votes),
            negative_right=sum((role, value) == ("negative", "no") for _, role, value in votes),
            repeats=len(twice),
            consistent=sum(value == other for value, other in twice),
            pages=len(mine),
            all_or_none=sum(len({value for _, _, value in v}) == 1 for _, v in mine),
            seconds_per_page=median(t[0] for t in times),
            seconds_per_image=median(t[1] for t in times),
            compared=compared,
            agreed=agreed,
            sensitivity=model.sensitivity[n],
            specificity=model.specificity[n],
            informedness_se=model.informedness_se[n],
        )
    return records


def _flags(record: WorkerRecord, pages: list[Page], rules: dict[str, float]) -> set[str]:
    """The rules that flag a worker, from the record."""
    timed = [
        (page.seconds, page.seconds / len(votes))
        for page, votes in _usable(pages)
        if page.worker == record.worker and votes and page.seconds
    ]
    shares = {
        "min_control_accuracy": (record.controls, "min_controls", record.accuracy),
        "min_consistency": (record.repeats, "min_repeats", record.consistency),
        "min_agreement": (record.compared, "min_compared", record.agreement),
    }
    found = {
        rule
        for rule, (n, least, share) in shares.items()
        if rule in rules and n >= LEAST[least] and share < rules[rule] - 1e-9
    }
    for place, rule in enumerate(("min_seconds_per_page", "min_seconds_per_image")):
        if rule in rules and len(timed) >= LEAST["min_pages"]:
            fast = sum(times[place] < rules[rule] for times in timed)
            found |= {rule} if 2 * fast > len(timed) else set()
    if "max_all_or_none" in rules and record.pages >= LEAST["min_pages"]:
        share = record.all_or_none / record.pages
        found |= {"max_all_or_none"} if share > rules["max_all_or_none"] + 1e-9 else set()
    high = record.informedness + 1.96 * record.informedness_se
    if "min_informedness" in rules and high < rules["min_informedness"]:
        found |= {"min_informedness"}
    return found


def test_records_are_what_loops_count(engine, pages):
    expected = _by_hand(pages)
    with database.session(engine) as session:
        found = worker_records(session)
    assert [record.worker for record in found] == list(expected)
    for record in found:
        wanted = expected[record.worker]
        for name, value in vars(wanted).items():
            if name != "flags":
                assert getattr(record, name) == pytest.approx(value, abs=1e-6), (wanted, name)
    assert all(min(record.repeats, record.controls, record.pages) > 3 for record in found)


@pytest.mark.parametrize("names", [*((name,) for name in RULES), tuple(RULES), ()])
def test_rules_flag_whom_they_say_and_only_their_votes_are_left_out(engine, pages, names):
    rules = {name: RULES[name] for name in names}
    expected = {worker: _flags(record, pages, rules) for worker, record in _by_hand(pages).items()}
    with database.session(engine) as session:
        before = session.execute(text("SELECT COUNT(*) FROM votes")).scalar()
        take_over_rules(session, rules | LEAST)
        flags = {record.worker: set(record.flags) for record in worker_records(session)}
        counts = {
            (f.image_id, f.class_id): (f.selected, f.shown) for f in queries.frequencies(session)
        }
        found = outcome(session)
        assert session.execute(text("SELECT COUNT(*) FROM votes")).scalar() == before
    assert flags == expected
    if len(names) == 1:
        # The test would show nothing if a rule flagged everybody or nobody.
        assert 0 < found.flagged < found.workers
    wanted: dict[tuple[str, str], list[int]] = {}
    left_out = 0
    for page, votes in _usable(pages):
        for image, role, value in votes:
            if role != "repeat" and expected[page.worker]:
                left_out += 1
            elif role != "repeat":
                pair = wanted.setdefault((image, page.class_id), [0, 0])
                pair[0] += value == "yes"
                pair[1] += 1
    assert counts == {key: tuple(pair) for key, pair in wanted.items()}
    assert (found.flagged, found.votes_left_out) == (sum(map(bool, expected.values())), left_out)
    assert {item.rule: item.flagged for item in found.rules} == {
        name: sum(name in flags for flags in expected.values()) for name in names
    }
    assert all(item.judged >= item.flagged for item in found.rules)
    assert bool(found.sentence()) == bool(found.flagged)


def test_a_rule_that_judges_nobody_says_so(engine):
    with database.session(engine) as session:
        take_over_rules(session, {"min_consistency": 0.9, **LEAST, "min_repeats": 500.0})
        (idle,) = outcome(session).idle()
    assert idle == "min_consistency judged nobody: no worker has the 500 items that it needs."


def test_estimates_follow_the_votes_that_are_there(tmp_path_factory):
    engine = _sqlite(tmp_path_factory)
    database.upgrade(engine)
    with database.session(engine) as session:
        assert refresh_estimates(session) is None
        assert worker_records(session) == []
    store_pages(engine, random_pages(np.random.default_rng(1), pages=20))
    with database.session(engine) as session:
        first = refresh_estimates(session)
        assert refresh_estimates(session) is first
    with database.session(engine) as session:
        session.execute(
            text("UPDATE assignments SET status = 'Rejected' WHERE assignment_id = 'page 3'")
        )
    # Opening a study with a rule on all votes makes them anew.
    with database.session(engine) as session:
        take_over_rules(session, {"min_informedness": 0.2, **LEAST})
        (again,) = session.query(Estimate).all()
    assert again.votes_digest != first.votes_digest
    assert again.n_votes < first.n_votes
    engine.dispose()


def test_rules_wait_for_another_process_and_write_nothing_twice(tmp_path_factory, pages):
    engine = _sqlite(tmp_path_factory)
    database.upgrade(engine)
    store_pages(engine, pages)
    rules = {"min_informedness": 0.2, **LEAST}
    other = sqlite3.connect(engine.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE assignments SET status = 'Rejected' WHERE assignment_id = 'page 3'")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(follow_rules, engine, rules)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        other.execute("COMMIT")
        waiting.result(timeout=60)
    before = other.execute("PRAGMA data_version").fetchone()
    follow_rules(engine, rules)
    assert other.execute("PRAGMA data_version").fetchone() == before
    with database.session(engine) as session:
        assert estimates_are_fresh(session)
    other.close()
    engine.dispose()


def test_worker_times_that_nobody_knows_are_no_number(tmp_path_factory):
    engine = _sqlite(tmp_path_factory)
    database.upgrade(engine)
    store_pages(engine, [Page("p", "w", "c", (("a", "candidate", "yes"),), seconds=None)])
    with database.session(engine) as session:
        (record,) = worker_records(session)
    assert math.isnan(record.seconds_per_page) and math.isnan(record.seconds_per_image)
    engine.dispose()


def test_an_old_study_keeps_its_votes_and_gets_its_times(tmp_path_factory, pages):
    from alembic import command
    from alembic.config import Config

    from replicate.base.resources import data_dir

    engine = _sqlite(tmp_path_factory)
    database.upgrade(engine)
    store_pages(engine, pages)
    with database.session(engine) as session:
        counts = queries.frequencies(session)
    config = Config()
    config.set_main_option("script_location", str(data_dir("db") / "study"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
    with database.session(engine) as session:
        assert queries.frequencies(session) == counts
    database.upgrade(engine)
    with database.session(engine) as session:
        rows = session.execute(text("SELECT assignment_id, seconds FROM assignments")).all()
        assert queries.frequencies(session) == counts
    wanted = {page.name: page.seconds for page in pages}
    assert dict(map(tuple, rows)) == {
        name: None if seconds is None else pytest.approx(seconds, abs=1e-3)
        for name, seconds in wanted.items()
    }
    engine.dispose()
