"""docs/images.md names the keys of downloads with their defaults, and every reason."""

import re
from pathlib import Path

from replicate.pipeline.keys import key_table
from replicate.sources import download

TEXT = (Path(__file__).parents[2] / "docs" / "images.md").read_text(encoding="utf-8")


def test_keys_have_their_defaults() -> None:
    defaults = {row.key: row.default for row in key_table()}
    rows = re.findall(r"(?m)^\| `(\w+)` \| (\w+) \|", TEXT.partition("Every candidate")[0])
    assert len(rows) == 9
    for key, default in rows:
        known = defaults[f"gather.{key}"].removesuffix(".0").lower()
        assert known == default, key


def test_every_reason_is_there() -> None:
    table = re.findall(r"(?m)^``(\w+)``", download.__doc__ or "")
    assert len(table) > 10
    assert [reason for reason in table if f"`{reason}`" not in TEXT] == []
    first = TEXT.split("| reason |")[1].split("\n")[2]
    assert set(re.findall(r"`(\w+)`", first)) == download.PASSING
