"""Votes from elsewhere, and a study's votes for elsewhere."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from replicate.crowd.imports import Columns

FORMATS = ("mturk-csv", "boto3-json", "label-studio", "csv")


@click.group()
def votes() -> None:
    """Import votes that were gathered elsewhere; export those of a study."""


@votes.command(
    "import",
    epilog=example(
        "replicate votes import batch.csv --format mturk-csv --output old-votes.csv",
        "replicate votes import old-votes.csv --format csv --map image=image_id --output again.csv",
    ),
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    required=True,
    type=click.Choice(FORMATS),
    help="A batch's result file, saved list_assignments_for_hit answers, an export of Label "
    "Studio, or any table with one vote a row.",
)
@click.option(
    "--map",
    "mappings",
    metavar="NAME=COLUMN",
    multiple=True,
    help="Where something is: image (Input.photo*), class, worker, vote, answer, hit, assignment, "
    "status, seconds.",
)
@click.option("--class", "class_id", metavar="ID", help="The class that every row is about.")
@click.option(
    "--output",
    metavar="TABLE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a table for `replicate freq` (.csv, .tsv, .jsonl, .parquet); no study is needed.",
)
@study_option
@json_option
def import_(
    files: tuple[Path, ...],
    kind: str,
    mappings: tuple[str, ...],
    class_id: str | None,
    output: Path | None,
    study_dir: str | None,
    as_json: bool,
) -> None:
    """Import old votes into a study, or into a table.

    Reads batch result files of MTurk, saved answers of its API, exports of Label Studio, and
    tables. Rejected work does not count. Workers' ids are replaced by keyed hashes; the key stays
    beside the table, or in the study. Every row that is left out is counted by reason, and the
    exit code is then 3. What was imported before is not imported again.
    """
    from replicate.crowd.imports import read_imports

    found = read_imports(files, kind, _columns(mappings, class_id))
    if output is not None:
        from replicate.base.tables import write_table
        from replicate.stages.labelling import KEY_FILE, secret_key
        from replicate.stages.votes import table_of

        write_table(table_of(found, secret_key(output.parent / KEY_FILE)), output)
        done, skipped, number = found.used, 0, len(found.votes)
        where, notes = str(output), [f"{k}: {v}" for k, v in sorted(found.examples.items())]
    else:
        from replicate.stages.votes import import_votes

        study = the_study(study_dir)
        with study.lock():
            tally = import_votes(study, found, kind)
        done, skipped, number = tally.done, tally.skipped, tally.details["votes"]
        where, notes = str(study.root), tally.notes
        study.close()
    for note in notes:
        say(f"  left out, {note}")
    failed = dict(sorted(found.left_out.items()))
    value: dict[str, Any] = {
        "rows": found.rows,
        "done": done,
        "skipped": skipped,
        "votes": number,
        "left_out": failed,
        "to": where,
    }
    reasons = ", ".join(f"{reason} {n}" for reason, n in failed.items()) or "nothing"
    text = (
        f"{found.rows} rows read; {done} submissions used, {skipped} known before, "
        f"{number} votes; left out: {reasons}.\n{where}"
    )
    emit(value, as_json, text)
    sys.exit(3 if failed else 0)


@votes.command(
    epilog=example("replicate votes export all-votes.csv", "replicate votes export all-votes.jsonl")
)
@click.argument("output", metavar="TABLE", type=click.Path(path_type=Path, dir_okay=False))
@study_option
@json_option
def export(output: Path, study_dir: str | None, as_json: bool) -> None:
    """Write every vote of the study into a table.

    One row a vote, with the worker as a keyed hash, the page's state, whether the vote counts,
    where it was given and whether its worker is simulated. TABLE ends in .csv, .tsv, .jsonl or
    .parquet.
    """
    from replicate.base.tables import write_table
    from replicate.stages.votes import export_votes

    frame = export_votes(the_study(study_dir, reading=True))
    write_table(frame, output)
    value = {"table": str(output), "votes": len(frame), "counted": int(frame["counted"].sum())}
    emit(value, as_json, f"{len(frame)} votes, of which {value['counted']} count: {output}")


def _columns(mappings: Sequence[str], class_id: str | None) -> "Columns":
    from replicate.crowd.imports import Columns

    columns = {}
    for each in mappings:
        name, _, column = each.partition("=")
        if not name or not column:
            raise UsageError(f"{each!r} maps nothing.", "Write it like --map worker=WorkerId")
        columns[name.strip()] = column.strip()
    return Columns(columns, class_id)
