"""Covariates and keyword quotas in the sample stage, from tables and searches, in the store."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from stages.pools import Pool
from stages.voted import configure, make_voted_pool
from support.frozen import forget_sets

from replicate.base.errors import UsageError
from replicate.base.files import read_json
from replicate.base.randomness import uniform
from replicate.sampling.quota import keyword_quotas
from replicate.stages.common import Options, Tally
from replicate.stages.freezing import freeze, manifest_path
from replicate.stages.gather_facts import gather_facts
from replicate.stages.sample import plan, sample
from replicate.store.facts import facts_of_candidates, facts_of_original
from replicate.store.tables import Candidate, OriginalFact, SetImage, TestSet, TestSetImage

WORDS = ("Round_one", "with a tail", "other")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    pool = make_voted_pool(tmp_path_factory.mktemp("facts"))
    with pool.study.session() as session:
        for row in session.scalars(select(Candidate)):
            chance = uniform(3, row.source_id)
            keyword = WORDS[0 if chance < 0.5 else 1 if chance < 0.9 else 2]
            taken = f"{2008 + int(8 * uniform(4, row.source_id))}-05-01 10:00:00"
            found = Candidate.source_id == row.source_id
            session.execute(
                update(Candidate).where(found).values(keyword=keyword, taken=taken, uploaded=None)
            )
        names = session.scalars(select(SetImage.name).where(SetImage.set_name == "original")).all()
    lines = [
        f"{name},{'ROUND ONE' if i % 3 else 'With a tail'},{2008 + i % 4},{1 + i % 40}"
        for i, name in enumerate(names)
    ]
    table = "file,keyword,year,rank\n" + "\n".join([*lines, "nobody,x,2000,1"]) + "\n"
    (pool.study.root / "facts.csv").write_text(table)
    return pool


@pytest.fixture
def pool(made: Pool) -> Iterator[Pool]:
    path = made.study.root / "pipeline.toml"
    text = path.read_text()
    path.write_text(text.replace("[original]\n", '[original]\nmetadata = "facts.csv"\n', 1))
    yield made
    path.write_text(text)
    with made.study.session() as session:
        forget_sets(session)
        session.execute(delete(OriginalFact))


def _images(pool: Pool, name: str) -> list[TestSetImage]:
    with pool.study.session() as session:
        return list(session.scalars(select(TestSetImage).where(TestSetImage.name == name)))


def test_facts_come_once_and_again_when_the_table_changed(pool: Pool) -> None:
    configure(pool, ("u", "uniform", 2, ""))
    first, second = Tally(), Tally()
    gather_facts(pool.context(), first)
    gather_facts(pool.context(), second)
    assert "1 of its 1001 rows name no image" in first.notes[0]
    assert "1000 of the original's 1000 images" in first.notes[1] and len(second.notes) == 1
    with pool.study.session() as session:
        original, candidates = facts_of_original(session), facts_of_candidates(session)
    assert set(candidates.counted_keywords()["0"]) == {"round one", "with a tail", "other"}
    assert set(original.counted_keywords()["3"]) == {"round one", "with a tail"}
    (year, rank, size, aspect) = next(
        iter(original.values(("year", "rank", "size", "aspect")).values())
    )
    assert (year, rank, size, aspect) == (2008.0, 1.0, 8.0, 1.0)
    assert {row[0] for row in candidates.values(("year",)).values()} <= set(range(2008, 2016))
    table = pool.study.root / "facts.csv"
    text = table.read_text()
    try:
        table.write_text(text.replace(",2008,1\n", ",1999,1\n", 1))
        gather_facts(pool.context(), third := Tally())
        assert "1000" in third.notes[-1]
        table.write_text("file,year\nx.png,1999\n")
        with pytest.raises(UsageError, match=r"facts.csv names no image .* neither 'x.png'"):
            gather_facts(pool.context(), Tally())
    finally:
        table.write_text(text)


def test_quotas_come_from_the_studys_keywords(pool: Pool) -> None:
    keys = "keywords = 2\ntotal_per_class = 18\nthreshold = 0.6\nfill = true"
    configure(pool, ("q", "quota", 1, keys), ("v4", "quota", 1, "keywords = 2"))
    with pytest.raises(UsageError, match=r"does not know the keywords .* original") as caught:
        sample(pool.context())
    assert "[original] metadata" in caught.value.hint
    gather_facts(pool.context(), Tally())
    sample(pool.context())
    images = _images(pool, "q")
    with pool.study.session() as session:
        counts = facts_of_original(session).counted_keywords()
    assert len(images) == len({image.image_id for image in images}) == 180
    for class_id in map(str, range(10)):
        drawn = Counter(i.stratum for i in images if i.class_id == class_id)
        assert drawn == keyword_quotas(counts[class_id], 2, 18)
    with pool.study.session() as session:
        words = facts_of_candidates(session).keywords
    for image in images:
        assert (image.stratum in words[image.image_id, image.class_id]) != image.filled
    assert any(image.filled for image in images)
    by_thirty = Counter((i.class_id, i.stratum) for i in _images(pool, "v4"))
    assert by_thirty == {
        (class_id, word): -(-n // 30)
        for class_id, some in counts.items()
        for word, n in some.items()
    }
    again = sample(_revising(pool, "q"))
    assert again.tally.notes == ["q-1 would hold the same images."]
    assert {row["stratum"] for row in plan(pool.study)} == {"round one", "with a tail"}


def _revising(pool: Pool, name: str) -> Any:
    from dataclasses import replace

    return replace(pool.context(), options=Options(revise=name))


def test_covariates_are_matched_and_the_set_says_how_well(pool: Pool) -> None:
    keys = 'covariates = ["year", "aspect"]'
    configure(pool, ("plain", "matched-estimated", 10, ""), ("c", "matched-estimated", 10, keys))
    gather_facts(pool.context(), Tally())
    sample(pool.context())
    with pool.study.session() as session:
        rows = {row.name: row for row in session.scalars(select(TestSet))}
    assert rows["c"].parameters["covariates"] == ["year", "aspect"]
    assert "covariates" not in rows["plain"].parameters
    assert rows["plain"].match["covariates"] is None
    told = rows["c"].match["covariates"]
    year, aspect = told["means"]
    assert (year["name"], aspect["name"]) == ("year", "aspect")
    assert year["difference_before"] > 0.5
    assert abs(year["difference_after"]) < 0.5 * year["difference_before"]
    assert year["original"] == pytest.approx(2009.5, abs=0.1)
    assert 0 < told["frequency_shift"]["se"] < 0.05
    freeze(pool.study, "c")
    assert read_json(manifest_path(pool.study, "c", 1))["covariates"] == told
    assert sample(_revising(pool, "c")).tally.notes == ["c-1 would hold the same images."]


def test_what_the_original_does_not_have_is_said(pool: Pool) -> None:
    configure(pool, ("c", "matched-estimated", 10, 'covariates = ["year"]'))
    with pytest.raises(UsageError, match="No original image with enough votes has year") as caught:
        sample(pool.context())
    assert "[original] metadata" in caught.value.hint
