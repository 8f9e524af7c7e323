"""A study labelled with files: tasks out, filled-in files in, cut off and carried on."""

import csv
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from support.annotators import small_study

from replicate.base.digests import sha256_file
from replicate.crowd import registry
from replicate.crowd.exchange import FilesProvider
from replicate.crowd.exchange_files import BatchFolder
from replicate.stages.collect import collect
from replicate.stages.common import Context, Options
from replicate.stages.publish import publish
from replicate.stages.world import World
from replicate.store import queries
from replicate.store.tables import Assignment, Batch, Hit, Vote
from replicate.study import Study

from .test_annotate import judge_by


@pytest.fixture
def study(tmp_path):
    found = small_study(tmp_path, provider='"files"', reward='"0.00"')
    yield found
    found.close()


def _context(study: Study) -> Context:
    return Context(study, World(study), Options(confirm_cost=0))  # type: ignore[arg-type]


def _fill(
    study: Study, name: str, wrong: Callable[[dict[str, str]], Any] = lambda row: None
) -> int:
    """Somebody fills in every task, from the images alone; how many there were."""
    judge = judge_by(study)
    done = 0
    for batch in sorted((study.root / "labels").glob("batch-*")):
        with (batch / "tasks.csv").open(newline="") as handle:
            rows = list(csv.DictReader(handle))
        with (batch / f"votes-{name}.csv").open("w", newline="") as out:
            writer = csv.DictWriter(out, rows[0])
            writer.writeheader()
            for row in rows:
                digest = sha256_file(batch / row["image"])
                row["worker"] = name
                row["vote"] = "yes" if judge(row["class_id"], digest, "") else "no"
                wrong(row)
                writer.writerow(row)
                done += 1
    return done


def test_out_and_in_again(study):
    result = publish(_context(study))
    assert result.tally.done == 6
    assert "files at labels: people fill them in" in str(result.tally.details)
    assert collect(_context(study)).tally.details["pending"] == 12
    tasks = _fill(study, "quinn")
    first = collect(_context(study)).tally
    assert (first.done, first.details["pending"], dict(first.failed)) == (6, 6, {})
    _fill(study, "zora", lambda row: row.update(vote="hm" if row["slot"] == "i01" else row["vote"]))
    spoilt = collect(_context(study)).tally
    assert (spoilt.done, dict(spoilt.failed)) == (0, {"unknown_vote": 6})
    assert any("votes-zora.csv, line 2" in note for note in spoilt.notes)
    _fill(study, "zora")
    mended = collect(_context(study)).tally
    assert (mended.done, mended.details["pending"], dict(mended.failed)) == (6, 0, {})
    with study.session() as session:
        assert len(session.scalars(select(Vote)).all()) == 2 * tasks
        rows = session.scalars(select(Assignment)).all()
        assert not any(row.simulated for row in rows)
        assert {row.status for row in rows} == {"Approved"}
        assert {hit.status for hit in session.scalars(select(Hit))} == {"complete"}
        modes = session.scalars(select(Batch.mode)).all()
        assert modes == ["files at labels: people fill them in"]
        assert {f.selected for f in queries.frequencies(session) if f.shown == 2} == {0, 2}
    kept = b"".join(path.read_bytes() for path in study.root.glob("study.db*"))
    assert b"quinn" not in kept and b"zora" not in kept  # names of no hexadecimal digits


class _Point:
    """An entry point of another package: it brings a provider that keeps files elsewhere."""

    name, value = "lab", "lab_crowd:open_provider"

    @staticmethod
    def load() -> Callable[[registry.ProviderSettings], Any]:
        def open_provider(settings: registry.ProviderSettings) -> Any:
            found = FilesProvider(settings.folder, settings.displays, settings.key)
            found.name, found.mode = "lab", f"lab of {settings.study}: students"
            return found

        return open_provider


def test_a_provider_that_another_package_brings(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: [_Point])
    study = small_study(tmp_path, provider='"lab"', reward='"0.00"')
    assert publish(_context(study)).tally.done == 6
    assert (study.root / "lab" / "batch-001" / "tasks.csv").exists()
    with study.session() as session:
        (batch,) = session.scalars(select(Batch)).all()
    assert (batch.provider, batch.mode) == ("lab", "lab of digits-small: students")
    assert collect(_context(study)).tally.details["pending"] == 12
    study.close()


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("which", [1, 4, 6])
@pytest.mark.parametrize("place", ["before its tasks", "after its tasks"])
def test_cut_off_anywhere_it_ends_with_every_task_once(study, monkeypatch, place, which):
    """Between a HIT's record and its tasks, and between its tasks and the study's row."""
    calls = 0

    def add(self: BatchFolder, record: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        if place == "after its tasks" or calls != which:
            original(self, record)
        if calls == which:
            raise Killed

    original = BatchFolder.add
    with monkeypatch.context() as patch:
        patch.setattr(BatchFolder, "add", add)
        with pytest.raises(Killed):
            publish(_context(study))
    publish(_context(study))
    hits, slots = set(), []
    for path in sorted((study.root / "labels").glob("batch-*/tasks.csv")):
        with path.open(newline="") as handle:
            rows = list(csv.DictReader(handle))
        assert len(path.parent.joinpath("tasks.jsonl").read_text().splitlines()) == len(rows)
        hits |= {row["hit"] for row in rows}
        slots += [(row["hit"], row["slot"]) for row in rows]
    with study.session() as session:
        assert {hit.hit_id for hit in session.scalars(select(Hit))} == hits
    assert len(hits) == 6 and len(slots) == len(set(slots))


def test_experts_disagree_and_what_they_disagree_on_comes_back(tmp_path):
    """The second round is another batch of files; it shows the disputed images alone."""
    none = {"reward": '"0.00"', "positive": "0", "negative": "0"}
    study = small_study(tmp_path, provider='"files"', mode='"expert"', **none)
    publish(_context(study))
    _fill(study, "quinn")
    _fill(study, "zora", _contrary)
    tally = collect(_context(study)).tally
    assert tally.details["disputed"] > 0
    assert any("come back to them" in note for note in tally.notes)
    found = publish(_context(study)).tally
    with (study.root / "labels" / "batch-002" / "tasks.csv").open(newline="") as handle:
        again = list(csv.DictReader(handle))
    assert {row["round"] for row in again} == {"2"}
    assert len(again) == tally.details["disputed"]
    for name in ("quinn", "zora"):
        _fill(study, name)  # both have come to the same mind
    after = collect(_context(study)).tally
    assert after.done == 2 * found.done and "disputed" not in after.details
    assert publish(_context(study)).tally.done == 0
    with study.session() as session:
        assert len(queries.accepted(session)) == len(queries.pool(session))
        before = session.scalars(select(Hit).where(Hit.expert_round == 1)).all()
        kept = session.scalars(select(Assignment)).all()
    assert len(kept) == 2 * len(before) + 2 * found.done
    study.close()


def _contrary(row: dict[str, str]) -> None:
    if row["slot"] in ("i01", "i03"):
        row["vote"] = "no"
