"""Votes on images that a page shows a second time count in no selection frequency."""

from alembic import op

revision = "0002"
down_revision = "0001"
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
SELECT v.assignment_id AS assignment_id, v.slot AS slot, v.image_id AS image_id,
       v.class_id AS class_id, v.worker_id AS worker_id, v.role AS role, v.value AS value
FROM votes v JOIN assignments a ON a.assignment_id = v.assignment_id
WHERE v.value IN ('yes', 'no') AND a.status IN ('Submitted', 'Approved')
  AND v.worker_id NOT IN (SELECT worker_id FROM flagged_workers)
"""
AFTER = """
CREATE VIEW counted_votes AS
SELECT v.assignment_id AS assignment_id, v.slot AS slot, v.image_id AS image_id,
       v.class_id AS class_id, v.worker_id AS worker_id, v.role AS role, v.value AS value
FROM votes v JOIN assignments a ON a.assignment_id = v.assignment_id
WHERE v.value IN ('yes', 'no') AND v.role <> 'repeat'
  AND a.status IN ('Submitted', 'Approved')
  AND v.worker_id NOT IN (SELECT worker_id FROM flagged_workers)
"""


def upgrade() -> None:
    _replace(AFTER)


def downgrade() -> None:
    _replace(BEFORE)


def _replace(counted_votes: str) -> None:
    op.execute("DROP VIEW selection_frequencies")
    op.execute("DROP VIEW counted_votes")
    op.execute(counted_votes)
    op.execute(SELECTION_FREQUENCIES)
