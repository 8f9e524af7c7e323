"""gather: what a table says of the original's images comes into the store."""

from sqlalchemy import delete, insert, select

from replicate.base.errors import UsageError
from replicate.sources.facts import Fact, read_facts
from replicate.sources.original import is_table
from replicate.stages.common import Context, Tally
from replicate.store.fact_tables import OriginalFact
from replicate.store.tables import SetImage
from replicate.study import Study


def gather_facts(context: Context, tally: Tally) -> None:
    """Store what `[original] metadata` says; a table that says something else replaces it.

    Raises:
        MissingError: There is no such table.
        UsageError: It is no table, says nothing, or names no image of the original.
    """
    study = context.study
    place = study.pipeline.original.metadata
    facts = _given(study)
    if facts is None:
        return
    with study.session() as session:
        names = set(session.scalars(select(SetImage.name).where(SetImage.set_name == "original")))
        known = {fact.name: fact for fact in facts if fact.name in names}
        strangers = [fact.name for fact in facts if fact.name not in names]
        if place is not None and not known:
            raise UsageError(
                f"{place} names no image of the original: neither {strangers[0]!r} nor another is "
                f"called as in the set, such as {min(names)!r}."
                if strangers
                else f"{place} says nothing of any image.",
                "Its column of files has their names in the set: paths below its folder.",
            )
        if len(known) < len(facts) - len(strangers):
            raise UsageError(f"{place} names an image of the original twice.")
        if strangers and place is not None:
            tally.notes.append(
                f"{place}: {len(strangers)} of its {len(facts)} rows name no image of the "
                f"original, such as {strangers[0]!r}."
            )
        rows = session.scalars(select(OriginalFact)).all()
        before = {r.name: Fact(r.name, r.keyword, r.year, r.rank) for r in rows}
        if before == known:
            return
        session.execute(delete(OriginalFact))
        if known:
            session.execute(
                insert(OriginalFact),
                [
                    {"name": f.name, "keyword": f.keyword, "year": f.year, "rank": f.rank}
                    for f in known.values()
                ],
            )
    tally.notes.append(f"Facts of {len(known)} of the original's {len(names)} images are in.")


def _given(study: Study) -> list[Fact] | None:
    """The facts that the pipeline file's tables give; None if it names no table."""
    original = study.pipeline.original
    if original.metadata is not None:
        return read_facts(study.root / original.metadata)
    path = study.root / original.test
    if ":" in original.test.partition("/")[0] or not is_table(path):
        return None
    return read_facts(path, required=False)
