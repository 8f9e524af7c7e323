"""Batches with their mode, rounds, and a ledger of payments."""

from decimal import Decimal

import sqlalchemy as sa
from alembic import op


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = "not recorded: published before modes were kept"
HITS = sa.table(
    "hits",
    sa.column("reward", sa.Text()),
    sa.column("assignments", sa.Integer()),
    sa.column("published_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    batches = op.create_table(
        "batches",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("assignments", sa.Integer(), nullable=False),
        sa.Column("reward", sa.Text(), nullable=False),
        sa.Column("fees", sa.Text(), nullable=False),
        sa.Column("composition", sa.JSON(), nullable=False),
        sa.Column("composition_digest", sa.Text(), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_table(
        "payments",
        sa.Column("assignment_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("fee", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignments.assignment_id"]),
        sa.PrimaryKeyConstraint("assignment_id", "kind"),
    )
    op.execute("ALTER TABLE hits ADD COLUMN round INTEGER DEFAULT 0 NOT NULL")
    op.execute("ALTER TABLE hits ADD COLUMN batch_id INTEGER REFERENCES batches (batch_id)")
    _keep_what_was_published(op.get_bind(), batches)


def downgrade() -> None:
    op.drop_table("payments")
    op.drop_column("hits", "batch_id")
    op.drop_column("hits", "round")
    op.drop_table("batches")


def _keep_what_was_published(connection: sa.Connection, batches: sa.Table) -> None:
    """HITs of earlier versions become one batch, and their approved work is in the ledger."""
    published = connection.execute(
        sa.select(HITS.c.reward, HITS.c.assignments, HITS.c.published_at).where(
            HITS.c.published_at.is_not(None)
        )
    ).all()
    if not published:
        return
    simulated = connection.execute(
        sa.text("SELECT assignment_id FROM assignments WHERE simulated LIMIT 1")
    ).first()
    connection.execute(
        batches.insert().values(
            mode=BEFORE,
            provider="not recorded",
            simulated=simulated is not None,
            hits=len(published),
            assignments=sum(row.assignments for row in published),
            reward=str(sum(Decimal(row.reward) * row.assignments for row in published)),
            fees="0.00",
            composition={},
            composition_digest="",
            confirmed_by="not recorded",
            confirmed_at=min(row.published_at for row in published),
        )
    )
    connection.execute(
        sa.text(
            "UPDATE hits SET batch_id = (SELECT MAX(batch_id) FROM batches) "
            "WHERE published_at IS NOT NULL"
        )
    )
    connection.execute(
        sa.text(
            "INSERT INTO payments (assignment_id, kind, amount, fee, mode, status, due_at, paid_at)"
            " SELECT a.assignment_id, 'approve', h.reward, '0.00', b.mode, 'paid', "
            "b.confirmed_at, COALESCE(a.submitted_at, b.confirmed_at) FROM assignments a "
            "JOIN hits h ON h.hit_key = a.hit_key JOIN batches b ON b.batch_id = h.batch_id "
            "WHERE a.status = 'Approved'"
        )
    )
