"""The same pure function over many items, in this process or in several."""

import contextlib
import importlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar, cast

from replicate.base.errors import ReplicateError

J = TypeVar("J")
T = TypeVar("T")
R = TypeVar("R")


class Crew(Generic[J, T, R]):
    """Processes that call one function, each for one item at a time.

    They can be launched before there is anything to do, so that what they import is there when
    the items are. They end with this process, even if it is killed: they read their next item
    from a pipe that closes with it.

    Args:
        function: A function at the top of a module, called as ``function(job, item)``.
        imports: Modules that a process imports as it starts, before it waits for its job.
    """

    def __init__(self, function: Callable[[J, T], R], imports: Sequence[str] = ()) -> None:
        self._function = function
        self._imports = tuple(imports)
        self._workers: dict[Connection, SpawnProcess] = {}

    def launch(self, processes: int) -> None:
        """Start as many processes as are missing to that number, without waiting for them."""
        context = multiprocessing.get_context("spawn")
        while len(self._workers) < processes:
            ours, theirs = context.Pipe()
            worker = context.Process(
                target=_serve, args=(theirs, self._function, self._imports), daemon=True
            )
            worker.start()
            theirs.close()
            self._workers[ours] = worker

    def over(self, job: J, items: Sequence[T], processes: int) -> Iterator[tuple[T, R]]:
        """Results of ``function(job, item)`` as they come, each with its item.

        With one process, or none, the items are done in order in this process. Otherwise each is
        given to the next process that is free. All processes have ended when this has.

        Args:
            job: What the function needs for every item; sent once to each process.
            items: What it is called for.
            processes: How many processes, at the most one for each item.

        Raises:
            ReplicateError: A process died.
        """
        try:
            if processes <= 1 or len(items) <= 1:
                for item in items:
                    yield item, self._function(job, item)
                return
            self.launch(min(processes, len(items)))
            connections = list(self._workers)[: min(processes, len(items))]
            # The job goes through the pipe, not with the process's arguments: writing those to a
            # process that died at its start would wait for ever.
            for connection in connections:
                _send(connection, job)
            yield from _deal(connections, deque(items))
        finally:
            self.close()

    def close(self) -> None:
        """End the processes; does nothing where there are none."""
        for connection, worker in self._workers.items():
            connection.close()
            worker.terminate()
        for worker in self._workers.values():
            worker.join()
        self._workers = {}


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


def _serve(
    connection: Connection, function: Callable[[Any, Any], Any], imports: Sequence[str]
) -> None:
    # Ctrl-C goes to the whole group: the first process ends the others in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in imports:
        importlib.import_module(name)
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
