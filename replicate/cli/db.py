"""Looking into a study's database."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import click
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from replicate.base.errors import GuardError, UsageError
from replicate.base.files import atomic_path
from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, say
from replicate.store.database import SCHEMA, schema_version


@click.group()
def db() -> None:
    """Look into the study's database: upgrade, check, query, export."""


@db.command(epilog=example("replicate db upgrade"))
@study_option
@json_option
def upgrade(study_dir: str | None, as_json: bool) -> None:
    """Bring the database to this version's schema.

    Commands that only look leave a database of an earlier version as it is. The stages bring it up
    to date and say so; a SQLite file is copied first, beside it: study.db.schema-NUMBER. An earlier
    version of replicate can open only the copy.
    """
    study = the_study(study_dir)
    version = schema_version(study.engine)
    emit({"schema": version}, as_json, f"The database is at schema {version}.")


@db.command(epilog=example("replicate db check"))
@study_option
@json_option
def check(study_dir: str | None, as_json: bool) -> None:
    """Check the database: its schema, its integrity, and that every file it names is there."""
    study = the_study(study_dir, reading=True)
    with study.session() as session:
        problems = []
        if study.engine.dialect.name == "sqlite":
            rows = session.execute(text("PRAGMA integrity_check")).scalars().all()
            problems += [str(row) for row in rows if row != "ok"]
            broken = session.execute(text("PRAGMA foreign_key_check")).all()
            problems += [f"{row[0]}: row {row[1]} points nowhere" for row in broken]
        there = session.execute(text("SELECT image_id FROM images")).scalars()
        problems += [
            f"images: the file {image_id} is missing" for image_id in study.images.missing(there)
        ]
    value = {"schema": SCHEMA, "problems": problems}
    emit(value, as_json, "\n".join(problems) or f"The database is sound (schema {SCHEMA}).")
    if problems:
        say(f"The study has {len(problems)} problems.")
        sys.exit(1)


@db.command(epilog=example("replicate db query 'SELECT * FROM selection_frequencies LIMIT 3'"))
@click.argument("sql")
@study_option
@json_option
def query(sql: str, study_dir: str | None, as_json: bool) -> None:
    """Ask the database one SELECT; nothing can be changed this way."""
    names, rows = _read_only(the_study(study_dir, reading=True), sql)
    if as_json:
        emit([dict(zip(names, row, strict=True)) for row in rows], True, "")
        return
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    writer.writerows(rows)


def _read_only(study: Any, sql: str) -> tuple[list[str], list[list[Any]]]:
    with study.engine.connect() as connection:
        try:
            if study.engine.dialect.name == "sqlite":
                connection.execute(text("PRAGMA query_only = ON"))
            else:
                connection.execute(text("SET TRANSACTION READ ONLY"))
            result = connection.execute(text(sql))
            if not result.returns_rows:
                raise UsageError("That statement returns no rows; only a SELECT is answered.")
            names = list(result.keys())
            return names, [[_plain(value) for value in row] for row in result]
        except DBAPIError as error:
            raise UsageError(
                f"The database refused that: {error.orig}.",
                "Tables and columns are described in db/schema.md; list them: replicate db tables",
            ) from error
        finally:
            connection.rollback()
            if study.engine.dialect.name == "sqlite":
                connection.execute(text("PRAGMA query_only = OFF"))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str) else str(value)


@db.command(epilog=example("replicate db tables"))
@study_option
@json_option
def tables(study_dir: str | None, as_json: bool) -> None:
    """List tables and views, with their numbers of rows."""
    study = the_study(study_dir, reading=True)
    found = inspect(study.engine)
    names = [name for name in found.get_table_names() if name != "alembic_version"]
    counts = {}
    with study.session() as session:
        for name in sorted(names) + sorted(found.get_view_names()):
            counts[name] = session.execute(text(f'SELECT COUNT(*) FROM "{name}"')).scalar()
    emit({"tables": counts}, as_json, "\n".join(f"{n:>9} {name}" for name, n in counts.items()))


@db.command(epilog=example("replicate db export votes votes.csv"))
@click.argument("table")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@study_option
@json_option
def export(table: str, out: Path, study_dir: str | None, as_json: bool) -> None:
    """Write one table or view as CSV, or as JSON lines if OUT ends in .jsonl."""
    study = the_study(study_dir, reading=True)
    found = inspect(study.engine)
    names = sorted([*found.get_table_names(), *found.get_view_names()])
    if table not in names:
        raise UsageError(f"There is no table {table!r}.", "List them: replicate db tables")
    if out.exists():
        raise GuardError(f"{out} exists and was left as it is.", "Name another file.")
    keys, rows = _read_only(study, f'SELECT * FROM "{table}"')
    with atomic_path(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        if out.suffix == ".jsonl":
            for row in rows:
                handle.write(json.dumps(dict(zip(keys, row, strict=True))) + "\n")
        else:
            writer = csv.writer(handle)
            writer.writerow(keys)
            writer.writerows(rows)
    emit(
        {"table": table, "rows": len(rows), "path": str(out)}, as_json, f"{len(rows)} rows in {out}"
    )
