"""The pipeline file, shown and explained."""

from typing import Any

import click

from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit


@click.group()
def config() -> None:
    """Show and explain the pipeline file."""


@config.command(epilog=example("replicate config show", "replicate config show --json"))
@study_option
@json_option
def show(study_dir: str | None, as_json: bool) -> None:
    """Print every value of the pipeline file, and whether the file or a default gives it."""
    study = the_study(study_dir)
    given = study.loaded.given
    rows = [
        {"key": key, "value": value, "from": "file" if _is_given(key, given) else "default"}
        for key, value in _flatten(study.pipeline.model_dump(mode="json", by_alias=True))
    ]
    text = "\n".join(f"{row['key']} = {row['value']!r}  # {row['from']}" for row in rows)
    emit({"path": str(study.loaded.path), "values": rows}, as_json, text)


def _flatten(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        pairs = [(f"{prefix}.{key}" if prefix else key, item) for key, item in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        pairs = [(f"{prefix}.{position}", item) for position, item in enumerate(value)]
    else:
        return [(prefix, value)]
    return [row for key, item in pairs for row in _flatten(item, key)]


def _is_given(key: str, given: frozenset[str]) -> bool:
    parts = key.split(".")
    return any(".".join(parts[:end]) in given for end in range(len(parts), 1, -1))


@config.command(epilog=example("replicate config keys", "replicate config keys label"))
@click.argument("table", required=False)
@json_option
def keys(table: str | None, as_json: bool) -> None:
    """List every key that a pipeline file may have, with its type, default and meaning."""
    from replicate.base.errors import UsageError
    from replicate.pipeline.keys import key_table

    rows = [row for row in key_table() if table is None or row.key.split(".")[0] == table]
    if not rows:
        raise UsageError(f"There is no table {table!r}.", "List them all: replicate config keys")
    emit(
        {"keys": [vars(row) for row in rows]},
        as_json,
        "\n".join(
            f"{row.key}  ({row.type}; default {row.default})\n    {row.meaning}" for row in rows
        ),
    )
