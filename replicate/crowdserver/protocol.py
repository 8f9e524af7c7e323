"""The wire format of the MTurk Requester API: JSON 1.1, checked against botocore's service model.

boto3 checks required members and types, but neither patterns, nor enums, nor the limits of
strings and numbers; so all of that is checked here.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationNotFoundError, ServiceModel, Shape

from replicate.base.errors import MissingError
from replicate.crowdserver.errors import ApiError, bad_value

# What no database of ours can hold: half characters, and zero.
_UNSTORED = re.compile("[\x00\ud800-\udfff]")
CONTENT_TYPE = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Call:
    """A request that fits the service model."""

    operation: str
    params: dict[str, Any]


@lru_cache(maxsize=1)
def service_model() -> ServiceModel:
    """The protocol, as botocore ships it.

    Raises:
        MissingError: The installed botocore no longer has it.
    """
    try:
        return ServiceModel(Loader().load_service_model("mturk", "service-2"), "mturk")
    except UnknownServiceError as error:
        raise MissingError(
            "The installed botocore no longer ships the MTurk protocol.",
            'Install the newest version that does: pip install "boto3<=1.44.5" "botocore<=1.44.5"',
        ) from error


def required_members(operation: str) -> list[str]:
    """The parameters that an operation must have."""
    shape = service_model().operation_model(operation).input_shape
    return [] if shape is None else list(shape.required_members)


def parse_call(target: str, body: bytes) -> Call:
    """Read a request.

    Args:
        target: The header ``X-Amz-Target``.
        body: The JSON document.

    Raises:
        ApiError: It is not JSON, names no operation, or does not fit the service model.
    """
    model = service_model()
    prefix, _, operation = target.partition(".")
    if prefix != model.metadata["targetPrefix"]:
        raise _unknown(target)
    try:
        shape = model.operation_model(operation).input_shape
    except OperationNotFoundError as error:
        raise _unknown(target) from error
    try:
        params = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        message = "The request is not a JSON document."
        raise ApiError(message, kind="SerializationException") from error
    if not isinstance(params, dict):
        raise ApiError("The request is not a JSON object.", kind="SerializationException")
    if shape is not None:
        _check(params, shape, "")
    return Call(operation, params)


def _unknown(target: str) -> ApiError:
    return ApiError(f"There is no operation {target[:200]!r}.", kind="UnknownOperationException")


def _check(value: Any, shape: Any, path: str) -> None:
    kind = shape.type_name
    if kind == "structure":
        _check_structure(value, shape, path)
    elif kind == "list":
        _expect(isinstance(value, list), path, "a list")
        _limits(len(value), shape, path, "members")
        for index, item in enumerate(value):
            _check(item, shape.member, f"{path}[{index}]")
    elif kind == "string":
        _check_string(value, shape, path)
    elif kind in ("integer", "long"):
        _expect(isinstance(value, int) and not isinstance(value, bool), path, "a whole number")
        bits = 31 if kind == "integer" else 63
        _expect(-(2**bits) <= value < 2**bits, path, f"a number of {bits + 1} bits")
        _limits(value, shape, path, "")
    elif kind == "boolean":
        _expect(isinstance(value, bool), path, "true or false")
    elif kind == "timestamp":
        good = isinstance(value, int | float) and not isinstance(value, bool)
        _expect(good and abs(value) < 1e11, path, "a time, in seconds since 1970")


def _check_structure(value: Any, shape: Any, path: str) -> None:
    _expect(isinstance(value, dict), path, "an object")
    for name in shape.required_members:
        if value.get(name) is None:
            raise ApiError(f"{_join(path, name)} is missing.", "AWS.MissingParameters")
    for name, item in value.items():
        member: Shape | None = shape.members.get(name)
        if member is None:
            raise bad_value(f"There is no parameter {_join(path, name)!r}.")
        if item is not None:
            _check(item, member, _join(path, name))


def _check_string(value: Any, shape: Any, path: str) -> None:
    _expect(isinstance(value, str), path, "text")
    _expect(not _UNSTORED.search(value), path, "text that can be stored")
    _limits(len(value), shape, path, "characters")
    if shape.enum and value not in shape.enum:
        raise bad_value(f"{path} is {value!r}, not one of {', '.join(shape.enum)}.")
    pattern = shape.metadata.get("pattern")
    # re.search with $ would let a final line break through; \Z does not.
    if pattern and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        raise bad_value(f"{path} is {value!r}, which does not match the pattern {pattern}.")


def _limits(size: int, shape: Any, path: str, unit: str) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        raise bad_value(f"{path} is {size} {unit}, not {low or 0} to {high}.".replace("  ", " "))


def _expect(good: bool, path: str, what: str) -> None:
    if not good:
        raise bad_value(f"{path or 'The request'} is not {what}.")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
