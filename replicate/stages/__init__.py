"""The verbs: each stage reads the store, calls a noun, and writes the store."""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicate.stages.common import Context, StageResult


def load_stage(name: str) -> "Callable[[Context], StageResult]":
    """The stage of that name; imported now, so that no stage pays for another's libraries."""
    module = importlib.import_module(f"replicate.stages.{name}")
    function: Callable[[Context], StageResult] = getattr(module, name)
    return function
