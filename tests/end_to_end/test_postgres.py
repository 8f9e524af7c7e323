"""The small study on a real PostgreSQL, by URL."""

from pathlib import Path

import pytest
from support.command import digests, replicate

pytestmark = pytest.mark.postgres


def test_the_small_study_is_the_same_on_postgresql(
    postgres_url: str, small_demo: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    outcome = replicate(
        "demo", "--dir", study, "--size", "small", REPLICATE_DATABASE_URL=postgres_url
    )
    assert outcome.code == 0, outcome.err
    assert not (study / "study.db").exists()
    assert digests(study, REPLICATE_DATABASE_URL=postgres_url) == digests(small_demo)
    again = replicate("run", "-C", study, "--json", REPLICATE_DATABASE_URL=postgres_url)
    assert {result["done"] for result in again.json()["stages"]} == {0}
    # What is published of it is the same, too.
    for folder, root, url in (
        ("one", small_demo, {}),
        ("two", study, {"REPLICATE_DATABASE_URL": postgres_url}),
    ):
        done = replicate("export", "all", "matched", tmp_path / folder, "-C", root, **url)
        assert done.code == 0, done.err
        assert replicate("verify", tmp_path / folder).code == 0
    for name in (
        "imagefolder/images.csv",
        "frequencies/frequencies.csv",
        "huggingface/classes.csv",
    ):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    counts = [
        len((tmp_path / f / "pool" / "pool.csv").read_text().splitlines()) for f in ("one", "two")
    ]
    assert counts[0] == counts[1] > 300
