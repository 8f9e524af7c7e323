"""``py:PACKAGE.MODULE:FUNCTION``: a function of yours that returns a model.

The function returns a `PythonModel`: the module and what it is to be fed. Keyword arguments stand
after a question mark (``py:mymodels:build?width=2``) and arrive as text.
"""

import difflib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo.loaded import Description, LoadedModel, Triple, loaded
from replicate.zoo.query import split_query
from replicate.zoo.schemes import ModelOptions
from replicate.zoo.views import View

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class PythonModel:
    """What a function of the scheme ``py:`` returns.

    Attributes:
        module: From float32 (n, 3, height, width), standardised, to scores (n, outputs).
        view: What it sees of an image.
        mean: What is subtracted from each channel, of pixels in [0, 1].
        std: What each channel is then divided by.
        outputs: The class id of each output; None for a class map by hand.
        family: Its family, for figures.
        card: Whatever is to be kept with its predictions.
        exact: Whether view and scaling are those that its published accuracy was measured with.
    """

    module: "nn.Module"
    view: View
    mean: Triple = (0.485, 0.456, 0.406)
    std: Triple = (0.229, 0.224, 0.225)
    outputs: tuple[str, ...] | None = None
    family: str = "py"
    card: dict[str, Any] = field(default_factory=dict)
    exact: bool = True


class PyScheme:
    """Functions that return models; they are called to be described, for they alone know."""

    def names(self) -> Sequence[str]:
        """None: functions cannot be listed."""
        return ()

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """See `Scheme.describe`."""
        return self.made(rest, options)[0]

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """See `Scheme.open`."""
        description, made = self.made(rest, options)
        return loaded(description, made.module)

    def made(self, rest: str, options: ModelOptions) -> tuple[Description, PythonModel]:
        """What the function returns, and the description that it amounts to; it is not run."""
        made = call(rest, options)
        outputs = made.outputs
        return (
            Description(
                f"py:{rest}", made.family, made.view, made.mean, made.std, outputs,
                len(outputs or ()), rest.partition("?")[0], exact=made.exact, card=dict(made.card),
            ),
            made,
        )  # fmt: skip


def call(rest: str, options: ModelOptions) -> PythonModel:
    """Call the function that a name means.

    Raises:
        UsageError: The name is malformed, or the function returns something else.
        MissingError: There is no such module.
        ItemError: With reason ``bad_model``: the function raises.
    """
    import torch

    target, keywords = split_query(rest, None)
    module_name, colon, function_name = target.partition(":")
    if not (module_name and colon and function_name):
        raise UsageError(f"py:{rest} names no function.", "Write py:package.module:function.")
    root = str(options.root.resolve())
    if root not in sys.path:  # modules beside the study, as `python -m` would find them
        sys.path.insert(0, root)
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and module_name.startswith(error.name):
            raise MissingError(
                f"There is no module {module_name!r} for py:{rest}.",
                f"Put it into {root}, or install its package.",
            ) from error
        raise ItemError("bad_model", f"py:{rest} cannot be imported: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        near = difflib.get_close_matches(function_name, dir(module), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{module_name} has no function {function_name!r}.", hint)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made = function(**keywords)
    except Exception as error:
        raise ItemError("bad_model", f"py:{rest} raised {type(error).__name__}: {error}") from error
    if not isinstance(made, PythonModel):
        raise UsageError(
            f"py:{rest} returns {type(made).__name__}.",
            "It returns a replicate.zoo.scheme_py.PythonModel: the module and its view.",
        )
    return made


scheme = PyScheme()
