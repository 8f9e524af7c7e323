"""The same pure function over many items, in this process or in several."""

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar, cast

from replicate.base.errors import ReplicateError

J = TypeVar("J")
T = TypeVar("T")
R = TypeVar("R")


def usable_cores() -> int:
    """How many cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def over(
    function: Callable[[J, T], R], job: J, items: Sequence[T], processes: int
) -> Iterator[tuple[T, R]]:
    """Results of ``function(job, item)`` as they come, each with its item.

    With one process the items are done in order in this process. Otherwise each is given to the
    next process that is free. The processes end with this one, even if it is killed: they read
    their next item from a pipe that closes with it.

    Args:
        function: A function at the top of a module.
        job: What it needs for every item; sent once to each process.
        items: What it is called for.
        processes: How many processes, at least 1.

    Raises:
        ReplicateError: A process died.
    """
    if processes <= 1 or len(items) <= 1:
        for item in items:
            yield item, function(job, item)
        return
    todo = deque(items)
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, SpawnProcess] = {}
    try:
        for _ in range(min(processes, len(items))):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_serve, args=(theirs, function), daemon=True)
            worker.start()
            theirs.close()
            workers[ours] = worker
        # The job goes through the pipe, not with the process's arguments: writing those to a
        # process that died at its start would wait for ever.
        for connection in workers:
            _send(connection, job)
        yield from _deal(list(workers), todo)
    finally:
        for connection, worker in workers.items():
            connection.close()
            worker.terminate()
            worker.join()


def _deal(connections: list[Connection], todo: deque[Any]) -> Iterator[tuple[Any, Any]]:
    working: dict[Connection, Any] = {}
    for connection in connections:
        working[connection] = todo.popleft()
        _send(connection, working[connection])
    while working:
        for connection in cast("list[Connection]", wait(list(working))):
            item = working.pop(connection)
            try:
                result, error = connection.recv()
            except (EOFError, OSError):
                raise _died(f"while it worked on {item}") from None
            if error is not None:
                raise error
            if todo:
                working[connection] = todo.popleft()
                _send(connection, working[connection])
            yield item, result


def _send(connection: Connection, value: Any) -> None:
    try:
        connection.send(value)
    except OSError:
        raise _died("before it began") from None


def _died(when: str) -> ReplicateError:
    return ReplicateError(
        f"A process died {when}.",
        "Often memory ran out. What was done is kept: run the same command again.",
    )


def _serve(connection: Connection, function: Callable[[Any, Any], Any]) -> None:
    # Ctrl-C goes to the whole group: the first process ends the others in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        job = connection.recv()
        while True:
            item = connection.recv()
            answer: tuple[Any, Exception | None]
            try:
                answer = (function(job, item), None)
            except Exception as error:
                answer = (None, error)
            connection.send(answer)
