"""Every operation of the protocol has its place, and the document says which."""

import importlib.util
from pathlib import Path

from replicate.crowdserver.operations import NOT_OFFERED, OPERATIONS
from replicate.crowdserver.protocol import service_model

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_each_of_the_39_operations_is_offered_or_says_why_not() -> None:
    names = set(service_model().operation_names)
    assert len(names) == 39
    assert set(OPERATIONS) | set(NOT_OFFERED) == names
    assert not set(OPERATIONS) & set(NOT_OFFERED)


def test_the_document_is_current() -> None:
    spec = importlib.util.spec_from_file_location("write_crowd_api", DOCS / "write_crowd_api.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (DOCS / "crowd-api.md").read_text(encoding="utf-8")
    assert text == module.page_text(text)
    for name in service_model().operation_names:
        assert text.count(f"\n| {name} |") == 1
