"""db/schema.md says what the tables are."""

import importlib.util

from support.paths import ROOT

from replicate.store.tables import Base


def test_the_schema_document_is_current() -> None:
    spec = importlib.util.spec_from_file_location("write_schema", ROOT / "db" / "write_schema.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "db" / "schema.md").read_text(encoding="utf-8") == module.schema_text()


def test_every_column_of_a_study_is_documented() -> None:
    undocumented = [
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if not column.doc
    ]
    assert undocumented == []
