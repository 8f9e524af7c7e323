"""People look at near-duplicates and at test sets, in their browsers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from replicate.cli.annotate import network_address, people_named
from replicate.cli.options import example, json_option, study_option, the_study
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from replicate.stages.review import Review, Standings
    from replicate.study import Study

F = TypeVar("F", bound=Callable[..., Any])


@click.group(epilog=example("replicate review status"))
def review() -> None:
    """Look at near-duplicates and at test sets in the browser, alone or with others.

    What reviewers say counts from then on: the next `dedup` follows their verdicts on pairs, and
    sets drawn later leave out the images that they exclude. `[review]` in the pipeline file says
    how many must look and agree.
    """


def _pages_options(function: F) -> F:
    for option in (
        click.option(
            "--ready-file",
            metavar="J",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Write the links to this JSON file once they can be followed.",
        ),
        click.option("--no-browser", is_flag=True, help="Print the link instead of opening it."),
        click.option(
            "--port", type=click.IntRange(0, 65535), default=0, help="The port (default: free)."
        ),
        click.option(
            "--host",
            default="127.0.0.1",
            show_default=True,
            help="The address to listen on; 0.0.0.0 lets colleagues in your network in.",
        ),
        click.option(
            "--reviewers", metavar="NAME,NAME", help="Several people: a link is made for each."
        ),
        click.option("--reviewer", metavar="NAME", help="Who looks (default: the login name)."),
    ):
        function = option(function)
    return function


@review.command(
    epilog=example("replicate review duplicates --reviewers ada,bob --no-browser --ready-file J")
)
@click.option(
    "--up-to",
    type=click.FloatRange(min=0),
    metavar="D",
    help="Only pairs up to this pixel distance (default: all that the search found).",
)
@_pages_options
@study_option
@json_option
def duplicates(up_to: float | None, study_dir: str | None, as_json: bool, **options: Any) -> None:
    """Say of near-duplicate pairs whether they are the same photo.

    Serves a page that shows pair after pair, the doubtful ones first, and ends once everybody
    has looked at all and nobody disagrees, or at Ctrl-C. Run again, it goes on where it was.
    Nobody sees what others said of a pair before saying something themselves. The next `dedup`
    drops what reviewers call the same and keeps what they call different.
    """
    from replicate.stages.review_pairs import review_of_pairs

    study = the_study(study_dir)
    names = people_named(options["reviewer"], options["reviewers"], "reviewer")
    made = review_of_pairs(study, names, up_to)
    command = "duplicates" if up_to is None else f"duplicates --up-to {up_to:g}"
    _serve(study, "duplicates", command, made, options, as_json)


@review.command(
    "set",
    epilog=example("replicate review set matched --reviewer ada --no-browser --ready-file J"),
)
@click.argument("name", metavar="SET")
@_pages_options
@study_option
@json_option
def set_(name: str, study_dir: str | None, as_json: bool, **options: Any) -> None:
    """Look at the newest revision of a test set, class by class, before it is frozen.

    Each class is shown whole, with random originals beside it; what does not belong is flagged
    with a reason. What a reviewer has looked at is not asked again, in later revisions either.
    Sets that are drawn from then on leave out what is excluded.
    """
    from replicate.stages.review_sets import review_of_set

    study = the_study(study_dir)
    names = people_named(options["reviewer"], options["reviewers"], "reviewer")
    made = review_of_set(study, names, name)
    _serve(study, f"set-{name}", f"set {name}", made, options, as_json)


@review.command(epilog=example("replicate review status", "replicate review status --json"))
@study_option
@json_option
def status(study_dir: str | None, as_json: bool) -> None:
    """Show how much was looked at, how far reviewers agree, and what follows from it.

    Agreement is that of everybody's first verdicts, which were given before others' could be
    seen: the share of equal verdicts, and Krippendorff's alpha (1: full agreement, 0: chance).
    """
    from replicate.stages.review_status import status as heard

    study = the_study(study_dir, reading=True)
    found = heard(study)
    study.close()
    lines = []
    for name, each in found.items():
        looked = ", ".join(f"{who} {n}" for who, n in each.looked.items()) or "nobody yet"
        lines.append(f"{name}: {each.enough} of {each.total} looked at ({looked})")
        if each.together:
            lines.append("  " + ", ".join(f"{n} {what}" for what, n in each.together.items()))
        if each.agreement["agreed"] is not None:
            alpha = each.agreement["alpha"]
            shown = "" if alpha is None else f", alpha {alpha:.2f}"
            lines.append(
                f"  reviewers agree on {each.agreement['agreed']:.1%} of "
                f"{each.agreement['compared']} compared{shown}; {each.disagreements} disagreements"
            )
        if each.horizon is not None and each.horizon["candidates"]:
            lines.append(
                f"  all pairs were looked at for {each.horizon['complete']} of "
                f"{each.horizon['candidates']} candidates that have any"
            )
    emit({name: each.as_json() for name, each in found.items()}, as_json, "\n".join(lines))


@review.command(
    epilog=example(
        "replicate review export duplicates --output verdicts.csv",
        "replicate review export sets --output reviews.csv --json",
    )
)
@click.argument("kind", type=click.Choice(["duplicates", "sets", "horizons"]))
@click.option(
    "--output",
    metavar="TABLE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to: a file that ends in .csv, .tsv, .jsonl or .parquet.",
)
@study_option
@json_option
def export(kind: Any, output: Path, study_dir: str | None, as_json: bool) -> None:
    """Write reviews to a table.

    duplicates and sets: every verdict, with who, when, and whether it is the one that counts;
    reviewers' names are written as they were given. horizons: for each candidate that has pairs,
    the pixel distance up to which enough people looked at all of them.
    """
    import pandas as pd

    from replicate.base.tables import write_table
    from replicate.stages.review_status import columns, rows

    study = the_study(study_dir)
    with study.session() as session:
        found = rows(session, kind, study.pipeline.review.reviewers)
    study.close()
    write_table(pd.DataFrame(found, columns=columns(kind)), output)
    emit({"rows": len(found), "to": str(output)}, as_json, f"{len(found)} rows in {output}")


def _serve(
    study: "Study", kind: str, command: str, made: "Review", options: dict[str, Any], as_json: bool
) -> None:
    from replicate.stages.review import Listen, only_one, serve

    listen = Listen(
        options["host"], options["port"], network_address(options["host"]), options["ready_file"]
    )

    def tell(links: dict[str, str]) -> None:
        for name, link in links.items():
            say(f"{name}: {link}")
        if len(links) == 1 and not options["no_browser"]:
            import webbrowser

            webbrowser.open(next(iter(links.values())))
        say("Look in the browser; Ctrl-C here stops, and what was said is kept.")

    with only_one(study, kind):
        try:
            serve(made, listen, tell, _show)
        except KeyboardInterrupt:
            say("Stopped.")
    found = made.standings()
    study.close()
    following = _following(study, command, found)
    value = {
        "study": str(study.root),
        "total": found.total,
        "left": dict(found.left),
        "disagreements": found.disagreements,
        "next": following,
    }
    emit(value, as_json, f"{_sentence(found)}\nNext: {following}")


def _show(found: "Standings") -> None:
    say(f"  {_sentence(found)}")


def _sentence(found: "Standings") -> str:
    people = "; ".join(f"{name} {n} left" for name, n in found.left.items())
    split = f"; disagreements: {found.disagreements}" if found.disagreements else ""
    return f"{found.total} in all: {people}{split}"


def _following(study: "Study", command: str, found: "Standings") -> str:
    base = f"replicate -C {study.root}"
    if not found.complete:
        return f"{base} review {command} --reviewers {','.join(found.left)}"
    return f"{base} dedup" if command.startswith("duplicates") else f"{base} review status"
