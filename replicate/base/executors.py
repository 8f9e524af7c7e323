"""One function over many items, in this process, in several, or on Ray's workers.

Results come in the order of the items, and are the same whatever runs them: a function is handed
an item and nothing else. Workers use one thread each for the numerics libraries: with more, tiny
matrix products get in each other's way and take several times as long.
"""

import importlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from replicate.base.errors import MissingError, ReplicateError, UsageError

Item = TypeVar("Item")
Result = TypeVar("Result")

EXECUTORS = ("local", "ray")
_WAITING = 2  # items a worker has waiting: results are taken in order, memory stays bounded
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def run(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    executor: str = "local",
    workers: int = 1,
) -> Iterator[Result]:
    """Apply a function to every item.

    Args:
        function: Importable by name (a module's function, or a `functools.partial` of one): it
            is sent to other processes.
        items: Taken as they are needed.
        executor: ``local`` (processes on this machine; one worker is this process itself) or
            ``ray`` (Ray's workers; it joins the cluster that RAY_ADDRESS names, or starts one
            on this machine).
        workers: How many items are worked on at a time.

    Yields:
        The results, in the order of the items.

    Raises:
        UsageError: There is no such executor, or fewer than one worker.
        MissingError: Ray is not installed.
        ReplicateError: A worker died.
    """
    if executor not in EXECUTORS or workers < 1:
        raise UsageError(
            f"There is no executor {executor!r} with {workers} workers.",
            f"Executors: {', '.join(EXECUTORS)}; workers: 1 or more.",
        )
    if executor == "ray":
        yield from _run_ray(function, items, workers)
    elif workers == 1:
        with one_thread():
            yield from map(function, items)
    else:
        yield from _run_processes(function, items, workers)


def one_thread() -> Any:
    """A context in which the numerics libraries that are loaded use one thread each."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def _begin() -> None:
    """What a worker process does first.

    One thread each, for libraries that are yet to be loaded and for those that are; and nobody
    is left behind: a parent that is killed cannot tell its workers.
    """
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    one_thread()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_processes(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # Started anew, not forked: a fork of a process with threads may stand still for ever.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin)
    try:
        yield from _in_order(
            (pool.submit(function, item) for item in items), workers, lambda job: job.result()
        )
    except BrokenProcessPool as error:
        raise ReplicateError(
            "A worker process was killed, perhaps for want of memory.",
            "Run the command again: it carries on; with fewer processes it needs less memory.",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    jobs: Iterator[Any], workers: int, result: Callable[[Any], Result]
) -> Iterator[Result]:
    waiting: deque[Any] = deque()
    for job in jobs:
        waiting.append(job)
        if len(waiting) >= workers * _WAITING:
            yield result(waiting.popleft())
    while waiting:
        yield result(waiting.popleft())


@contextmanager
def ray_session(workers: int) -> Iterator[Any]:
    """Ray, as a module: joined by RAY_ADDRESS or started on this machine, left as it was found.

    Args:
        workers: How many work at a time; what a cluster of our own has room for.

    Raises:
        MissingError: Ray is not installed.
    """
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise MissingError(
            "The executor ray needs the package ray, which is not installed.",
            "Install it: pip install 'replicate-testsets[ray]'",
        ) from error
    ours = not ray.is_initialized()
    if ours and os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    elif ours:
        ray.init(
            address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False,
            configure_logging=False,
        )  # fmt: skip
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def ray_threads(number: int) -> dict[str, dict[str, str]]:
    """The runtime environment in which the numerics libraries of a worker use so many threads."""
    return {"env_vars": dict.fromkeys(_THREADS, str(number))}


def _run_ray(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    with ray_session(workers) as ray:
        task = ray.remote(num_cpus=1, runtime_env=ray_threads(1))(_pinned)
        shared = ray.put(function)
        try:
            yield from _in_order((task.remote(shared, item) for item in items), workers, ray.get)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ReplicateError):
                raise error.cause from error
            raise
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
            raise ReplicateError(
                "A Ray worker was killed, perhaps for want of memory.",
                "Run the command again: it carries on.",
            ) from error


def _pinned(function: Callable[[Item], Result], item: Item) -> Result:
    with one_thread():
        return function(item)
