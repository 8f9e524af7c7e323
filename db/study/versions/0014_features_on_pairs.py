"""Pairs of near-duplicates keep how alike features are, and which channel found them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("duplicate_pairs", sa.Column("similarity", sa.Float(), nullable=True))
    op.add_column(
        "duplicate_pairs", sa.Column("found_by", sa.Text(), nullable=False, server_default="hash")
    )


def downgrade() -> None:
    for name in ("found_by", "similarity"):
        op.drop_column("duplicate_pairs", name)
