"""Sets that tests draw again and again: the database would not let a frozen one go."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from replicate.store.tables import FrozenSet, TestSet, TestSetImage


@contextmanager
def unguarded(session: Session) -> Iterator[None]:
    """Without the triggers that guard frozen sets, on SQLite; they are there again afterwards."""
    guards = session.execute(
        text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'frozen_%'")
    ).all()
    assert guards
    for name, _ in guards:
        session.execute(text(f"DROP TRIGGER {name}"))
    yield
    for _, sql in guards:
        session.execute(text(sql))


def forget_sets(session: Session) -> None:
    """Forget every test set, as if none had been drawn."""
    with unguarded(session):
        for table in (FrozenSet, TestSetImage, TestSet):
            session.execute(delete(table))
