"""Display copies say how they were made, so that those of another form are made anew."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("prepared_images", sa.Column("display_form", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("prepared_images", "display_form")
