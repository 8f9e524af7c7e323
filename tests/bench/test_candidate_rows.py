"""A million candidates through the stage's own search and storing, on SQLite."""

import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

from sqlalchemy import func, select
from support.studies import context, tiny_study

from replicate.sources.flickr_photos import SIZES
from replicate.sources.records import Photo, QueryPage, Window
from replicate.sources.registry import FILTERS
from replicate.stages import gather_search
from replicate.stages.common import Tally
from replicate.stages.gather_calls import StoredCalls
from replicate.store.tables import Candidate, Run

PER_CLASS, PER_PAGE = 100_000, 500
AT = datetime(2012, 10, 1, tzinfo=UTC)


class Endless:
    """As many photos for any term as anybody wants, with all that Flickr says of one."""

    name, base, local, by_class, filters = "flickr", "http://127.0.0.1:1/x", False, False, FILTERS

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        for page in range(1, 10**6):
            photos = tuple(
                Photo(
                    id=f"{term}{page:06}{n:03}",
                    owner="12345678@N01",
                    owner_name="ada",
                    title=f"A photo of {term}",
                    licence="4",
                    page_url=f"https://www.flickr.com/photos/12345678@N01/{page:06}{n:03}",
                    uploaded=AT,
                    taken="2012-09-30 12:00:00",
                    tags=(term, "digit", "ink"),
                    urls={
                        size: f"https://live.staticflickr.com/65535/{page}{n}_abcdef{size[4:]}.jpg"
                        for size in SIZES
                    },
                )
                for n in range(PER_PAGE)
            )
            yield QueryPage(term, window, page, 10**6, PER_PAGE, PER_PAGE, photos)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


def test_a_million_candidates(tmp_path: Path, benchmark, monkeypatch) -> None:
    study = tiny_study(tmp_path, limit_per_class=2, per_class=PER_CLASS)
    with study.session() as session:
        session.add(
            Run(stage="gather", versions={}, seed=1, pipeline_digest="", started_at=AT,
                status="running", done=0, skipped=0, failed={}, details={})
        )  # fmt: skip
    ground = context(study)
    ground.run_id = 1
    monkeypatch.setattr(
        gather_search, "open_study_source", lambda _: (Endless(), StoredCalls(study, "http://x/"))
    )
    marks: list[tuple[int, int]] = []

    def mark(what: str, done: int = 0, total: int = 0) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        marks.append((done * PER_CLASS, peak))

    ground.progress = mark
    begin, began = process_time(), perf_counter()
    benchmark.pedantic(lambda: gather_search.search_classes(ground, Tally()), rounds=1)
    # On a machine that does other things as well, only our own work tells how fast we are.
    seconds, wall = process_time() - begin, perf_counter() - began
    mark("done", len(study.classes))
    with study.session() as session:
        n_rows = session.scalar(select(func.count()).select_from(Candidate))
    print(
        f"\n{n_rows:,} candidates in {seconds:.1f} s of CPU ({wall:.1f} s by the clock): "
        f"{n_rows / seconds:,.0f} rows/s"
    )
    for rows, peak in marks:
        print(f"{rows:>9,} rows: peak {peak} MiB")
    assert n_rows == 1_000_000
    assert n_rows / seconds >= 20_000
    assert marks[-1][1] - marks[1][1] < 100
    study.close()
