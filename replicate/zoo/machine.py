"""How torch uses this machine: its threads, and memory that is kept between batches."""

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

from replicate.base.resources import usable_cores

# Of glibc's <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 1 << 30


def usable_threads() -> int:
    """Threads for torch: one fewer than there are cores, for something else uses the rest.

    OMP_NUM_THREADS says fewer, where several workers share a machine.
    """
    most = max(1, usable_cores() - 1)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(most, int(asked)) if asked.isdecimal() and int(asked) else most


def prepare_torch() -> None:
    """Set threads, and have memory that one layer frees used again by the next."""
    import torch

    torch.set_num_threads(usable_threads())
    _keep_memory()


@cache
def _keep_memory() -> bool:
    """Have the C library keep what is freed, instead of giving it back to the system at once.

    By default glibc maps every block above 32 MiB anew and unmaps it when it is freed: what a
    layer makes of a batch is often larger, and the system then clears its pages for every layer of
    every batch. That was up to two thirds of the time of a small network. The setting is the whole
    process's; `give_back_memory` ends what is kept.

    Returns:
        Whether this system's C library can do it.
    """
    library = _library()
    if library is None:
        return False
    return all(library.mallopt(what, _LARGEST) == 1 for what in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))


def give_back_memory(above: int = 2 << 30) -> None:
    """Give the system back what is free: when a model is done, for the next has other sizes.

    Args:
        above: Only where the process holds more bytes than this, for to clear pages anew costs as
            much as a few hundred images of a small network.
    """
    library = _library()
    if library is not None and _held() > above:
        library.malloc_trim(0)


def _held() -> int:
    """Bytes of memory that this process holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # no /proc here
        return sys.maxsize
    return pages * os.sysconf("SC_PAGE_SIZE")


@cache
def _library() -> ctypes.CDLL | None:
    """The C library, if it is glibc."""
    try:
        library = ctypes.CDLL(None)
        return library if library.mallopt and library.malloc_trim else None
    except (OSError, AttributeError, TypeError):  # macOS, musl, Windows
        return None
