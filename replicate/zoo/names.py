"""Models by name, with wildcards.

A name is ``scheme:rest``. The scheme ``small`` holds models that are trained on the study's own
training images, in seconds, on a CPU::

    small:<family>[-<parameter><value>…]-s<seed>       small:mlp-d2-w64-s0

Every family has its shape parameters (``w`` width, ``d`` depth …) and the two that say how well a
model is trained: ``n``, how many of the training images it sees (default: all), and ``e``, its
epochs. One model has one name: :func:`parse` puts parameters in order and leaves defaults out.

This module does not import torch.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from replicate.base.errors import UsageError

SCHEME = "small"
_TOKEN = re.compile(r"([a-z])(\d+(?:\.\d+)?)\Z")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family.

    Args:
        letter: How names write it.
        meaning: What it is, for people.
        default: Its value where a name does not give it.
        low: The smallest allowed value.
        high: The largest allowed value.
        whole: Only whole numbers are allowed.
        shown: It is part of every canonical name, default or not.
    """

    letter: str
    meaning: str
    default: float
    low: float
    high: float
    whole: bool = True
    shown: bool = True


@dataclass(frozen=True)
class Family:
    """A family of models: what it is, its parameters in the order of names, its usual epochs.

    An epoch is one step of accelerated gradient descent for ``linear``, nothing for ``relu`` and
    ``rff``, which are solved exactly, and one pass of Adam in batches for the others.
    """

    name: str
    title: str
    epochs: int
    parameters: tuple[Parameter, ...]


_L2 = Parameter("l", "L2 penalty", 0.0001, 0.0, 1000.0, whole=False, shown=False)


def _width(default: int, low: int, high: int) -> Parameter:
    return Parameter("w", "width", default, low, high)


def _depth(default: int, high: int) -> Parameter:
    return Parameter("d", "depth", default, 1, high)


# From the quickest to train to the slowest.
FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("linear", "multinomial logistic regression", 100, (_L2,)),
        Family("relu", "random ReLU features", 1, (_width(512, 1, 65_536), _L2)),
        Family(
            "rff",
            "random Fourier features",
            1,
            (
                _width(512, 1, 65_536),
                Parameter("g", "bandwidth (1 / length scale)", 0.06, 0.0001, 100, False, False),
                _L2,
            ),
        ),
        Family("mlp", "multilayer perceptron", 8, (_depth(1, 16), _width(64, 1, 8192))),
        Family("cnn", "convolutional network", 6, (_width(8, 1, 512),)),
        Family("resnet", "residual convolutional network", 4, (_width(8, 2, 512),)),
        Family("vit", "vision transformer", 6, (_depth(2, 16), _width(32, 8, 1024))),
    )
}

_COMMON = (
    Parameter("n", "training images (0: all)", 0, 1, 100_000_000, shown=False),
    Parameter("e", "epochs", 0, 1, 100_000, shown=False),
)


@dataclass(frozen=True)
class ModelSpec:
    """What a model is, before it has weights.

    Args:
        name: Its canonical name, with the scheme.
        family: A key of :data:`FAMILIES`.
        parameters: Every parameter of the family by letter, defaults filled in.
        seed: The seed in the name; a study's own seed is added to it when it is trained.
        epochs: Passes over its training images.
        images: How many training images it sees; None means all.
    """

    name: str
    family: str
    parameters: dict[str, float] = field(hash=False)
    seed: int
    epochs: int
    images: int | None = None


def parse(name: str) -> ModelSpec:
    """The model that a full name means.

    Raises:
        UsageError: The scheme, the family or a parameter is unknown, or a value is out of range.

    >>> parse("small:mlp-w64-d2-s1").name
    'small:mlp-d2-w64-s1'
    >>> parse("small:linear-n100-s0").images
    100
    """
    scheme, _, rest = name.partition(":")
    if scheme != SCHEME or not rest:
        raise UsageError(
            f"No models of the scheme {scheme!r} (in {name!r}).",
            f"Names look like {CATALOGUE[0]}; the known scheme is '{SCHEME}:'.",
        )
    family_name, *tokens = rest.split("-")
    family = FAMILIES.get(family_name)
    if family is None:
        raise UsageError(
            f"No model family {family_name!r} (in {name!r}).",
            f"The families are {', '.join(FAMILIES)}.",
        )
    return _spec(family, _values(name, family, tokens))


def _values(name: str, family: Family, tokens: list[str]) -> dict[str, float]:
    seed = Parameter("s", "seed", 0, 0, 1_000_000)
    known = {p.letter: p for p in (*family.parameters, *_COMMON, seed)}
    values: dict[str, float] = {}
    for token in tokens:
        match = _TOKEN.fullmatch(token)
        parameter = known.get(match[1]) if match else None
        if match is None or parameter is None or match[1] in values:
            meanings = ", ".join(f"{p.letter} {p.meaning}" for p in known.values())
            raise UsageError(
                f"Cannot read {token!r} in the model name {name!r}.",
                f"The parameters of {family.name} are: {meanings}; each at most once.",
            )
        value = float(match[2])
        if not parameter.low <= value <= parameter.high or (parameter.whole and value % 1):
            kind = "a whole number" if parameter.whole else "a number"
            raise UsageError(
                f"The {parameter.meaning} in the model name {name!r} cannot be {match[2]}.",
                f"It is {kind} from {parameter.low:g} to {parameter.high:g}.",
            )
        values[match[1]] = value
    if "s" not in values:
        raise UsageError(f"The model name {name!r} has no seed.", f"Say {name}-s0.")
    return values


def _spec(family: Family, values: dict[str, float]) -> ModelSpec:
    parameters = {p.letter: values.get(p.letter, p.default) for p in family.parameters}
    epochs = int(values.get("e", family.epochs))
    images = int(values["n"]) if "n" in values else None
    parts = [f"{SCHEME}:{family.name}"]
    parts += [
        f"{p.letter}{_number(parameters[p.letter])}"
        for p in family.parameters
        if p.shown or parameters[p.letter] != p.default
    ]
    parts += [f"n{images}"] if images is not None else []
    parts += [f"e{epochs}"] if epochs != family.epochs else []
    parts.append(f"s{int(values['s'])}")
    return ModelSpec("-".join(parts), family.name, parameters, int(values["s"]), epochs, images)


def _number(value: float) -> str:
    return str(int(value)) if value % 1 == 0 else format(value, "f").rstrip("0")


# What wildcards choose from: weak and strong, so that a line can be fitted through their
# accuracies; those with seed 0 alone train in a third of the time of all. Any other name that
# `parse` understands is as good, when it is given in full.
CATALOGUE: tuple[str, ...] = (
    "small:linear-n50-s0",
    "small:linear-n100-s0",
    "small:linear-l1-s0",
    "small:linear-s0",
    "small:relu-w32-s0",
    "small:relu-w64-s0",
    "small:relu-w128-s0",
    "small:relu-w512-s0",
    "small:rff-w32-s0",
    "small:rff-w64-s0",
    "small:rff-w128-s0",
    "small:rff-w512-s0",
    "small:mlp-d2-w64-n200-s0",
    "small:mlp-d1-w8-s0",
    "small:mlp-d1-w32-s0",
    "small:mlp-d2-w64-s0",
    "small:mlp-d3-w64-s0",
    "small:cnn-w4-s0",
    "small:cnn-w8-s0",
    "small:cnn-w16-s0",
    "small:resnet-w4-s0",
    "small:vit-d1-w16-s0",
    "small:linear-n100-s1",
    "small:relu-w64-s1",
    "small:rff-w64-s1",
    "small:mlp-d1-w32-s1",
    "small:mlp-d2-w64-s1",
    "small:cnn-w8-s1",
    "small:resnet-w4-s1",
    "small:vit-d2-w16-s1",
)


def expand(patterns: Iterable[str]) -> list[ModelSpec]:
    """The models that some names and wildcards mean, each once.

    Args:
        patterns: Full names, or shell wildcards (``small:*``, ``small:mlp-*-s0``) over
            :data:`CATALOGUE`.

    Returns:
        In the order of the patterns; within a wildcard, in the order of the catalogue.

    Raises:
        UsageError: A pattern means no model; the message names the nearest names.

    >>> [spec.name for spec in expand(["small:cnn-*-s0"])]
    ['small:cnn-w4-s0', 'small:cnn-w8-s0', 'small:cnn-w16-s0']
    """
    found: dict[str, ModelSpec] = {}
    for pattern in patterns:
        if is_wildcard(pattern) or "?" in pattern:
            names = [name for name in CATALOGUE if fnmatchcase(name, pattern)]
            if not names:
                raise _nothing(pattern)
        else:
            names = [pattern]
        for name in names:
            spec = _parse_or_suggest(name)
            found.setdefault(spec.name, spec)
    return list(found.values())


def _parse_or_suggest(name: str) -> ModelSpec:
    try:
        return parse(name)
    except UsageError as error:
        raise UsageError(error.message, f"{error.hint} {_nearest(name)}".strip()) from error


def _nothing(pattern: str) -> UsageError:
    return UsageError(f"No model matches {pattern!r}.", _nearest(pattern))


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, CATALOGUE, n=3, cutoff=0.3)
    return f"Nearest names: {', '.join(near)}." if near else f"For example: {CATALOGUE[0]}."


def is_wildcard(name: str) -> bool:
    """Whether a name stands for several, in any scheme.

    A question mark alone does not say so: in most schemes it begins parameters.

    >>> is_wildcard("timm:resnet*"), is_wildcard("py:mine:build?width=2")
    (True, False)
    """
    return "*" in name or "[" in name


def small(patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Patterns of the scheme ``small:``, and those of all others.

    >>> small(["small:*", "timm:resnet50"])
    (['small:*'], ['timm:resnet50'])
    """
    given = list(patterns)
    ours = [name for name in given if name.partition(":")[0] == SCHEME]
    return ours, [name for name in given if name not in ours]
