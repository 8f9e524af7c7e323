"""What reviewers say of near-duplicate pairs, and of the images of a set."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duplicate_verdicts",
        sa.Column("verdict_id", sa.Integer(), nullable=False),
        sa.Column("reference_id", sa.Text(), nullable=False),
        sa.Column("candidate_id", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["reference_id"], ["images.image_id"]),
        sa.ForeignKeyConstraint(["candidate_id"], ["images.image_id"]),
        sa.PrimaryKeyConstraint("verdict_id"),
    )
    op.create_index(
        "duplicate_verdicts_by_pair", "duplicate_verdicts", ["candidate_id", "reference_id"]
    )
    op.create_table(
        "set_reviews",
        sa.Column("review_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("set_name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.image_id"]),
        sa.PrimaryKeyConstraint("review_id"),
    )
    op.create_index("set_reviews_by_image", "set_reviews", ["image_id", "class_id"])


def downgrade() -> None:
    op.drop_table("set_reviews")
    op.drop_table("duplicate_verdicts")
