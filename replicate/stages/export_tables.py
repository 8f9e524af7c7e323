"""The tables that are exported beside a set: votes, selection frequencies, the candidate pool."""

from collections.abc import Callable, Iterator, Set
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import select, text

from replicate.base.digests import digest_value
from replicate.reporting.export_data import Column, Licence, Streamed, Table
from replicate.reporting.export_texts import plain
from replicate.store.queries import FREQUENCIES, Member
from replicate.store.tables import Candidate, DedupDecision
from replicate.store.takedowns import TAKEN_DOWN
from replicate.study import Study

_VOTES = """
SELECT v.image_id AS image_id, v.class_id AS class_id, v.role AS role, v.worker_id AS worker_id,
       v.value AS value, a.assignment_id AS assignment_id, a.simulated AS simulated,
       CASE WHEN c.slot IS NULL THEN 0 ELSE 1 END AS counted, h.expert_round AS expert_round,
       v.milliseconds AS milliseconds, a.seconds AS seconds, a.submitted_at AS submitted_at
FROM votes v
JOIN assignments a ON a.assignment_id = v.assignment_id
JOIN hits h ON h.hit_key = a.hit_key
LEFT JOIN counted_votes c ON c.assignment_id = v.assignment_id AND c.slot = v.slot
ORDER BY v.class_id, v.image_id, v.worker_id, a.assignment_id, v.slot
"""
_BY_PARTS = {"yield_per": 5000}  # rows of an answer that are held at a time
VOTE_COLUMNS = (
    Column("image_id", "SHA-256 of the image's file as it was gathered."),
    Column("class_id", "The class that was asked for."),
    Column("in_set", "Whether the image is in this test set for this class."),
    Column("role", "candidate, positive or negative (controls), original, or repeat: the image was "
           "shown a second time on a page."),
    Column("worker", "The worker, as a keyed hash; the key is not published."),
    Column("vote", "yes, no, broken or not_shown; only yes and no are votes."),
    Column("counted", "Whether the vote counts in selection frequencies: not a repeat, not of a "
           "worker whom the rules leave out, not rejected, not superseded by a later round."),
    Column("page", "The submission that it came with, as a hash; votes of one page share it."),
    Column("expert_round", "1; in expert mode 2 for images on which the experts disagreed."),
    Column("milliseconds", "When on the page it was decided; empty: not known."),
    Column("page_seconds", "How long the whole page took; empty: not known."),
    Column("day", "The day of the submission."),
    Column("simulated", "Whether the worker is simulated: a program, no person."),
)  # fmt: skip
FREQUENCY_COLUMNS = (
    Column("image_id", "SHA-256 of the image's file as it was gathered."),
    Column("class_id", "The class that was asked for."),
    Column("in_set", "Whether the image is in this test set for this class."),
    Column("group", "original, candidates, or control: an image of another class."),
    Column("shown", "How many people judged it for that class."),
    Column("selected", "How many of them said yes."),
    Column("frequency", "selected / shown."),
    Column("low", "Lower end of Wilson's 95 % interval."),
    Column("high", "Its upper end."),
)
POOL_COLUMNS = (
    Column("class_id", "The class that it was found for."),
    Column("image_id", "SHA-256 of its file as it was gathered; empty: it could not be."),
    Column("in_set", "Whether the image is in this test set for this class."),
    Column("source", "Where it was found."),
    Column("source_id", "The source's own id."),
    Column("position", "Its place among the class's results, from 0."),
    Column("status", "ok, failed: it could not be downloaded, or found: it was not tried."),
    Column("reason", "Why it failed."),
    Column("kept", "Whether it stayed when near-duplicates went; empty: it was not looked at."),
    Column("dropped_for", "Why it went, and because of which image."),
    Column("selected", "How many people selected it for its class; empty: no votes."),
    Column("shown", "How many people judged it for its class."),
    Column("title", "Its title; one that begins with = + - or @ has an apostrophe in front."),
    Column("owner", "Whose it is."),
    Column("licence", "Its licence."),
    Column("uploaded", "When it was uploaded."),
    Column("taken", "When it was taken."),
    Column("page_url", "The page that shows it."),
    Column("url", "The address of the file."),
)


def tables(
    study: Study,
    members: Set[Member],
    gone: Set[str],
    licence: Callable[[str, str | None], Licence],
) -> Callable[[str], Table]:
    """The further tables of a set by name, each made once, when it is asked for.

    Args:
        study: The study.
        members: The set's (image, class).
        gone: Images that were taken down or are held: no table has a row of them.
        licence: The licence of a source's code.
    """

    @cache
    def table(name: str) -> Table:
        if name == "votes":
            about = "One vote of the study: on candidates, on original images and on controls."
            return Table(name, about, VOTE_COLUMNS, Streamed(lambda: _votes(study, members, gone)))
        if name == "pool":
            rows = Streamed(lambda: _pool(study, members, gone, licence))
            return Table(name, "One image proposed for one class.", POOL_COLUMNS, rows)
        return _frequencies(study, members, gone)

    return table


def _votes(study: Study, members: Set[Member], gone: Set[str]) -> Iterator[list[Any]]:
    @lru_cache
    def page(assignment_id: str) -> str:
        return digest_value(["page", assignment_id])[:16]

    with study.session() as session:
        for row in session.execute(text(_VOTES), execution_options=_BY_PARTS):
            if row.image_id not in gone:
                yield [
                    row.image_id, row.class_id, Member(row.image_id, row.class_id) in members,
                    row.role, row.worker_id, row.value, bool(row.counted),
                    page(row.assignment_id), row.expert_round, row.milliseconds, row.seconds,
                    str(row.submitted_at or "")[:10], bool(row.simulated),
                ]  # fmt: skip


def _frequencies(study: Study, members: Set[Member], gone: Set[str]) -> Table:
    # Imported late: it needs pandas.
    from replicate.stages.frequencies import study_frequencies

    frame = study_frequencies(study).table
    names = ("image_id", "class_id", "group", "shown", "selected", "frequency", "low", "high")
    rows = [
        [image_id, class_id, Member(image_id, class_id) in members, group, int(shown),
         int(selected), float(frequency), float(low), float(high)]
        for image_id, class_id, group, shown, selected, frequency, low, high in zip(
            *(frame[name].tolist() for name in names), strict=True
        )
        if image_id not in gone
    ]  # fmt: skip
    about = "One image of the study that was voted on for one class, with the votes that count."
    return Table("frequencies", about, FREQUENCY_COLUMNS, rows)


def _pool(
    study: Study,
    members: Set[Member],
    gone: Set[str],
    licence: Callable[[str, str | None], Licence],
) -> Iterator[list[Any]]:
    found = (
        select(
            Candidate.class_id, Candidate.image_id, Candidate.source, Candidate.source_id,
            Candidate.position, Candidate.status, Candidate.reason, Candidate.title,
            Candidate.owner, Candidate.licence, Candidate.uploaded, Candidate.taken,
            Candidate.page_url, Candidate.url, DedupDecision.keep,
            DedupDecision.reason.label("why"), DedupDecision.because_of,
            FREQUENCIES.c.selected, FREQUENCIES.c.shown,
        )
        .outerjoin(
            DedupDecision,
            (DedupDecision.image_id == Candidate.image_id)
            & (DedupDecision.class_id == Candidate.class_id),
        )
        .outerjoin(
            FREQUENCIES,
            (FREQUENCIES.c.image_id == Candidate.image_id)
            & (FREQUENCIES.c.class_id == Candidate.class_id),
        )
        .order_by(
            Candidate.class_id, Candidate.source, Candidate.position, Candidate.source_id
        )
    )  # fmt: skip
    with study.session() as session:
        for row in session.execute(found, execution_options=_BY_PARTS):
            if row.image_id not in gone and row.status != TAKEN_DOWN:
                yield _candidate(row, members, gone, licence)


def _candidate(
    row: Any,
    members: Set[Member],
    gone: Set[str],
    licence: Callable[[str, str | None], Licence],
) -> list[Any]:
    why = None
    if row.keep is False:
        because_of = row.because_of if row.because_of not in gone else None
        why = f"{row.why} {because_of or ''}".strip()
    return [
        row.class_id, row.image_id, Member(row.image_id or "", row.class_id) in members,
        row.source, row.source_id, row.position, row.status, row.reason, row.keep, why,
        row.selected, row.shown, plain(row.title or ""), plain(row.owner or ""),
        licence(row.source, row.licence).name, row.uploaded, row.taken, row.page_url, row.url,
    ]  # fmt: skip
