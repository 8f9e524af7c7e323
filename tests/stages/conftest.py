"""What tests of the stages share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stages.publishing import make_published

from replicate.stages.export import export
from replicate.study import Study


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A study with a frozen set of 30 images; tests leave it as it is, or put it back."""
    study = make_published(tmp_path_factory.mktemp("published") / "study")
    yield study
    study.close()


@pytest.fixture(scope="module")
def whole(published: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All formats, in shards of 12 images; tests that change them copy them."""
    out = tmp_path_factory.mktemp("whole") / "all"
    export(published, "all", "top", out, shard_size=12)
    return out
