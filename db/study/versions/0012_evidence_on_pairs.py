"""Pairs of near-duplicates keep the transform that joins them, and all that was measured."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MEASURES = ("ssim", "dssim", "squared", "squared32")


def upgrade() -> None:
    op.add_column(
        "duplicate_pairs",
        sa.Column("transform", sa.Text(), nullable=False, server_default="none"),
    )
    op.add_column("duplicate_pairs", sa.Column("distance256", sa.Integer(), nullable=True))
    for name in _MEASURES:
        op.add_column("duplicate_pairs", sa.Column(name, sa.Float(), nullable=True))


def downgrade() -> None:
    for name in (*reversed(_MEASURES), "distance256", "transform"):
        op.drop_column("duplicate_pairs", name)
