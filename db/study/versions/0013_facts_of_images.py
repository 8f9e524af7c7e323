"""What is known of images beside their pixels: facts of the original's, keywords of candidates."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "original_facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("keyword", sa.Text(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("candidates", sa.Column("keyword", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("candidates", "keyword")
    op.drop_table("original_facts")
