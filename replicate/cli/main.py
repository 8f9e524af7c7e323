"""The `replicate` command: commands are imported when they are used, errors become sentences."""

import errno
import importlib
import json
import os
import sys
import traceback
from typing import Any

import click

from replicate import __version__
from replicate.base.errors import GuardError, ReplicateError, UsageError

# Command → (module, attribute, one line of help). The table keeps `replicate --help` from
# importing anything; a test holds it against the commands' own help.
COMMANDS = {
    "demo": ("replicate.cli.study", "demo", "Run the whole digits study, offline, to its report."),
    "init": ("replicate.cli.study", "init", "Write a study folder with its pipeline file."),
    "run": ("replicate.cli.study", "run", "Run the stages, in order, doing what is missing."),
    "status": ("replicate.cli.study", "status", "Show how far the study is, and its digests."),
    "gather": ("replicate.cli.stages", "gather", "Stage 1: gather candidates for every class."),
    "prepare": ("replicate.cli.stages", "prepare", "Stage 2: prepare all images alike."),
    "dedup": ("replicate.cli.stages", "dedup", "Stage 3: remove near-duplicates."),
    "publish": ("replicate.cli.stages", "publish", "Stage 4: publish HITs, once the cost is seen."),
    "collect": ("replicate.cli.stages", "collect", "Stage 5: collect the workers' votes."),
    "annotate": ("replicate.cli.annotate", "annotate", "Label a study on your own machine."),
    "votes": ("replicate.cli.votes", "votes", "Import votes from elsewhere; export a study's."),
    "freq": ("replicate.cli.freq", "freq", "Show selection frequencies, of a study or a table."),
    "sample": ("replicate.cli.sample", "sample", "Stage 6: draw the test sets, and freeze them."),
    "review": (
        "replicate.cli.review",
        "review",
        "Look at near-duplicates and at sets in the browser.",
    ),
    "score": ("replicate.cli.score", "score", "Stage 7: score the zoo on every set."),
    "report": ("replicate.cli.stages", "report", "Stage 8: write the report."),
    "export": ("replicate.cli.export", "export", "Publish a frozen set: many formats, a card."),
    "verify": ("replicate.cli.verify", "verify", "Check a frozen set, or an export of one."),
    "analyze": (
        "replicate.cli.analyze",
        "analyze",
        "Analyse published predictions: gaps, lines, ranks.",
    ),
    "competitions": (
        "replicate.cli.competitions",
        "competitions",
        "Analyse competitions: public against private leaderboards.",
    ),
    "name-that-dataset": (
        "replicate.cli.name_that_dataset",
        "name_that_dataset",
        "Whether features give away which set an image is from.",
    ),
    "power": ("replicate.cli.power", "power", "The smallest gap that a test set can show."),
    "adjust": ("replicate.cli.adjust", "adjust", "The gap at equal selection frequencies."),
    "duplicates": (
        "replicate.cli.duplicates",
        "duplicates",
        "Find near-duplicates of two sets, or within one.",
    ),
    "models": ("replicate.cli.models", "models", "List the models of the zoo."),
    "takedown": (
        "replicate.cli.takedown",
        "takedown",
        "Take images out of a study; look at reported ones.",
    ),
    "shifts": ("replicate.cli.shifts", "shifts", "Generate shifted sets: corruptions, attacks."),
    "features": ("replicate.cli.features", "features", "What models make of images."),
    "transfer": ("replicate.cli.features", "transfer", "Linear probes on frozen features."),
    "train": ("replicate.cli.train", "train", "A testbed of small models on a folder."),
    "config": ("replicate.cli.config", "config", "Show and explain the pipeline file."),
    "doctor": ("replicate.cli.doctor", "doctor", "Check this installation and this study."),
    "db": ("replicate.cli.db", "db", "Look into the study's database."),
    "crowd": ("replicate.cli.crowd", "crowd", "Run the self-hosted crowd server."),
    "sandbox": ("replicate.cli.sandbox", "sandbox", "Run the local Flickr."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order of a study's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


EPILOG = """\b
Examples:
  replicate demo
  replicate init my-study --from digits
  replicate -C my-study status
"""


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="replicate")
@click.option(
    "-C", "--study", "study_dir", metavar="DIR", help="The study folder (default: the nearest)."
)
@click.pass_context
def cli(ctx: click.Context, study_dir: str | None) -> None:
    """Build a V2 of a labelled test set, and find out whether progress on the original is real.

    A study is a folder with a pipeline file. Its stages run one by one, or all with `run`; each
    does only what is missing. Exit codes: 0 done, 1 failed, 2 usage or a missing prerequisite,
    3 done but some items failed, 4 stopped by a guard, 130 interrupted.
    """
    ctx.obj = study_dir


def main() -> None:
    """Run the command line; never returns."""
    json_wanted = "--json" in sys.argv
    try:
        code = cli.main(prog_name="replicate", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        if json_wanted:
            _emit_error(error.format_message(), "replicate --help", 2)
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        # click takes any EOFError for somebody who closed the terminal: a file may have ended, too.
        if isinstance(error.__cause__, EOFError) and str(error.__cause__):
            code = _explain(error.__cause__, json_wanted)
        else:
            click.echo("Interrupted; the same command carries on.", err=True)
            code = 130
    except BrokenPipeError:
        # The reader of our standard output has gone; nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        code = _explain(error, json_wanted)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception, json_wanted: bool) -> int:
    known = error if isinstance(error, ReplicateError) else _known_cause(error)
    if known is None:
        if os.environ.get("REPLICATE_DEBUG"):
            traceback.print_exc()
        known = ReplicateError(
            f"Unexpected {type(error).__name__}: {error}",
            "This is a fault of replicate's; see where with REPLICATE_DEBUG=1 and report it.",
        )
    click.echo(f"Error: {known.message}", err=True)
    if known.hint:
        click.echo(f"Next:  {known.hint}", err=True)
    if json_wanted:
        _emit_error(known.message, known.hint, known.exit_code, known.details)
    return known.exit_code


def _emit_error(message: str, hint: str, code: int, details: dict[str, Any] | None = None) -> None:
    value: dict[str, Any] = {"error": message, "hint": hint, "exit_code": code} | (details or {})
    click.echo(json.dumps(value, ensure_ascii=False))


_PLACES = {
    errno.ENOENT: "There is no {path}.",
    errno.ENOTDIR: "{path} cannot be there: a part of this path is a file, not a folder.",
    errno.EEXIST: "{path} is there already, and is not the kind of file or folder that is needed.",
    errno.EISDIR: "{path} is a folder, not a file.",
    errno.ENAMETOOLONG: "The name {path} is too long for this file system.",
    errno.EACCES: "There is no permission to read or write {path}.",
    errno.EPERM: "There is no permission to read or write {path}.",
    errno.EROFS: "{path} is on a file system that cannot be written to.",
    errno.ELOOP: "{path} is a link that leads to itself.",
}


def _place_of(error: OSError) -> ReplicateError | None:
    """What is wrong with the file or folder that an error of the system names."""
    if error.filename is None or error.errno is None:
        return None
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "?"
    if error.errno in _PLACES:
        return UsageError(
            _PLACES[error.errno].format(path=path), "Name another place, or mend that one."
        )
    return ReplicateError(f"{path} cannot be read or written: {os.strerror(error.errno)}.")


def _known_cause(error: Exception) -> ReplicateError | None:
    text = str(error)
    if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or "disk is full" in text:
        return ReplicateError(
            "The disk is full; what was done so far is kept.",
            "Make room, then give the same command again.",
        )
    if isinstance(error, OSError) and (place := _place_of(error)) is not None:
        return place
    if "a frozen test set never changes" in text:
        return GuardError(
            "A frozen test set never changes; the database refused it.",
            "Draw a new revision: replicate sample --help",
        )
    if "database is locked" in text:
        return ReplicateError(
            "The study's database is in use by another program.", "Wait for it, then try again."
        )
    return None
