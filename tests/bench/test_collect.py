"""Collecting many votes: how long it takes, and that twice as many take twice as long."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from xml.sax.saxutils import escape

from sqlalchemy import func, insert, select, text

from replicate.crowd.providers import RawAssignment
from replicate.stages import collect as module
from replicate.stages.common import Context, Options
from replicate.store.tables import Hit, HitImage, Image, Vote
from replicate.study import Study, init_study

WORKERS, PAGE = 10, 48
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SLOTS = [f"i{number:02d}" for number in range(1, PAGE + 1)]
ROLES = ["candidate"] * 42 + ["positive"] * 3 + ["negative"] * 3


class _Crowd:
    """Everything is submitted already, and told from memory: what is measured is our own work."""

    name, mode, simulated, endpoint = "sandbox", "sandbox: simulated workers", True, None

    def assignments(self, hit_id: str) -> Iterator[RawAssignment]:
        for worker in range(WORKERS):
            selected = [*SLOTS[worker : worker + 20], *SLOTS[42:45]]  # every positive control
            answer = {
                "version": 1,
                "selected": selected,
                "broken": [],
                "none": False,
                "order": SLOTS,
                "times": {slot: 100 * place for place, slot in enumerate(selected)},
            }
            yield RawAssignment(
                assignment_id=f"{hit_id}-{worker}",
                hit_id=hit_id,
                worker_id=f"worker {(worker + int(hit_id)) % 40}",
                status="Submitted",
                answer="<QuestionFormAnswers><Answer><QuestionIdentifier>answer"
                f"</QuestionIdentifier><FreeText>{escape(json.dumps(answer))}</FreeText>"
                "</Answer></QuestionFormAnswers>",
                accepted=NOW,
                submitted=NOW,
            )

    def approve(self, assignment_id: str) -> None:
        pass

    def left_out(self) -> tuple[()]:
        return ()


class _World:
    simulated = True

    def simulate_work(self) -> int:
        return 0


def _study(folder: Path, hits: int) -> Study:
    study = init_study(folder, "digits", "small")
    images = [f"{number:064x}" for number in range(hits * PAGE)]
    with study.session() as session:
        session.execute(
            insert(Image),
            [{"image_id": name, "width": 8, "height": 8, "n_bytes": 9} for name in images],
        )
        session.execute(
            insert(Hit),
            [
                {
                    "hit_key": f"{hit:064x}",
                    "class_id": str(hit % 10),
                    "number": hit,
                    "assignments": WORKERS,
                    "reward": "0.10",
                    "hit_id": str(hit),
                    "published_at": NOW,
                    "status": "published",
                }
                for hit in range(hits)
            ],
        )
        session.execute(
            insert(HitImage),
            [
                {
                    "hit_key": f"{hit:064x}",
                    "slot": SLOTS[place],
                    "image_id": images[hit * PAGE + place],
                    "role": ROLES[place],
                }
                for hit in range(hits)
                for place in range(PAGE)
            ],
        )
    return study


def test_a_hundred_thousand_votes(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "open_provider", lambda context: _Crowd())
    seconds = {}

    def collect(hits: int) -> None:
        study = _study(tmp_path / str(hits), hits)
        context = Context(study, _World(), Options())  # type: ignore[arg-type]
        # Processor time: another's load on the machine must not decide.
        begin = process_time()
        module.collect(context)
        seconds[hits] = process_time() - begin
        with study.session() as session:
            stored = session.scalar(select(func.count()).select_from(Vote))
        assert stored == hits * WORKERS * PAGE
        study.close()

    collect(10)  # warm
    collect(70)
    benchmark.pedantic(collect, args=(210,), rounds=1)
    benchmark.extra_info["seconds for 100,800 votes"] = round(seconds[210], 2)
    assert seconds[210] < 10
    assert seconds[210] < 3 * seconds[70] * 1.5


def test_a_million_votes_and_their_frequencies(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "open_provider", lambda context: _Crowd())
    study = _study(tmp_path, 2084)
    context = Context(study, _World(), Options())  # type: ignore[arg-type]
    benchmark.pedantic(module.collect, args=(context,), rounds=1)
    begin = process_time()
    with study.session() as session:
        rows = session.execute(text("SELECT selected, shown FROM selection_frequencies")).all()
    benchmark.extra_info["seconds for the frequencies"] = round(process_time() - begin, 2)
    assert sum(row.shown for row in rows) == 2084 * WORKERS * PAGE
    assert sum(row.selected for row in rows) == 2084 * WORKERS * 23
    study.close()
