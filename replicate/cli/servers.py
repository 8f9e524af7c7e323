"""Options that all servers share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def server_options(default_port: int) -> Callable[[F], F]:
    """`--host`, `--port`, `--ready-file` and `--exit-with-stdin`."""

    def decorate(function: F) -> F:
        for option in (
            click.option("--exit-with-stdin", is_flag=True, help="Stop when standard input ends."),
            click.option(
                "--ready-file",
                metavar="J",
                type=click.Path(path_type=Path, dir_okay=False),
                help="Write addresses and pid to this JSON file once it answers.",
            ),
            click.option(
                "--port",
                type=click.IntRange(0, 65535),
                default=default_port,
                show_default=True,
                help="The port; 0 takes a free one.",
            ),
            click.option(
                "--host", default="127.0.0.1", show_default=True, help="The address to listen on."
            ),
        ):
            function = option(function)
        return function

    return decorate
