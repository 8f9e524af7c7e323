"""The errors that the requesters' API answers with."""

from typing import Any


class ApiError(Exception):
    """An error that a client of the API reads.

    Args:
        message: What is wrong, and with which value.
        turk_code: The protocol's own code, ``AWS.MechanicalTurk.…``; it is added to the message,
            as MTurk does, for many clients show only the message.
        kind: The exception's name in the service model, or one that all AWS services share.
        status: The HTTP status.
    """

    def __init__(
        self, message: str, turk_code: str = "", kind: str = "RequestError", status: int = 400
    ) -> None:
        super().__init__(message)
        self.message = f"{message} ({turk_code})" if turk_code else message
        self.turk_code = turk_code
        self.kind = kind
        self.status = status

    def document(self) -> dict[str, Any]:
        """The JSON document that is sent."""
        found = {"__type": self.kind, "Message": self.message, "message": self.message}
        if self.turk_code:
            found["TurkErrorCode"] = self.turk_code
        return found


def bad_value(message: str) -> ApiError:
    """A parameter has a value that the protocol does not allow."""
    return ApiError(message, "AWS.MechanicalTurk.InvalidParameterValue")


def no_such(what: str, name: str) -> ApiError:
    """A HIT, HIT type or assignment that this requester does not have."""
    code = "".join(word[0].upper() + word[1:] for word in what.split())
    return ApiError(f"There is no {what} {name}.", f"AWS.MechanicalTurk.{code}DoesNotExist")


def wrong_state(message: str, what: str) -> ApiError:
    """The HIT or assignment is not in a state in which this can be done."""
    return ApiError(message, f"AWS.MechanicalTurk.Invalid{what}State")


def service_fault(message: str) -> ApiError:
    """The server could not do it; the protocol's word for it, which clients try again after."""
    return ApiError(message, "AWS.ServiceUnavailable", kind="ServiceFault", status=500)
