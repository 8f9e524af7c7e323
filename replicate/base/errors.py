"""The exception tree.

::

    ReplicateError            exit 1   something failed
    ├── UsageError            exit 2   a command, a file or a prerequisite is wrong
    │   ├── PipelineError     exit 2   the pipeline file is wrong (line, key, nearest name)
    │   └── MissingError      exit 2   a prerequisite is missing (a study, a key, a package)
    ├── GuardError            exit 4   stopped before harm: budget, infeasible sample, schema
    ├── SourceError           exit 1   a source of candidates failed as a whole
    ├── ProviderError         exit 1   a crowd provider failed as a whole
    └── ItemError             exit 3   one item failed; stages turn it into a row with a reason

Every exception carries a message for a person and a hint: the next thing to do.
"""

from typing import Any


class ReplicateError(Exception):
    """Something that a user should read, without a traceback.

    Args:
        message: What went wrong, and with which item.
        hint: What to do next, if there is one thing to do; usually a command to type.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: dict[str, Any] = {}  # what --json says beside the message

    @property
    def whole(self) -> str:
        """Message and hint as one line, for tables and reports.

        >>> ReplicateError("There is no set.", "Run: replicate sample").whole
        'There is no set. Run: replicate sample'
        """
        return " ".join(part for part in (self.message, self.hint) if part)


class UsageError(ReplicateError):
    """A command, a configuration value or a prerequisite is wrong."""

    exit_code = 2


class PipelineError(UsageError):
    """The pipeline file cannot be used as it is."""


class MissingError(UsageError):
    """Something that must be there before this command can run is not there."""


class GuardError(ReplicateError):
    """Stopped before doing harm: a budget, an infeasible sample, a newer schema."""

    exit_code = 4


class SourceError(ReplicateError):
    """A source of candidates cannot be used at all (a bad key, no connection)."""


class ProviderError(ReplicateError):
    """A crowd provider cannot be used at all (a bad key, no connection)."""


class ItemError(ReplicateError):
    """One item failed; the stage goes on.

    Args:
        reason: A short machine-readable reason that counts are kept by, such as ``timeout``.
        message: What went wrong, for a person.
    """

    exit_code = 3

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason
