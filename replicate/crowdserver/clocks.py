"""The clock of a sandbox: the machine's, which can be moved forward."""

from datetime import datetime, timedelta

from replicate.base.clock import SystemClock
from replicate.crowdserver.database import Database, set_setting, setting

_NAME = "clock_offset"


class SandboxClock:
    """The machine's clock and an offset that stays with the database over restarts.

    Args:
        database: The server's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._system = SystemClock()
        with database.begin() as connection:
            self._offset = float(setting(connection, _NAME) or 0.0)

    def now(self) -> datetime:
        """The sandbox's present moment, in UTC."""
        return self._system.now() + timedelta(seconds=self._offset)

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: The seconds are negative, or more than a hundred years.
        """
        if not 0 <= seconds < 3.2e9 or self._offset + seconds >= 3.2e9:
            raise ValueError(f"the clock cannot be moved by {seconds} seconds")
        with self._database.begin() as connection:
            set_setting(connection, _NAME, repr(self._offset + seconds))
        self._offset += seconds
