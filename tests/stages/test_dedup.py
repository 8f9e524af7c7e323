"""The dedup stage on the digits study's own photos, with planted near-duplicates."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from stages.pools import Pool, add_photos, make_pool

from replicate.base.errors import MissingError
from replicate.base.images import decode, grey
from replicate.stages import dedup_hashes
from replicate.stages.common import Context
from replicate.stages.dedup import dedup
from replicate.store.queries import prepared_ids
from replicate.store.tables import DedupDecision, DuplicatePair, Hash, PreparedImage
from replicate.study import init_study, open_study

N = 600


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    made = make_pool(tmp_path_factory.mktemp("dedup"), N)
    dedup(made.context())
    return made


def decisions(pool: Pool) -> dict[tuple[str, str], tuple[Any, ...]]:
    with pool.study.session() as session:
        return {
            (row.image_id, row.class_id): (row.keep, row.reason, row.because_of)
            for row in session.scalars(select(DedupDecision))
        }


def forget(pool: Pool) -> None:
    with pool.study.session() as session:
        session.execute(delete(DedupDecision))
        session.execute(delete(DuplicatePair))


def test_all_planted_near_duplicates_go_and_hardly_any_other(pool: Pool) -> None:
    kept = {image_id: row[0] for (image_id, _), row in decisions(pool).items()}
    planted = [
        photo for photo, row in pool.truth.items() if row.kind == "near_duplicate"
    ]  # fmt: skip
    planted = [photo for photo in planted if photo in pool.images]
    others = [photo for photo in pool.images if photo not in planted]
    assert len(planted) >= 8
    assert not any(kept[pool.images[photo]] for photo in planted)
    dropped = [photo for photo in others if not kept[pool.images[photo]]]
    assert len(dropped) <= 0.01 * len(others)


def test_every_drop_is_explained_by_a_stored_sure_pair(pool: Pool) -> None:
    with pool.study.session() as session:
        pairs = list(session.scalars(select(DuplicatePair)))
    sure = {frozenset((p.reference_id, p.candidate_id)) for p in pairs if p.verdict == "sure"}
    drops = {key: row for key, row in decisions(pool).items() if not row[0]}
    assert drops
    for (image_id, _), (_, reason, because_of) in drops.items():
        assert reason in ("duplicate_of_reference", "duplicate_of_candidate")
        assert frozenset((image_id, because_of)) in sure
    assert {p.verdict for p in pairs} <= {"sure", "unsure"}
    assert {p.reference_set for p in pairs} <= {"original", "train", "candidates"}


def test_again_it_does_nothing_and_says_so(pool: Pool) -> None:
    before = decisions(pool)
    result = dedup(pool.context())
    assert (result.tally.done, result.tally.skipped) == (0, len(before))
    assert decisions(pool) == before


def test_cut_off_while_hashing_it_ends_the_same(pool: Pool, monkeypatch: Any) -> None:
    before = decisions(pool)
    forget(pool)
    with pool.study.session() as session:
        session.execute(delete(Hash))
    calls = 0
    real = dedup_hashes.frequencies

    def cut(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 25:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(dedup_hashes, "frequencies", cut)
    with pytest.raises(KeyboardInterrupt):
        dedup(pool.context())
    assert decisions(pool) == {}
    with pool.study.session() as session:
        half = len(list(session.scalars(select(Hash))))
    assert half == 2000
    dedup(pool.context())
    assert decisions(pool) == before


def test_hashes_of_other_versions_are_made_anew(pool: Pool) -> None:
    before = decisions(pool)
    forget(pool)
    with pool.study.session() as session:
        for row in session.scalars(select(Hash).limit(50)):
            row.versions, row.value = "{}", "0" * 16
    dedup(pool.context())
    assert decisions(pool) == before
    with pool.study.session() as session:
        assert {row.versions for row in session.scalars(select(Hash))} != {"{}"}


def test_a_grown_pool_changes_no_earlier_decision(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, 300, part=0.5, train=False)
    dedup(pool.context())
    before = decisions(pool)
    add_photos(pool, tmp_path / "photos", 150, 300)
    result = dedup(pool.context())
    after = decisions(pool)
    assert result.tally.done == len(after) - len(before) > 100
    assert {key: after[key] for key in before} == before


def test_without_prepared_candidates_it_names_the_stage_before(tmp_path: Path, pool: Pool) -> None:
    empty = init_study(tmp_path / "empty", "digits")
    with pytest.raises(MissingError, match="no prepared candidates") as caught:
        dedup(Context(empty, None))  # type: ignore[arg-type]
    assert "replicate prepare" in caught.value.hint
    with pool.study.session() as session:
        assert session.scalars(select(PreparedImage)).first() is not None


def test_a_given_threshold_is_one_of_squared_l2(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, 300, part=0.5, train=False)
    pipeline = pool.study.pipeline
    wanted = pipeline.dedup.model_copy(update={"threshold": 0.02})
    pool.study.loaded = replace(
        pool.study.loaded, pipeline=pipeline.model_copy(update={"dedup": wanted})
    )
    assert dedup(pool.context()).tally.details["calibration"] == {}
    with pool.study.session() as session:
        prepared = {image: ids[0] for image, ids in prepared_ids(session, "digits-8x8@1").items()}
        pairs = session.scalars(select(DuplicatePair)).all()
    assert pairs
    for pair in pairs:
        first, second = (
            grey(decode(pool.study.prepared.get(prepared[image]))).astype(float) / 255
            for image in (pair.reference_id, pair.candidate_id)
        )
        assert pair.verdict == "sure"
        assert pair.pixel_distance == pytest.approx(((first - second) ** 2).mean())
        assert pair.pixel_distance <= 0.02


def test_the_small_demo_is_hashed_again_without_a_compiler(
    small_demo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(small_demo, folder)
    study = open_study(folder)
    with study.session() as session:
        before = session.scalar(select(func.count()).select_from(Hash))
        for table in (DedupDecision, DuplicatePair, Hash):
            session.execute(delete(table))
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from replicate.stages.common import Context\n"
        "from replicate.stages.dedup import dedup\n"
        "from replicate.study import open_study\n"
        "dedup(Context(open_study(Path(sys.argv[1])), None))\n"
        "print(sorted({'numba', 'pyarrow', 'simplejpeg'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    with study.session() as session:
        assert session.scalar(select(func.count()).select_from(Hash)) == before
