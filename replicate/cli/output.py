"""Everything that is shown: data on standard output, talk and progress on standard error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from replicate.stages.common import Progress, StageResult


def emit(value: Any, as_json: bool, text: str) -> None:
    """Write a result: as one JSON document, or as text for people."""
    if as_json:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(text)


def say(text: str) -> None:
    """Say something to the user, on standard error."""
    click.echo(text, err=True)


@contextmanager
def shown_progress() -> "Iterator[Progress]":
    """A progress bar on a terminal; elsewhere a line when the work changes."""
    if sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield _Lines()


class _Lines:
    def __init__(self) -> None:
        self._last = ""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        if what != self._last:
            self._last = what
            say(f"  {what}" + (f" ({total})" if total else ""))


@contextmanager
def _bar() -> "Iterator[Progress]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
    with RichProgress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as rich_progress:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int = 0, total: int = 0) -> None:
            if what not in tasks:
                for name in list(tasks):
                    rich_progress.remove_task(tasks.pop(name))
                tasks[what] = rich_progress.add_task(what, total=total or None)
            rich_progress.update(tasks[what], completed=done, total=total or None)

        yield show


def stage_line(result: "StageResult") -> str:
    """What a stage did, in a line."""
    tally = result.tally
    parts = [f"{tally.done} done", f"{tally.skipped} done before"]
    if tally.failed:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(tally.failed.items()))
        parts.append(f"{sum(tally.failed.values())} failed ({reasons})")
    if not tally.done and not tally.failed:
        parts = [f"nothing to do ({tally.skipped} done before)"]
    return f"{result.stage:8} {', '.join(parts)}"


def stage_exit_code(results: "list[StageResult]") -> int:
    """0, or 3 if any item failed."""
    return 3 if any(result.tally.failed for result in results) else 0
