"""Informedness flags only whom its interval leaves no doubt of."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


# What stands on worker_flags, and is made again after it.
ABOVE = {
    "flagged_workers": """
CREATE VIEW flagged_workers AS
SELECT worker_id, COUNT(*) AS n_rules FROM worker_flags GROUP BY worker_id
""",
    "counted_votes": """
CREATE VIEW counted_votes AS
SELECT assignment_id, slot, image_id, class_id, worker_id, role, value
FROM usable_votes
WHERE role <> 'repeat' AND worker_id NOT IN (SELECT worker_id FROM flagged_workers)
  AND (assignment_id, image_id) NOT IN (SELECT assignment_id, image_id FROM superseded_votes)
""",
    "selection_frequencies": """
CREATE VIEW selection_frequencies AS
SELECT image_id, class_id,
       SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS selected,
       COUNT(*) AS shown
FROM counted_votes
GROUP BY image_id, class_id
""",
    "accepted_images": """
CREATE VIEW accepted_images AS
SELECT f.image_id AS image_id, f.class_id AS class_id
FROM selection_frequencies f JOIN rules r ON r.name = 'experts'
WHERE f.selected = f.shown AND f.shown >= r.value
""",
}
BEFORE = """
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
"""
AFTER = """
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
  AND e.sensitivity + e.specificity - 1 + 1.96 * e.informedness_se < r.value
"""


def upgrade() -> None:
    _replace(AFTER)


def downgrade() -> None:
    _replace(BEFORE)


def _replace(worker_flags: str) -> None:
    for name in reversed(ABOVE):
        op.execute(f"DROP VIEW {name}")
    op.execute("DROP VIEW worker_flags")
    op.execute(worker_flags)
    for statement in ABOVE.values():
        op.execute(statement)
