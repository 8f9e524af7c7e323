"""Options that many commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from replicate.cli.output import say

if TYPE_CHECKING:
    from replicate.study import Study

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """`--json`: one JSON document on standard output, nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")(
        function
    )


def study_option(function: F) -> F:
    """`-C/--study DIR`, given before or after the command's name."""
    return click.option(
        "-C",
        "--study",
        "study_dir",
        metavar="DIR",
        callback=_from_group,
        help="The study folder (default: the nearest one upwards).",
    )(function)


def _from_group(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    return value if value is not None else ctx.find_root().obj


def the_study(study_dir: str | None, reading: bool = False) -> "Study":
    """Open the study that is meant.

    Args:
        study_dir: Its folder; None: the nearest.
        reading: Whether the command only looks: then a database of an earlier version is left as
            it is, and refused.

    Raises:
        MissingError: There is none.
    """
    # Imported late: commands that need no study do not pay for its database.
    from replicate.study import find_study, open_study

    study = open_study(Path(study_dir) if study_dir else find_study(Path.cwd()))
    study.may_upgrade, study.tell = not reading, say
    return study


def example(*lines: str) -> str:
    """The epilog of a command: examples, one a line. A test runs each of them."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
