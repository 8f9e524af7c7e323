"""Taking images down, and looking at those that somebody reported."""

from pathlib import Path
from typing import Any

import click

from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit


@click.group()
def takedown() -> None:
    """Take images out of a study; look at those that were reported as unsafe.

    What is taken down leaves the candidate pool, pages that were not published yet and all sets
    that are drawn later, and is not gathered again.
    """


@takedown.command(
    epilog=example(
        "replicate takedown add original:optdigits-3823 --reason 'asked for by its writer'",
        "replicate takedown add 12345678@N00 --as owner --reason 'asked for by the owner'",
        "replicate takedown add https://example.org/a.jpg --as address --reason private "
        "--delete-files",
    )
)
@click.argument("things", metavar="IMAGE|FILE|SET:NAME|ADDRESS|OWNER…", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why.")
@click.option("--by", "requested_by", metavar="WHO", help="Who asked for it.")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["image", "address", "owner"]),
    help="What it is, where the study does not know it (yet).",
)
@click.option(
    "--delete-files",
    is_flag=True,
    help="Delete the gathered file, the prepared one and the copy that workers see, too.",
)
@study_option
@json_option
def add(
    things: tuple[str, ...],
    reason: str,
    requested_by: str | None,
    kind: str | None,
    delete_files: bool,
    study_dir: str | None,
    as_json: bool,
) -> None:
    """Take images down.

    Name an image by its id (eight characters are enough), by the address of its file or page, by
    its place in a set (original:NAME), or give a file; or name an owner, for all of theirs. Says
    which sets and pages hold it. Frozen sets never change: they are named.
    """
    from replicate.stages.takedowns import add as enter

    study = the_study(study_dir)
    with study.lock():
        effect = enter(
            study, things, reason, kind=kind, requested_by=requested_by, erase=delete_files
        )
    study.close()
    emit(effect.as_json(), as_json, _effect_text(effect.as_json()))


@takedown.command("list", epilog=example("replicate takedown list"))
@study_option
@json_option
def list_(study_dir: str | None, as_json: bool) -> None:
    """List what was taken down, why, and which sets hold it."""
    from replicate.stages.takedowns import listed

    rows = listed(the_study(study_dir, reading=True))
    lines = [
        f"{row['at'][:10]}  {row['kind']:8} {_short(row)}  {len(row['images'])} images"
        f"{', files deleted' if row['erased_at'] else ''}  {row['reason']}"
        + "".join(f"\n            in {_set(each)}" for each in row["sets"])
        for row in rows
    ]
    emit({"takedowns": rows}, as_json, "\n".join(lines) or "Nothing was taken down.")


@takedown.command(epilog=example("replicate takedown remove 12345678@N00"))
@click.argument("things", metavar="ENTRY…", nargs=-1, required=True)
@study_option
@json_option
def remove(things: tuple[str, ...], study_dir: str | None, as_json: bool) -> None:
    """Take entries off the takedown list.

    Their images may be used again from then on. Files that were deleted are not brought back.
    """
    from replicate.stages.takedowns import lift

    study = the_study(study_dir)
    with study.lock():
        rows = lift(study, things)
    study.close()
    value = [{"kind": row.kind, "value": row.value, "erased": bool(row.erased_at)} for row in rows]
    text = f"{len(rows)} entries are lifted; what they named may be used again."
    if any(row.erased_at for row in rows):
        text += (
            "\nDeleted files are fetched again by: replicate gather --retry failed --reason "
            "taken_down, then: replicate prepare"
        )
    emit({"lifted": value}, as_json, text)


@takedown.command(
    epilog=example(
        "replicate takedown flag original:optdigits-3824 --reason 'shows a private address'"
    )
)
@click.argument("images", metavar="IMAGE|FILE|SET:NAME…", nargs=-1, required=True)
@click.option("--reason", required=True, help="What is wrong with it.")
@click.option("--by", "reviewer", metavar="NAME", help="Who says so (default: your user name).")
@study_option
@json_option
def flag(
    images: tuple[str, ...],
    reason: str,
    reviewer: str | None,
    study_dir: str | None,
    as_json: bool,
) -> None:
    """Report images as unsafe: offensive, or private.

    A reported image is left out of pages and sets until somebody has looked at it and takes it
    down or lets it stay.
    """
    from replicate.stages.reports import flag_images

    study = the_study(study_dir)
    with study.lock():
        found = flag_images(study, images, reason, reviewer)
    study.close()
    emit({"reported": found}, as_json, f"{len(found)} images are held until they are looked at.")


@takedown.command(epilog=example("replicate takedown reported"))
@click.option("--all", "all_", is_flag=True, help="Also those that somebody has looked at.")
@click.option(
    "--copies",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the copies that workers saw into this folder, to look at.",
)
@study_option
@json_option
def reported(all_: bool, copies: Path | None, study_dir: str | None, as_json: bool) -> None:
    """List the images that workers or reviewers reported as unsafe."""
    from replicate.stages.reports import reported_images, write_copies

    study = the_study(study_dir, reading=True)
    rows = [row for row in reported_images(study) if all_ or not row["checked_by"] or row["held"]]
    if copies is not None:
        write_copies(study, [row["image_id"] for row in rows], copies)
    study.close()
    lines = [
        f"{row['image_id'][:16]}  {'held' if row['held'] else 'used':4}  "
        f"{row['workers']} workers, {len(row['reviewers'])} reviewers"
        + (f"; let stay by {row['checked_by']}" if row["checked_by"] else "")
        + (f"; {'; '.join(row['reasons'])}" if row["reasons"] else "")
        for row in rows
    ]
    if rows:
        lines.append(
            "Take one down: replicate takedown add IMAGE --reason WHY. Let it stay: replicate "
            "takedown keep IMAGE"
        )
    emit({"reported": rows}, as_json, "\n".join(lines) or "No image waits to be looked at.")


@takedown.command(
    epilog=example(
        "replicate takedown keep original:optdigits-3824 --note 'a street sign, nothing private'"
    )
)
@click.argument("images", metavar="IMAGE…", nargs=-1, required=True)
@click.option("--note", default="", help="Why it may stay.")
@study_option
@json_option
def keep(images: tuple[str, ...], note: str, study_dir: str | None, as_json: bool) -> None:
    """Let reported images stay, once they have been looked at.

    Workers' further reports no longer hold them; a reviewer's do.
    """
    from replicate.stages.reports import keep_images

    study = the_study(study_dir)
    with study.lock():
        found = keep_images(study, images, note)
    study.close()
    emit({"kept": found}, as_json, f"{len(found)} images may stay.")


def _effect_text(effect: dict[str, Any]) -> str:
    lines = [
        f"Entries: {len(effect['entries'])}. Images of this study that they name: "
        f"{len(effect['images'])}."
    ]
    if effect["pages_taken_back"]:
        lines.append(f"{effect['pages_taken_back']} pages that were not published are taken back.")
    if effect["pages_done"]:
        lines.append(f"{effect['pages_done']} pages that are done showed it.")
    lines += [f"In {_set(each)}." for each in effect["holders"]]
    if effect["files_deleted"]:
        lines.append(f"{effect['files_deleted']} files are deleted.")
    return "\n".join([*lines, *effect["next"]])


def _set(holder: dict[str, Any]) -> str:
    if holder["revision"] is None:
        return f"the set {holder['name']}: {holder['images']}"
    state = "frozen" if holder["frozen"] else "not frozen"
    return f"the {state} test set {holder['name']}-{holder['revision']}: {holder['images']}"


def _short(row: dict[str, Any]) -> str:
    return str(row["value"][:16] if row["kind"] == "image" else row["value"])
