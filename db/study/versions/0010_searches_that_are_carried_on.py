"""Calls that count over runs, searches that are carried on, and all that a source says of a photo."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_calls",
        sa.Column("call_id", sa.Integer(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index("ix_api_calls_request", "api_calls", ["request"])
    op.create_table(
        "class_searches",
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"]),
        sa.PrimaryKeyConstraint("class_id"),
    )
    op.add_column("candidates", sa.Column("owner_id", sa.Text(), nullable=True))
    op.add_column("candidates", sa.Column("tags", sa.Text(), nullable=True))
    op.add_column("candidates", sa.Column("sizes", sa.JSON(none_as_null=True), nullable=True))
    # Before, all searches of a class were stored at once: a class with a query was done.
    op.execute(
        "INSERT INTO class_searches (class_id, source, candidates, run_id) "
        "SELECT q.class_id, MIN(q.source), "
        "(SELECT COUNT(*) FROM candidates c WHERE c.class_id = q.class_id), MAX(q.run_id) "
        "FROM queries q GROUP BY q.class_id"
    )


def downgrade() -> None:
    for name in ("sizes", "tags", "owner_id"):
        op.drop_column("candidates", name)
    op.drop_table("class_searches")
    op.drop_table("api_calls")
