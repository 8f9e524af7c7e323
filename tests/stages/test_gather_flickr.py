"""Gathering from Flickr as the stage does it: what is kept, what is asked, and what never is."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update
from support.clocks import ManualClock
from support.command import replicate
from support.flickr import Asked, local_flickr, write_table
from support.studies import context, tiny_study

from replicate.base.errors import PipelineError, UsageError
from replicate.sandbox.faults import FaultPlan
from replicate.sandbox.flickr import SANDBOX_KEY
from replicate.sandbox.photo_drawn import make_drawn
from replicate.sources.call_ledger import RateLimit
from replicate.stages.gather import gather
from replicate.stages.gather_calls import StoredCalls
from replicate.store.tables import ApiCall, Candidate, ClassSearch, Query
from replicate.study import Study

NUMBERS = {"limit_per_class": 2, "per_class": 5}
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "photos"
    make_drawn(folder, 3, 900)
    return folder


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_FLICKR_KEY", SANDBOX_KEY)
    monkeypatch.setenv("REPLICATE_FLICKR_SECRET", "x")


def counted(study: Study, table: type) -> int:
    with study.session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_all_that_flickr_says_of_a_photo_is_kept(photos: Path, tmp_path: Path):
    study = tiny_study(tmp_path, **NUMBERS)
    with local_flickr(photos) as endpoint:
        gather(context(study, endpoint))
    with (photos / "photos.csv").open(newline="", encoding="utf-8") as handle:
        known = {row["id"]: row for row in csv.DictReader(handle)}
    with study.session() as session:
        rows = session.execute(select(Candidate, Query).join(Query)).all()
    assert rows
    for row, query in rows:
        photo = known[row.source_id]
        assert (row.owner_id, row.owner, row.title, row.licence, row.taken) == (
            photo["owner"], photo["ownername"], photo["title"], photo["licence"],
            photo["date_taken"],
        )  # fmt: skip
        assert row.tags == photo["tags"] and query.term in row.tags.split()
        assert row.page_url.endswith(f"/{photo['owner']}/{photo['id']}")
        assert datetime.fromisoformat(row.uploaded).timestamp() == int(photo["date_upload"])
        names = {"url_o", "url_l", "url_c", "url_z", "url_m", "url_n", "url_s", "url_q", "url_t"}
        assert set(row.sizes) == names | {"url_sq"}
        assert row.sizes["url_o"] == row.url == f"/photos/{photo['file']}"
        assert photo["media"] == "photo" and photo["safety"] == "1"
    study.close()


def test_a_class_that_was_cut_off_asks_nothing_twice(photos: Path, tmp_path: Path):
    """Its rows are gone and its answers are there: as after a kill between two transactions."""
    study, asked = tiny_study(tmp_path, **NUMBERS), Asked()
    kept: dict[int, bytes | None] = {}

    class Remembering(StoredCalls):
        def forget(self) -> None:
            with self._study.session() as session:
                for call in session.scalars(select(ApiCall)):
                    kept.setdefault(call.call_id, call.answer)
            super().forget()

    with pytest.MonkeyPatch.context() as patch, local_flickr(photos, asked=asked) as endpoint:
        patch.setattr("replicate.stages.gather_source.StoredCalls", Remembering)
        gather(context(study, endpoint))
    before, calls = _candidates(study), asked.searches
    with study.session() as session:
        assert session.scalar(select(func.count(ApiCall.answer))) == 0
        for call, answer in kept.items():
            if answer is not None:
                session.execute(
                    update(ApiCall).where(ApiCall.call_id == call).values(answer=answer)
                )
        session.execute(delete(ClassSearch).where(ClassSearch.class_id == "0"))
    with local_flickr(photos, asked=asked) as endpoint:  # at another port
        gather(context(study, endpoint))
    assert asked.searches == calls
    assert _candidates(study) == before
    study.close()


def _candidates(study: Study) -> list[tuple[object, ...]]:
    with study.session() as session:
        rows = session.scalars(select(Candidate).order_by(Candidate.class_id, Candidate.position))
        return [(r.source_id, r.class_id, r.position, r.query_id, r.url, r.sizes) for r in rows]


def test_the_rate_limit_holds_from_one_run_to_the_next(tmp_path: Path):
    study, clock, waits = tiny_study(tmp_path, **NUMBERS), ManualClock(START), []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(timedelta(seconds=seconds))

    for run in range(4):
        limit = RateLimit(3, StoredCalls(study, "http://x/"), clock, sleep)
        for call in range(2):
            limit.begin(f"{run} {call}")
            clock.advance(timedelta(seconds=60))
        study.close()  # a run ends
    assert waits == [3600 - 3 * 60, 3600 - 3 * 60]
    with study.session() as session:
        times = session.scalars(select(ApiCall.at)).all()
    assert len(times) <= 3  # what is older than an hour is gone
    study.close()


def test_answers_are_kept_without_the_address_of_the_server(tmp_path: Path):
    study = tiny_study(tmp_path, **NUMBERS)
    answer = {"photo": [{"id": "1", "title": "é", "url_o": "http://127.0.0.1:1/photos/1.png"}]}
    calls = StoredCalls(study, "http://127.0.0.1:1/")
    calls.keep(calls.begin("a", START), answer)
    assert calls.recall("a") == answer
    other = StoredCalls(study, "http://127.0.0.1:2/").recall("a")
    assert other["photo"][0]["url_o"] == "http://127.0.0.1:2/photos/1.png"
    assert calls.recall("b") is None
    study.close()


FILTERED = [
    {"id": "1", "tags": "zero"},
    {"id": "2", "tags": "zero", "media": "video"},
    {"id": "3", "tags": "zero", "safety": 2},
    {"id": "4", "tags": "zero", "safety": 3},
    {"id": "5", "tags": "zero", "content": 1},
    {"id": "6", "tags": "zero", "content": 2},
]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", "156"),
        ('media = "all"', "1256"),
        ('safe_search = "moderate"', "1356"),
        ('safe_search = "restricted"', "13456"),
        ('content = ["photos"]', "1"),
        ('content = ["illustrations", "photos"]', "16"),
        ('arguments = { user_id = "ada" }', ""),
    ],
)
def test_filters_are_keys_of_the_pipeline_file(tmp_path: Path, keys: str, expected: str):
    common = {"licence": 4, "date_upload": 1_350_000_000, "status": "drawn"}
    write_table(tmp_path / "photos", [{"file": f"{r['id']}.png", **common, **r} for r in FILTERED])
    study = tiny_study(tmp_path / "study", _with(keys), **NUMBERS)
    try:
        with local_flickr(tmp_path / "photos") as endpoint:
            gather(context(study, endpoint))
    except Exception as error:
        assert not expected and "pool is empty" in str(error)
    with study.session() as session:
        assert sorted(session.scalars(select(Candidate.source_id))) == list(expected)[:5]
    study.close()


def _with(keys: str):
    return lambda text: text.replace("[gather]\n", f"[gather]\n{keys}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{ min_uploaded_date = 5 }", "min_upload_date"),
        ("{ min_upload_date = 5 }", "date_windows"),
        ("{ license = 4 }", "licences"),
        ("{ nonsense = 4 }", "nonsense"),
    ],
)
def test_arguments_are_checked_before_anything_is_asked(tmp_path: Path, arguments, said):
    study = tiny_study(tmp_path, _with(f"arguments = {arguments}"), **NUMBERS)
    asked = Asked()
    write_table(tmp_path / "photos", [])
    with (
        local_flickr(tmp_path / "photos", asked=asked) as endpoint,
        pytest.raises(UsageError) as caught,
    ):
        gather(context(study, endpoint))
    assert said in caught.value.message + caught.value.hint
    assert asked.searches == counted(study, ApiCall) == 0
    study.close()


def test_filters_that_a_source_does_not_know_are_refused(tmp_path: Path):
    (tmp_path / "candidates" / "0").mkdir(parents=True)
    study = tiny_study(
        tmp_path,
        lambda text: text.replace('source = "flickr"', 'source = "folder"\npath = "candidates"'),
        **NUMBERS,
    )
    with pytest.raises(PipelineError, match="date_windows means nothing to the source 'folder'"):
        gather(context(study))
    study.close()


def test_keys_are_in_no_file_no_row_and_no_log(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    key, secret = "a-very-private-key-7319", "an-even-more-private-secret"
    monkeypatch.setattr("replicate.sandbox.flickr.SANDBOX_KEY", key)
    plan = FaultPlan(api_500=0.3, api_cut=0.2, api_105=0.2, api_429=0.2)
    study = tiny_study(tmp_path / "study", **NUMBERS)
    root, variables = study.root, ("REPLICATE_FLICKR_KEY", "REPLICATE_FLICKR_SECRET")
    study.close()
    said = ""
    with local_flickr(photos, plan) as endpoint:
        for given in (key, "another-private-key-5551"):  # the second is refused
            outcome = replicate(
                "-C", root, "gather", "--json",
                **dict(zip(variables, (given, secret), strict=True)),
                REPLICATE_FLICKR_URL=endpoint,
            )  # fmt: skip
            said += outcome.out + outcome.err
            if given == key:
                assert json.loads(outcome.out)["done"] > 0
                (root / "pipeline.toml").write_text(
                    (root / "pipeline.toml").read_text().replace("per_class = 5", "per_class = 6")
                )
                other = tiny_study(root, **{**NUMBERS, "per_class": 6})
                with other.session() as session:
                    session.execute(delete(ClassSearch))
                other.close()
            else:
                assert outcome.code == 1 and "REPLICATE_FLICKR_KEY" in outcome.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "study.db" for path in files)
    everything = said.encode() + caplog.text.encode() + b"".join(p.read_bytes() for p in files)
    for hidden in (key, secret, "another-private-key-5551"):
        assert hidden.encode() not in everything
