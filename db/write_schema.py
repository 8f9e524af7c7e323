"""Write db/schema.md from the tables themselves: `make schema`."""

from pathlib import Path

from sqlalchemy.orm import DeclarativeBase

from replicate.crowdserver.tables import Base as CrowdBase
from replicate.store.tables import Base as StudyBase
from replicate.store.views import ALL_VIEWS, VIEW_DOCS

HEAD = """# The databases

Generated from the tables by `make schema`; a test fails when it is out of date.

"""


def schema_text() -> str:
    """The whole document."""
    return (
        HEAD
        + _section("The study", "`study.db` in the study folder, or PostgreSQL by URL.", StudyBase)
        + _views()
        + _section(
            "The crowd server", "The file that `replicate crowd serve --db` names.", CrowdBase
        )
    ).rstrip() + "\n"


def _section(title: str, where: str, base: type[DeclarativeBase]) -> str:
    text = f"## {title}\n\n{where}\n\n"
    classes = {mapper.local_table.name: mapper.class_ for mapper in base.registry.mappers}
    for table in base.metadata.sorted_tables:
        summary = (classes[table.name].__doc__ or "").strip().splitlines()[0]
        text += f"### {table.name}\n\n{summary}\n\n| column | type | meaning |\n|---|---|---|\n"
        for column in table.columns:
            marks = " · key" if column.primary_key else ""
            marks += "".join(f" → {key.target_fullname}" for key in column.foreign_keys)
            kind = f"{column.type}{'' if column.nullable else ' not null'}".lower()
            text += f"| {column.name}{marks} | {kind} | {column.doc or ''} |\n"
        text += "\n"
    return text


def _views() -> str:
    text = "### Views\n\n| view | meaning |\n|---|---|\n"
    return text + "".join(f"| {name} | {VIEW_DOCS[name]} |\n" for name in ALL_VIEWS) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("schema.md").write_text(schema_text(), encoding="utf-8")
