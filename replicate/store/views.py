"""The views: numbers that follow from votes and rules, and so can never drift from them.

The SQL is plain enough for SQLite and PostgreSQL alike.
"""

WORKER_QUALITY = """
CREATE VIEW worker_quality AS
SELECT v.worker_id AS worker_id,
       COUNT(*) AS n_controls,
       SUM(CASE WHEN (v.role = 'positive' AND v.value = 'yes')
                  OR (v.role = 'negative' AND v.value = 'no') THEN 1 ELSE 0 END) AS n_correct
FROM votes v JOIN assignments a ON a.assignment_id = v.assignment_id
WHERE v.role IN ('positive', 'negative') AND v.value IN ('yes', 'no')
  AND a.status IN ('Submitted', 'Approved')
GROUP BY v.worker_id
"""

FLAGGED_WORKERS = """
CREATE VIEW flagged_workers AS
SELECT q.worker_id AS worker_id, q.n_controls AS n_controls, q.n_correct AS n_correct
FROM worker_quality q
WHERE q.n_controls >= (SELECT value FROM rules WHERE name = 'min_controls')
  AND q.n_correct < (SELECT value FROM rules WHERE name = 'min_control_accuracy') * q.n_controls
"""

COUNTED_VOTES = """
CREATE VIEW counted_votes AS
SELECT v.assignment_id AS assignment_id, v.slot AS slot, v.image_id AS image_id,
       v.class_id AS class_id, v.worker_id AS worker_id, v.role AS role, v.value AS value
FROM votes v JOIN assignments a ON a.assignment_id = v.assignment_id
WHERE v.value IN ('yes', 'no') AND v.role <> 'repeat'
  AND a.status IN ('Submitted', 'Approved')
  AND v.worker_id NOT IN (SELECT worker_id FROM flagged_workers)
"""

SELECTION_FREQUENCIES = """
CREATE VIEW selection_frequencies AS
SELECT image_id, class_id,
       SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS selected,
       COUNT(*) AS shown
FROM counted_votes
GROUP BY image_id, class_id
"""

ALL_VIEWS = {
    "worker_quality": WORKER_QUALITY,
    "flagged_workers": FLAGGED_WORKERS,
    "counted_votes": COUNTED_VOTES,
    "selection_frequencies": SELECTION_FREQUENCIES,
}
VIEW_DOCS = {
    "worker_quality": "Each worker's right answers on controls.",
    "flagged_workers": "Workers whose votes are left out, by the rules.",
    "counted_votes": "The votes that count: yes or no, no repeats, submitted or approved, of "
    "workers who are not flagged.",
    "selection_frequencies": "Selected and shown, per (image, class).",
}
