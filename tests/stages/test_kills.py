"""Publishing and collecting killed with SIGKILL at every point, in processes of their own.

The commands are the real ones and talk to a real crowd server; the moment of the kill is chosen on
the wire between them. To the study the workers are people: its pages go to a server by address.
"""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select
from stages.labels import Labelling, labelling
from support.command import environment
from support.crowd import process
from support.wire import Wire, wire

from replicate.crowdserver.admin import add_key
from replicate.sandbox.workers import run_sandbox_workers
from replicate.stages.publish import publish
from replicate.store.tables import Assignment, Batch, Hit, Payment, Vote

TOTAL = "1.80"
N = 18
CREATE, LIST, APPROVE = "CreateHITWithHITType", "ListAssignmentsForHIT", "ApproveAssignment"


@dataclass
class Commands:
    """Runs commands of a study over a wire, and kills them."""

    root: Path
    wire: Wire
    keys: tuple[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", "replicate", *arguments, "-C", str(self.root), "--json"],
            env=environment(
                REPLICATE_CROWD_URL=self.wire.endpoint,
                REPLICATE_CROWD_ACCESS_KEY_ID=self.keys[0],
                REPLICATE_CROWD_SECRET_ACCESS_KEY=self.keys[1],
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(child)
        return child

    def kill(self) -> None:
        self.running[-1].kill()
        self.running[-1].wait()

    def killed(self, *arguments: str, **moments: dict[tuple[str, int], Callable[[], None]]) -> None:
        """Run a command that does not live to its end."""
        self.wire.expect()
        self.wire.before.update(moments.get("before", {}))
        self.wire.after.update(moments.get("after", {}))
        child = self.start(*arguments)
        _, err = child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL, err

    def whole(self, *arguments: str) -> dict[str, object]:
        """Run a command to its end."""
        self.wire.expect()
        out, err = self.start(*arguments).communicate(timeout=60)
        assert self.running[-1].returncode == 0, err
        found: dict[str, object] = json.loads(out)
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Labelling]:
    with labelling(tmp_path) as found:
        yield found


@pytest.fixture
def commands(lab: Labelling) -> Iterator[Commands]:
    with wire(lab.world.server.endpoint) as line:
        yield Commands(lab.study.root, line, lab.world.keys)


def _publish(lab: Labelling, line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish for people, in this process: what is killed is what comes afterwards."""
    lab.world.simulated = False
    with monkeypatch.context() as patch:
        patch.setenv("REPLICATE_CROWD_URL", line.endpoint)
        publish(lab.context(confirm_cost=Decimal(TOTAL)))


def _work(lab: Labelling) -> None:
    server = lab.world.server
    assert run_sandbox_workers(server.worker_url, server.db, lab.world.seed, 6) == N


def test_publishing_killed_at_any_point_makes_each_hit_once(lab, commands) -> None:
    command = ("publish", "--confirm-cost", TOTAL)
    commands.killed(*command, before={(CREATE, 1): commands.kill})  # it never hears of it
    commands.killed(*command, after={(CREATE, 2): commands.kill})  # made, its id not stored
    lost: list[str] = []
    commands.killed(
        *command,
        after={(CREATE, 2): lambda: lost.append("the answer")},  # and asked again
        before={(CREATE, 4): commands.kill},
    )
    assert lost
    assert commands.whole(*command)["done"] == 3
    crowd = {hit["HITId"] for hit in lab.published()}
    assert len(crowd) == 6
    with lab.study.session() as session:
        hits = session.scalars(select(Hit)).all()
        batch = session.scalars(select(Batch)).one()
    assert {hit.hit_id for hit in hits} == crowd
    assert {hit.status for hit in hits} == {"published"}
    assert {hit.batch_id for hit in hits} == {batch.batch_id}
    assert (batch.hits, batch.simulated) == (6, False)
    tokens = Counter(
        json.loads(body)["UniqueRequestToken"] for body in commands.wire.bodies[CREATE]
    )
    assert len(tokens) == 6
    assert max(tokens.values()) == 2


def test_collecting_killed_at_any_point_stores_and_pays_everything_once(
    lab, commands, monkeypatch
) -> None:
    _publish(lab, commands.wire, monkeypatch)
    _work(lab)
    commands.killed("collect", after={(LIST, 1): commands.kill})
    commands.killed("collect", before={(APPROVE, 1): commands.kill})  # written down, not paid
    commands.killed("collect", after={(APPROVE, 2): commands.kill})  # paid, not confirmed
    commands.killed(
        "collect", after={(APPROVE, 1): lambda: None}, before={(LIST, 3): commands.kill}
    )
    result = commands.whole("collect")
    assert result["details"]["pending"] == 0
    _everything_once(lab, commands.wire)


def _everything_once(lab: Labelling, line: Wire) -> None:
    paid = Counter(json.loads(body)["AssignmentId"] for body in line.bodies[APPROVE])
    with lab.study.session() as session:
        rows = session.scalars(select(Assignment)).all()
        votes = session.execute(
            select(Vote.assignment_id, func.count()).group_by(Vote.assignment_id)
        ).all()
        payments = session.scalars(select(Payment)).all()
        assert {hit.status for hit in session.scalars(select(Hit))} == {"complete"}
    assert {row.status for row in rows} == {"Approved"}
    assert not any(row.simulated for row in rows)
    assert dict(map(tuple, votes)) == {row.assignment_id: 10 for row in rows}
    assert len(rows) == N
    assert {row.assignment_id for row in payments} == {row.assignment_id for row in rows}
    assert {row.status for row in payments} == {"paid"}
    assert set(paid) == {row.assignment_id for row in rows}
    # Only the call whose answer was lost was made twice; the server pays for it once.
    assert sum(paid.values()) <= N + 1


def test_the_server_killed_in_the_middle_of_collecting(lab, commands, monkeypatch) -> None:
    _publish(lab, commands.wire, monkeypatch)
    _work(lab)
    db, images = lab.world.server.db, str(lab.study.displays.root)
    keys = add_key(db)
    with process(db, images=images, sandbox=True) as (first, server):
        commands.wire.target = server.endpoint
        commands.keys = keys

        def power_cut() -> None:
            first.kill()
            first.wait()

        commands.wire.expect()
        commands.wire.before[APPROVE, 4] = power_cut
        child = commands.start("collect")
        first.wait(timeout=60)
        with process(db, images=images, sandbox=True) as (_, again):
            commands.wire.target = again.endpoint
            out, err = child.communicate(timeout=60)
            if child.returncode:  # it gave up before the server was back, and says what to do
                assert "does not answer" in err or "does not answer" in out
                commands.whole("collect")
    _everything_once(lab, commands.wire)
