"""db/schema.md says what the tables are."""

import importlib.util

import pytest
from sqlalchemy.orm import DeclarativeBase
from support.paths import ROOT

from replicate.crowdserver.tables import Base as CrowdBase
from replicate.store.tables import Base as StudyBase


def test_the_schema_document_is_current() -> None:
    spec = importlib.util.spec_from_file_location("write_schema", ROOT / "db" / "write_schema.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "db" / "schema.md").read_text(encoding="utf-8") == module.schema_text()


@pytest.mark.parametrize("base", [StudyBase, CrowdBase], ids=["study", "crowd server"])
def test_every_column_is_documented(base: type[DeclarativeBase]) -> None:
    assert base.metadata.sorted_tables
    undocumented = [
        f"{table.name}.{column.name}"
        for table in base.metadata.sorted_tables
        for column in table.columns
        if not column.doc
    ]
    assert undocumented == []
