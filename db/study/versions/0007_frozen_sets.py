"""What sets were drawn from, their manifests, and triggers: a frozen set never changes.

A migration that makes test_sets or test_set_images anew on SQLite loses their triggers and has to
create them again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REFUSAL = "a frozen test set never changes"
# Table, what is done, which row tells its set, and whether the row itself is the set.
GUARDED = [
    ("test_sets", "UPDATE", "OLD"),
    ("test_sets", "DELETE", "OLD"),
    ("test_set_images", "INSERT", "NEW"),
    ("test_set_images", "UPDATE", "OLD"),
    ("test_set_images", "DELETE", "OLD"),
    ("frozen_sets", "UPDATE", "OLD"),
    ("frozen_sets", "DELETE", "OLD"),
]
FROZEN = {
    "test_sets": "{row}.frozen_at IS NOT NULL",
    "test_set_images": "EXISTS (SELECT 1 FROM test_sets t WHERE t.name = {row}.name "
    "AND t.revision = {row}.revision AND t.frozen_at IS NOT NULL)",
    "frozen_sets": "{row}.name IS NOT NULL",
}


def upgrade() -> None:
    op.add_column("test_sets", sa.Column("drawn_from", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "frozen_sets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["name", "revision"], ["test_sets.name", "test_sets.revision"]),
        sa.PrimaryKeyConstraint("name", "revision"),
    )
    for table, action, row in GUARDED:
        for statement in _guard(table, action, row):
            op.execute(statement)


def downgrade() -> None:
    for table, action, _ in GUARDED:
        name = _name(table, action)
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
        else:
            op.execute(f"DROP TRIGGER {name}")
    op.drop_table("frozen_sets")
    op.drop_column("test_sets", "drawn_from")


def _guard(table: str, action: str, row: str) -> list[str]:
    name, frozen = _name(table, action), FROZEN[table].format(row=row)
    if op.get_bind().dialect.name == "postgresql":
        back = "OLD" if action == "DELETE" else "NEW"
        return [
            f"CREATE FUNCTION {name}() RETURNS trigger AS $$ BEGIN IF {frozen} THEN "
            f"RAISE EXCEPTION '{REFUSAL}'; END IF; RETURN {back}; END $$ LANGUAGE plpgsql",
            f"CREATE TRIGGER {name} BEFORE {action} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {name}()",
        ]
    return [
        f"CREATE TRIGGER {name} BEFORE {action} ON {table} WHEN {frozen} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    ]


def _name(table: str, action: str) -> str:
    return f"frozen_{table}_{action.lower()}"
