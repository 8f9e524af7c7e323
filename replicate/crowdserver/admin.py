"""Keys of requesters and invitations of workers, made on the server's machine."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from replicate.base.errors import UsageError
from replicate.base.randomness import token
from replicate.crowdserver import names as ids
from replicate.crowdserver.database import Database, set_setting, setting
from replicate.crowdserver.keys import REQUESTER as REQUESTER
from replicate.crowdserver.keys import add_key as add_key
from replicate.crowdserver.tables import Invitation, Worker


def invite(
    db: Path | str,
    count: int = 1,
    *,
    names: Sequence[str] | None = None,
    base_url: str | None = None,
) -> list[str]:
    """Make invitation links, one for each worker.

    A name gives the same link and the same worker every time, so that inviting again is safe.

    Args:
        db: The server's database; made if it is not there.
        count: How many workers to invite; not used when names are given.
        names: The workers' names. They are not kept, only keyed hashes of them.
        base_url: The address of the server; by default the one that it was last reached by.

    Returns:
        Links, in the order of the names; paths without a host when the server never ran and no
        address is given.

    Raises:
        UsageError: No one is invited.
    """
    if names is None and count < 1:
        raise UsageError(f"{count} workers cannot be invited.", "Give --count 1 or more.")
    database = Database(db)
    try:
        with database.begin() as connection:
            base = (base_url or setting(connection, "base_url") or "").rstrip("/")
            chosen = _new_names(connection, count) if names is None else list(names)
            return [f"{base}/join/{_invitation(connection, database.key, n)}" for n in chosen]
    finally:
        database.close()


def token_hash(invitation: str) -> str:
    """What is kept of an invitation's token."""
    return hashlib.sha256(invitation.encode()).hexdigest()


def _new_names(connection: Connection, count: int) -> list[str]:
    # Counted apart: who leaves takes their invitation along, and no number may come again.
    kept = setting(connection, "invitations")
    counted = select(func.count()).select_from(Invitation)
    made = connection.execute(counted).scalar_one() if kept is None else int(kept)
    set_setting(connection, "invitations", str(made + count))
    return [f"invitation {made + i + 1}" for i in range(count)]


def _invitation(connection: Connection, key: bytes, name: str) -> str:
    worker = ids.worker_id(key, name)
    invitation = token(key, "invitation", name, length=32)
    digest = token_hash(invitation)
    known = select(Invitation.worker_id).where(Invitation.token_hash == digest)
    if connection.execute(known).first() is None:
        now = time.time()
        here = select(Worker.worker_id).where(Worker.worker_id == worker)
        if connection.execute(here).first() is None:  # there: left, but blocked by a requester
            connection.execute(insert(Worker).values(worker_id=worker, created=now))
        connection.execute(
            insert(Invitation).values(token_hash=digest, worker_id=worker, created=now)
        )
    return invitation
