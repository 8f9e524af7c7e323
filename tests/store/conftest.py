"""What tests of the store share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A transaction that is rolled back, on the file's own `engine`."""
    with Session(engine) as session:
        yield session
        session.rollback()
