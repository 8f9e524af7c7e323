"""Limits that MTurk documents in words, and that the service model does not carry.

A parameter means the same wherever it comes, so one table holds for all operations.
"""

from typing import Any

from replicate.crowdserver.errors import bad_value

DAY = 86_400
YEAR = 365 * DAY
XML_BYTES = 65_535
LENGTHS = {
    "Title": 128,
    "Name": 200,
    "Description": 2000,
    "Keywords": 1000,
    "RequesterAnnotation": 255,
    "RequesterFeedback": 1024,
    "Reason": 1024,
    "Subject": 200,
    "MessageText": 4096,
    "Query": 255,
    "Reward": 12,
    "BonusAmount": 12,
    "QualificationRequestId": 64,
}
RANGES = {
    "AssignmentDurationInSeconds": (30, YEAR),
    "AutoApprovalDelayInSeconds": (0, 30 * DAY),
    "LifetimeInSeconds": (30, YEAR),
    "MaxAssignments": (1, 1_000_000_000),
    "NumberOfAdditionalAssignments": (1, 1_000_000_000),
    "TestDurationInSeconds": (1, YEAR),
    "RetryDelayInSeconds": (0, 10 * YEAR),
}
COUNTS = {"WorkerIds": (1, 100), "QualificationRequirements": (0, 10)}
XML = ("Question", "Test", "AnswerKey")
# Texts that say something to somebody: with nothing but space in them they are not there.
FILLED = ("Title", "Name", "Description", "Reason", "RequesterFeedback", "Subject", "MessageText")


def check_limits(params: dict[str, Any], required: list[str]) -> None:
    """Refuse parameters beyond their limits.

    Args:
        params: An operation's parameters, which fit the service model.
        required: Those that the operation must have.

    Raises:
        ApiError: One is too long, too large, too small, or empty.
    """
    for name, most in LENGTHS.items():
        size = len(params.get(name) or "")
        if size > most:
            raise bad_value(f"{name} has {size} characters; at most {most} are allowed.")
    for name, (low, high) in RANGES.items():
        value = params.get(name)
        if value is not None and not low <= value <= high:
            raise bad_value(f"{name} is {value}, not {low} to {high}.")
    for name, (low, high) in COUNTS.items():
        given = params.get(name)
        if given is not None and not low <= len(given) <= high:
            raise bad_value(f"{name} has {len(given)} members, not {low} to {high}.")
    for name in XML:
        size = len((params.get(name) or "").encode())
        if size > XML_BYTES:
            raise bad_value(f"The {name} has {size} bytes; at most {XML_BYTES} are allowed.")
    for name in FILLED:
        if name in required and not params[name].strip():
            raise bad_value(f"{name} is empty.")
