"""More rules on work, told apart by name; what workers are like is estimated from all votes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


BEFORE = {
    "worker_quality": """
CREATE VIEW worker_quality AS
SELECT v.worker_id AS worker_id,
       COUNT(*) AS n_controls,
       SUM(CASE WHEN (v.role = 'positive' AND v.value = 'yes')
                  OR (v.role = 'negative' AND v.value = 'no') THEN 1 ELSE 0 END) AS n_correct
FROM votes v JOIN assignments a ON a.assignment_id = v.assignment_id
WHERE v.role IN ('positive', 'negative') AND v.value IN ('yes', 'no')
  AND a.status IN ('Submitted', 'Approved')
GROUP BY v.worker_id
""",
    "flagged_workers": """
CREATE VIEW flagged_workers AS
SELECT q.worker_id AS worker_id, q.n_controls AS n_controls, q.n_correct AS n_correct
FROM worker_quality q
WHERE q.n_controls >= (SELECT value FROM rules WHERE name = 'min_controls')
  AND q.n_correct < (SELECT value FROM rules WHERE name = 'min_control_accuracy') * q.n_controls
""",
    "counted_votes": """
CREATE VIEW counted_votes AS
SELECT v.assignment_id AS assignment_id, v.slot AS slot, v.image_id AS image_id,
       v.class_id AS class_id, v.worker_id AS worker_id, v.role AS role, v.value AS value
FROM votes v JOIN assignments a ON a.assignment_id = v.assignment_id
WHERE v.value IN ('yes', 'no') AND v.role <> 'repeat'
  AND a.status IN ('Submitted', 'Approved')
  AND v.worker_id NOT IN (SELECT worker_id FROM flagged_workers)
""",
    "selection_frequencies": """
CREATE VIEW selection_frequencies AS
SELECT image_id, class_id,
       SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS selected,
       COUNT(*) AS shown
FROM counted_votes
GROUP BY image_id, class_id
""",
}
AFTER = {
    "usable_votes": """
CREATE VIEW usable_votes AS
SELECT assignment_id, slot, image_id, class_id, worker_id, role, value
FROM votes
WHERE value IN ('yes', 'no')
  AND assignment_id NOT IN (
    SELECT assignment_id FROM assignments WHERE status NOT IN ('Submitted', 'Approved'))
""",
    "worker_controls": """
CREATE VIEW worker_controls AS
SELECT worker_id,
       SUM(CASE WHEN role = 'positive' THEN 1 ELSE 0 END) AS n_positive,
       SUM(CASE WHEN role = 'positive' AND value = 'yes' THEN 1 ELSE 0 END) AS positive_right,
       SUM(CASE WHEN role = 'negative' THEN 1 ELSE 0 END) AS n_negative,
       SUM(CASE WHEN role = 'negative' AND value = 'no' THEN 1 ELSE 0 END) AS negative_right
FROM usable_votes
WHERE role IN ('positive', 'negative')
GROUP BY worker_id
""",
    "worker_repeats": """
CREATE VIEW worker_repeats AS
SELECT again.worker_id AS worker_id, COUNT(*) AS n_repeats,
       SUM(CASE WHEN again.value = once.value THEN 1 ELSE 0 END) AS n_consistent
FROM usable_votes again
JOIN usable_votes once ON once.assignment_id = again.assignment_id
                      AND once.image_id = again.image_id
WHERE again.role = 'repeat' AND once.role <> 'repeat'
GROUP BY again.worker_id
""",
    "pages": """
CREATE VIEW pages AS
SELECT a.assignment_id AS assignment_id, a.worker_id AS worker_id, a.seconds AS seconds,
       v.n_votes AS n_votes, v.n_yes AS n_yes
FROM assignments a
JOIN (SELECT assignment_id, COUNT(*) AS n_votes,
             SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS n_yes
      FROM usable_votes GROUP BY assignment_id) v ON v.assignment_id = a.assignment_id
""",
    "worker_pages": """
CREATE VIEW worker_pages AS
SELECT worker_id, COUNT(*) AS n_pages,
       SUM(CASE WHEN n_yes = 0 OR n_yes = n_votes THEN 1 ELSE 0 END) AS n_all_or_none,
       COUNT(seconds) AS n_timed,
       SUM(CASE WHEN seconds < (SELECT value FROM rules WHERE name = 'min_seconds_per_page')
                THEN 1 ELSE 0 END) AS n_hasty,
       SUM(CASE WHEN seconds < n_votes
                  * (SELECT value FROM rules WHERE name = 'min_seconds_per_image')
                THEN 1 ELSE 0 END) AS n_hasty_images
FROM pages
GROUP BY worker_id
""",
    "worker_flags": """
CREATE VIEW worker_flags AS
SELECT c.worker_id AS worker_id, r.name AS rule,
       (c.positive_right + c.negative_right) * 1.0 / (c.n_positive + c.n_negative) AS found,
       c.n_positive + c.n_negative AS n_items, r.value AS wanted
FROM rules r JOIN worker_controls c ON r.name = 'min_control_accuracy'
WHERE c.n_positive + c.n_negative >= (SELECT value FROM rules WHERE name = 'min_controls')
  AND c.positive_right + c.negative_right < r.value * (c.n_positive + c.n_negative) - 1e-9
UNION ALL
SELECT c.worker_id, r.name, c.n_consistent * 1.0 / c.n_repeats, c.n_repeats, r.value
FROM rules r JOIN worker_repeats c ON r.name = 'min_consistency'
WHERE c.n_repeats >= (SELECT value FROM rules WHERE name = 'min_repeats')
  AND c.n_consistent < r.value * c.n_repeats - 1e-9
UNION ALL
SELECT p.worker_id, r.name,
       (CASE r.name WHEN 'max_all_or_none' THEN p.n_all_or_none
                    WHEN 'min_seconds_per_page' THEN p.n_hasty ELSE p.n_hasty_images END)
         * 1.0 / (CASE r.name WHEN 'max_all_or_none' THEN p.n_pages ELSE p.n_timed END),
       CASE r.name WHEN 'max_all_or_none' THEN p.n_pages ELSE p.n_timed END, r.value
FROM rules r JOIN worker_pages p
  ON r.name IN ('max_all_or_none', 'min_seconds_per_page', 'min_seconds_per_image')
WHERE CASE r.name WHEN 'max_all_or_none' THEN p.n_pages ELSE p.n_timed END
        >= (SELECT value FROM rules WHERE name = 'min_pages')
  AND CASE r.name WHEN 'max_all_or_none' THEN p.n_all_or_none - r.value * p.n_pages
                  WHEN 'min_seconds_per_page' THEN 2.0 * p.n_hasty - p.n_timed
                  ELSE 2.0 * p.n_hasty_images - p.n_timed END > 1e-9
UNION ALL
SELECT e.worker_id, r.name, e.n_agreed * 1.0 / e.n_compared, e.n_compared, r.value
FROM rules r JOIN worker_estimates e ON r.name = 'min_agreement'
WHERE e.n_compared >= (SELECT value FROM rules WHERE name = 'min_compared')
  AND e.n_agreed < r.value * e.n_compared - 1e-9
UNION ALL
SELECT e.worker_id, r.name, e.sensitivity + e.specificity - 1, e.n_votes, r.value
FROM rules r JOIN worker_estimates e ON r.name = 'min_informedness'
WHERE e.n_positive >= (SELECT value FROM rules WHERE name = 'min_each_kind')
  AND e.n_negative >= (SELECT value FROM rules WHERE name = 'min_each_kind')
  AND e.sensitivity + e.specificity - 1 < r.value
""",
    "flagged_workers": """
CREATE VIEW flagged_workers AS
SELECT worker_id, COUNT(*) AS n_rules FROM worker_flags GROUP BY worker_id
""",
    "counted_votes": """
CREATE VIEW counted_votes AS
SELECT assignment_id, slot, image_id, class_id, worker_id, role, value
FROM usable_votes
WHERE role <> 'repeat' AND worker_id NOT IN (SELECT worker_id FROM flagged_workers)
""",
    "selection_frequencies": """
CREATE VIEW selection_frequencies AS
SELECT image_id, class_id,
       SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS selected,
       COUNT(*) AS shown
FROM counted_votes
GROUP BY image_id, class_id
""",
}

SECONDS = {
    "sqlite": "(julianday(submitted_at) - julianday(accepted_at)) * 86400.0",
    "postgresql": "EXTRACT(EPOCH FROM submitted_at - accepted_at)",
}


def upgrade() -> None:
    _drop(BEFORE)
    op.create_table(
        "estimates",
        sa.Column("votes_digest", sa.Text(), nullable=False),
        sa.Column("n_votes", sa.Integer(), nullable=False),
        sa.Column("n_images", sa.Integer(), nullable=False),
        sa.Column("prevalence", sa.Float(), nullable=False),
        sa.Column("iterations", sa.Integer(), nullable=False),
        sa.Column("converged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("votes_digest"),
    )
    op.create_table(
        "worker_estimates",
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("n_votes", sa.Integer(), nullable=False),
        sa.Column("n_agreed", sa.Integer(), nullable=False),
        sa.Column("n_compared", sa.Integer(), nullable=False),
        sa.Column("sensitivity", sa.Float(), nullable=False),
        sa.Column("specificity", sa.Float(), nullable=False),
        sa.Column("n_positive", sa.Float(), nullable=False),
        sa.Column("n_negative", sa.Float(), nullable=False),
        sa.Column("informedness_se", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id"),
    )
    op.add_column("assignments", sa.Column("seconds", sa.Float(), nullable=True))
    op.execute(f"UPDATE assignments SET seconds = {SECONDS[op.get_bind().dialect.name]}")
    op.drop_index("votes_by_image", "votes")
    op.create_index(
        "votes_by_image",
        "votes",
        ["image_id", "class_id", "role", "value", "worker_id", "assignment_id"],
    )
    _create(AFTER)


def downgrade() -> None:
    _drop(AFTER)
    op.drop_index("votes_by_image", "votes")
    op.create_index("votes_by_image", "votes", ["image_id", "class_id"])
    op.drop_column("assignments", "seconds")
    op.drop_table("worker_estimates")
    op.drop_table("estimates")
    _create(BEFORE)


def _drop(views: dict[str, str]) -> None:
    for name in reversed(views):
        op.execute(f"DROP VIEW {name}")


def _create(views: dict[str, str]) -> None:
    for statement in views.values():
        op.execute(statement)
