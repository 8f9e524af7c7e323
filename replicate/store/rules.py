"""The rules on work in the store: which are in force, and what each of them leaves out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.orm import Session

from replicate.store import database
from replicate.store.tables import Rule
from replicate.store.workers import estimates_are_fresh, refresh_estimates

# Each rule with the number of items below which it judges nobody, and who has as many.
_JUDGED = {
    "min_control_accuracy": (
        "min_controls",
        "SELECT COUNT(*) FROM worker_controls WHERE n_positive + n_negative >= :least",
    ),
    "min_consistency": (
        "min_repeats",
        "SELECT COUNT(*) FROM worker_repeats WHERE n_repeats >= :least",
    ),
    "min_seconds_per_page": (
        "min_pages",
        "SELECT COUNT(*) FROM worker_pages WHERE n_timed >= :least",
    ),
    "min_seconds_per_image": (
        "min_pages",
        "SELECT COUNT(*) FROM worker_pages WHERE n_timed >= :least",
    ),
    "max_all_or_none": (
        "min_pages",
        "SELECT COUNT(*) FROM worker_pages WHERE n_pages >= :least",
    ),
    "min_agreement": (
        "min_compared",
        "SELECT COUNT(*) FROM worker_estimates WHERE n_compared >= :least",
    ),
    "min_informedness": (
        "min_each_kind",
        "SELECT COUNT(*) FROM worker_estimates WHERE n_positive >= :least AND n_negative >= :least",
    ),
}
_OF_ALL_VOTES = ("min_agreement", "min_informedness")


@dataclass(frozen=True)
class RuleOutcome:
    """What one rule does.

    Attributes:
        rule: Its name in `[label.quality]`.
        value: Its value.
        at_least: Nobody is judged on fewer items than this.
        judged: Workers who have as many.
        flagged: Those of them whom the rule flags.
    """

    rule: str
    value: float
    at_least: float
    judged: int
    flagged: int


@dataclass(frozen=True)
class Outcome:
    """What all rules together do.

    Attributes:
        workers: Workers whose work was collected.
        flagged: Those whose votes are left out, by any rule.
        votes: Votes yes and no of submitted and approved work, repeats left out.
        votes_left_out: Those of flagged workers among them.
        rules: Every rule that is set.
    """

    workers: int
    flagged: int
    votes: int
    votes_left_out: int
    rules: tuple[RuleOutcome, ...]

    def sentence(self) -> str:
        """What the rules leave out, in a sentence; empty when they leave out nothing."""
        if not self.flagged:
            return ""
        by_rule = ", ".join(f"{item.rule} {item.flagged}" for item in self.rules if item.flagged)
        return (
            f"{self.flagged} of {self.workers} workers are flagged ({by_rule}): their "
            f"{self.votes_left_out} of {self.votes} votes are kept, but left out of selection "
            "frequencies."
        )

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values, for `status` and `freq`."""
        return {**asdict(self), "sentence": self.sentence()}

    def idle(self) -> list[str]:
        """A sentence for each rule that could judge nobody."""
        return [
            f"{item.rule} judged nobody: no worker has the {item.at_least:g} items that it needs."
            for item in self.rules
            if item.judged == 0 and item.value > 0
        ]


def follow_rules(engine: Engine, wanted: Mapping[str, float]) -> None:
    """Bring a database to these rules; where it follows them already, nothing is written.

    Args:
        engine: The study's database.
        wanted: The rules and minimum numbers, by name.
    """
    of_all_votes = any(name in wanted for name in _OF_ALL_VOTES)
    with database.session(engine) as session:
        known = {row.name: row.value for row in session.scalars(select(Rule))}
        if known == dict(wanted) and (not of_all_votes or estimates_are_fresh(session)):
            return
    with database.session(engine) as session:
        # Writing first waits for another process's transaction, as in `update_estimates`.
        session.execute(update(Rule).values(value=Rule.value))
        take_over_rules(session, wanted)


def take_over_rules(session: Session, wanted: Mapping[str, float]) -> None:
    """Let the views follow these rules; where they are known already, nothing is written.

    Votes that rules on all votes need estimates of are looked at again if they have changed.

    Args:
        session: An open session.
        wanted: The rules and minimum numbers of `[label.quality]`, by name.
    """
    known = {row.name: row.value for row in session.scalars(select(Rule))}
    if known != dict(wanted):
        session.execute(delete(Rule))
        session.execute(
            insert(Rule), [{"name": name, "value": wanted[name]} for name in sorted(wanted)]
        )
    if any(name in wanted for name in _OF_ALL_VOTES):
        refresh_estimates(session)


def outcome(session: Session) -> Outcome:
    """What the rules in force leave out, each by itself and all together."""
    values = {row.name: row.value for row in session.scalars(select(Rule))}
    flagged: dict[str, int] = {
        rule: int(count)
        for rule, count in session.execute(
            text("SELECT rule, COUNT(*) FROM worker_flags GROUP BY rule")
        )
    }
    rules = []
    for name, (least, judged) in _JUDGED.items():
        if name in values:
            n = session.execute(text(judged), {"least": values[least]}).scalar_one()
            rules.append(RuleOutcome(name, values[name], values[least], n, flagged.get(name, 0)))
    return Outcome(
        workers=_count(session, "SELECT COUNT(DISTINCT worker_id) FROM assignments"),
        flagged=_count(session, "SELECT COUNT(*) FROM flagged_workers"),
        votes=_count(session, "SELECT COUNT(*) FROM usable_votes WHERE role <> 'repeat'"),
        votes_left_out=_count(
            session,
            "SELECT COUNT(*) FROM usable_votes WHERE role <> 'repeat' "
            "AND worker_id IN (SELECT worker_id FROM flagged_workers)",
        ),
        rules=tuple(rules),
    )


def _count(session: Session, sql: str) -> int:
    return int(session.execute(text(sql)).scalar_one())
