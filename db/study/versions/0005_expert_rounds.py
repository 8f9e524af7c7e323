"""Experts see the images on which they disagree once more: the votes before count no longer."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


SELECTION_FREQUENCIES = """
CREATE VIEW selection_frequencies AS
SELECT image_id, class_id,
       SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS selected,
       COUNT(*) AS shown
FROM counted_votes
GROUP BY image_id, class_id
"""
BEFORE = """
CREATE VIEW counted_votes AS
SELECT assignment_id, slot, image_id, class_id, worker_id, role, value
FROM usable_votes
WHERE role <> 'repeat' AND worker_id NOT IN (SELECT worker_id FROM flagged_workers)
"""
AFTER = """
CREATE VIEW counted_votes AS
SELECT assignment_id, slot, image_id, class_id, worker_id, role, value
FROM usable_votes
WHERE role <> 'repeat' AND worker_id NOT IN (SELECT worker_id FROM flagged_workers)
  AND (assignment_id, image_id) NOT IN (SELECT assignment_id, image_id FROM superseded_votes)
"""
SUPERSEDED_VOTES = """
CREATE VIEW superseded_votes AS
SELECT v.assignment_id AS assignment_id, v.slot AS slot, v.image_id AS image_id
FROM hits again CROSS JOIN hit_images shown CROSS JOIN votes v
CROSS JOIN assignments a CROSS JOIN hits earlier
WHERE again.expert_round > 1 AND again.hit_id IS NOT NULL
  AND shown.hit_key = again.hit_key
  AND v.image_id = shown.image_id AND v.class_id = again.class_id
  AND a.assignment_id = v.assignment_id
  AND earlier.hit_key = a.hit_key AND earlier.expert_round < again.expert_round
"""
ACCEPTED_IMAGES = """
CREATE VIEW accepted_images AS
SELECT f.image_id AS image_id, f.class_id AS class_id
FROM selection_frequencies f JOIN rules r ON r.name = 'experts'
WHERE f.selected = f.shown AND f.shown >= r.value
"""


def upgrade() -> None:
    op.add_column("hits", sa.Column("expert_round", sa.Integer(), nullable=False, server_default="1"))
    op.execute("DROP VIEW selection_frequencies")
    op.execute("DROP VIEW counted_votes")
    for view in (SUPERSEDED_VOTES, AFTER, SELECTION_FREQUENCIES, ACCEPTED_IMAGES):
        op.execute(view)


def downgrade() -> None:
    for name in ("accepted_images", "selection_frequencies", "counted_votes", "superseded_votes"):
        op.execute(f"DROP VIEW {name}")
    op.execute(BEFORE)
    op.execute(SELECTION_FREQUENCIES)
    op.drop_column("hits", "expert_round")
