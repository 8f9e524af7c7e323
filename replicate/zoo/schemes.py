"""Models by name: ``scheme:rest``, with wildcards, over every scheme there is.

Our own schemes are below; other packages bring theirs by entry points of the group
``replicate.models``::

    [project.entry-points."replicate.models"]
    ours = "our_models:scheme"

The object is a `Scheme`. Nothing is fetched unless `ModelOptions.download` says so: a model whose
weights are not on this machine is a clear message, never a wait.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from replicate.base.errors import MissingError, UsageError
from replicate.zoo.loaded import Description, LoadedModel
from replicate.zoo.names import is_wildcard

GROUP = "replicate.models"
# Scheme → the module that brings it as `scheme`, and what it is.
OURS = {
    "timm": ("replicate.zoo.scheme_timm", "timm's pretrained configurations"),
    "torchvision": ("replicate.zoo.scheme_torchvision", "torchvision's weights"),
    "open_clip": ("replicate.zoo.scheme_open_clip", "open_clip's models, zero-shot"),
    "hf": ("replicate.zoo.scheme_hf", "image classifiers of transformers"),
    "py": ("replicate.zoo.scheme_py", "a function of yours that returns a module"),
    "file": ("replicate.zoo.scheme_file", "a checkpoint, with the name of its architecture"),
    "onnx": ("replicate.zoo.scheme_onnx", "an ONNX file, with a card beside it"),
    "predictions": ("replicate.zoo.scheme_predictions", "a folder of published predictions"),
}


@dataclass(frozen=True)
class ModelOptions:
    """What models are opened with.

    Attributes:
        download: Whether weights that are not here may be fetched.
        allow_pickle: Whether checkpoints that can run code when they are read are read.
        class_ids: The classes of zero-shot models, one an output.
        class_names: What each class is called, in the same order.
        templates: Prompts of zero-shot models, with ``{}`` where the name goes.
        root: What relative paths of files are relative to.
    """

    download: bool = False
    allow_pickle: bool = False
    class_ids: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    templates: tuple[str, ...] = ("a photo of a {}.",)
    root: Path = field(default_factory=Path)


class Scheme(Protocol):
    """One way to name models; ``rest`` is what stands after the colon."""

    def names(self) -> Sequence[str]:
        """What wildcards choose from; empty where names cannot be listed."""
        ...

    def describe(self, rest: str, options: ModelOptions) -> Description:
        """What a model is, without loading its weights.

        Raises:
            UsageError: There is no such model.
            MissingError: The package that brings it is not installed.
        """
        ...

    def open(self, rest: str, options: ModelOptions) -> LoadedModel:
        """Load a model.

        Raises:
            UsageError: There is no such model.
            MissingError: Its package or its weights are not here.
            ItemError: It cannot be loaded; with a reason.
        """
        ...


def schemes() -> dict[str, str]:
    """All schemes by name, with what they are."""
    others = {
        entry.name: f"brought by {entry.value.partition(':')[0]}"
        for entry in entry_points(group=GROUP)
        if entry.name not in OURS
    }
    return {name: words for name, (_, words) in OURS.items()} | others


def find_scheme(name: str) -> Scheme:
    """The scheme of that name.

    Raises:
        UsageError: There is none, or another package's cannot be imported.
    """
    if name in OURS:
        scheme: Scheme = import_module(OURS[name][0]).scheme
        return scheme
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                brought: Scheme = entry.load()
            except Exception as error:
                raise UsageError(
                    f"The scheme {name!r} of {entry.value} cannot be used: {error}.",
                    f"Mend or uninstall the package that brings it ({entry.value}).",
                ) from error
            return brought
    known = [*schemes(), "small"]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}:? " if near else ""
    raise UsageError(
        f"There are no models of the scheme {name!r}.",
        f"{hint}The schemes are {', '.join(f'{scheme}:' for scheme in known)}.",
    )


def split(name: str) -> tuple[str, str]:
    """Scheme and rest of a model's name.

    Raises:
        UsageError: It has no scheme.

    >>> split("timm:resnet50.a1_in1k")
    ('timm', 'resnet50.a1_in1k')
    """
    scheme, colon, rest = name.partition(":")
    if not (scheme and colon and rest):
        raise UsageError(
            f"{name!r} is no model's name.",
            "Names have a scheme, such as timm:resnet50.a1_in1k or py:mymodels:build; see: "
            "replicate models list",
        )
    return scheme, rest


def expand_names(patterns: Iterable[str], root: Path | None = None) -> list[str]:
    """The full names that some names and wildcards mean, each once, in order.

    Args:
        patterns: Full names, or wildcards (``*`` and ``[abc]``) such as ``timm:resnet*.a1_in1k``;
            ``predictions:FOLDER`` means all models of the folder.
        root: What relative paths of folders are relative to; None: the folder we are in.

    Raises:
        UsageError: A pattern means no model; the message names the nearest.
        MissingError: The package of a scheme is not installed, or a folder is not there.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        scheme, rest = split(pattern)
        if scheme == "predictions":
            from replicate.zoo.scheme_predictions import published_names

            found.update(dict.fromkeys(published_names(rest, root or Path())))
            continue
        if not is_wildcard(rest):
            found[pattern] = None
            continue
        names = find_scheme(scheme).names()
        if not names:
            raise UsageError(
                f"Names of the scheme {scheme}: cannot be listed.", "Give the models by full name."
            )
        chosen = [name for name in names if fnmatchcase(name, rest)]
        if not chosen:
            raise nothing(pattern, scheme, rest, names)
        found.update(dict.fromkeys(f"{scheme}:{name}" for name in chosen))
    return list(found)


def nothing(name: str, scheme: str, rest: str, names: Sequence[str]) -> UsageError:
    """The error that a name means no model, with the nearest names."""
    near = difflib.get_close_matches(rest.replace("*", ""), names, n=3, cutoff=0.4)
    hint = (
        f"Nearest: {', '.join(f'{scheme}:{one}' for one in near)}."
        if near
        else f"For example: {scheme}:{names[0]}."
        if names
        else ""
    )
    return UsageError(f"There is no model {name!r}.", hint)


def describe(name: str, options: ModelOptions | None = None) -> Description:
    """What a model is, without loading it.

    Raises:
        UsageError: There is no such model.
        MissingError: The package that brings it is not installed.
    """
    scheme, rest = split(name)
    return find_scheme(scheme).describe(rest, options or ModelOptions())


def open_model(name: str, options: ModelOptions | None = None) -> LoadedModel:
    """Load a model.

    Raises:
        UsageError: There is no such model.
        MissingError: Its package or its weights are not here.
        ItemError: It cannot be loaded; with a reason.
    """
    scheme, rest = split(name)
    return find_scheme(scheme).open(rest, options or ModelOptions())


def no_weights(name: str, where: str) -> MissingError:
    """The error that a model's weights are not on this machine."""
    return MissingError(
        f"The weights of {name} are not on this machine ({where}).",
        f"Fetch them where there is a network: replicate models check --download {name}",
    )
