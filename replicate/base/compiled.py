"""One decorator for compiled loops. Import it late: numba takes a third of a second."""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """The function, compiled by numba, without the interpreter's lock, the code kept on disk."""
    try:
        made = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # nowhere to keep compiled code: an installation that nobody may write to
        made = njit(nogil=True)(function)
    return cast(_F, made)
