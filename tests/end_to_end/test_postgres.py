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
