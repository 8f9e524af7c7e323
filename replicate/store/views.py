"""The views: numbers that follow from votes and rules, and so can never drift from them.

The SQL is plain enough for SQLite and PostgreSQL alike. Each rule that the pipeline file sets is
a row of `rules`; where the row is missing, nobody is flagged by it.
"""

# Rejected work is rare, so leaving it out is much cheaper than joining every vote's assignment.
USABLE_VOTES = """
CREATE VIEW usable_votes AS
SELECT assignment_id, slot, image_id, class_id, worker_id, role, value
FROM votes
WHERE value IN ('yes', 'no')
  AND assignment_id NOT IN (
    SELECT assignment_id FROM assignments WHERE status NOT IN ('Submitted', 'Approved'))
"""

WORKER_CONTROLS = """
CREATE VIEW worker_controls AS
SELECT worker_id,
       SUM(CASE WHEN role = 'positive' THEN 1 ELSE 0 END) AS n_positive,
       SUM(CASE WHEN role = 'positive' AND value = 'yes' THEN 1 ELSE 0 END) AS positive_right,
       SUM(CASE WHEN role = 'negative' THEN 1 ELSE 0 END) AS n_negative,
       SUM(CASE WHEN role = 'negative' AND value = 'no' THEN 1 ELSE 0 END) AS negative_right
FROM usable_votes
WHERE role IN ('positive', 'negative')
GROUP BY worker_id
"""

WORKER_REPEATS = """
CREATE VIEW worker_repeats AS
SELECT again.worker_id AS worker_id, COUNT(*) AS n_repeats,
       SUM(CASE WHEN again.value = once.value THEN 1 ELSE 0 END) AS n_consistent
FROM usable_votes again
JOIN usable_votes once ON once.assignment_id = again.assignment_id
                      AND once.image_id = again.image_id
WHERE again.role = 'repeat' AND once.role <> 'repeat'
GROUP BY again.worker_id
"""

PAGES = """
CREATE VIEW pages AS
SELECT a.assignment_id AS assignment_id, a.worker_id AS worker_id, a.seconds AS seconds,
       v.n_votes AS n_votes, v.n_yes AS n_yes
FROM assignments a
JOIN (SELECT assignment_id, COUNT(*) AS n_votes,
             SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS n_yes
      FROM usable_votes GROUP BY assignment_id) v ON v.assignment_id = a.assignment_id
"""

WORKER_PAGES = """
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
"""

# One branch a rule: the rule, what a worker has of it, of how many items, and what is wanted. A
# branch whose rule is not set asks nothing of the votes. Rounding of value × items flags nobody;
# nor does an informedness whose 95 % interval reaches what is wanted.
WORKER_FLAGS = """
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

FLAGGED_WORKERS = """
CREATE VIEW flagged_workers AS
SELECT worker_id, COUNT(*) AS n_rules FROM worker_flags GROUP BY worker_id
"""

# The joins begin with the few pages of later rounds: CROSS JOIN keeps SQLite to that order. Votes
# are left out by image, which the index of votes covers, and not by slot.
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

COUNTED_VOTES = """
CREATE VIEW counted_votes AS
SELECT assignment_id, slot, image_id, class_id, worker_id, role, value
FROM usable_votes
WHERE role <> 'repeat' AND worker_id NOT IN (SELECT worker_id FROM flagged_workers)
  AND (assignment_id, image_id) NOT IN (SELECT assignment_id, image_id FROM superseded_votes)
"""

SELECTION_FREQUENCIES = """
CREATE VIEW selection_frequencies AS
SELECT image_id, class_id,
       SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS selected,
       COUNT(*) AS shown
FROM counted_votes
GROUP BY image_id, class_id
"""

ACCEPTED_IMAGES = """
CREATE VIEW accepted_images AS
SELECT f.image_id AS image_id, f.class_id AS class_id
FROM selection_frequencies f JOIN rules r ON r.name = 'experts'
WHERE f.selected = f.shown AND f.shown >= r.value
"""

ALL_VIEWS = {
    "usable_votes": USABLE_VOTES,
    "worker_controls": WORKER_CONTROLS,
    "worker_repeats": WORKER_REPEATS,
    "pages": PAGES,
    "worker_pages": WORKER_PAGES,
    "worker_flags": WORKER_FLAGS,
    "flagged_workers": FLAGGED_WORKERS,
    "superseded_votes": SUPERSEDED_VOTES,
    "counted_votes": COUNTED_VOTES,
    "selection_frequencies": SELECTION_FREQUENCIES,
    "accepted_images": ACCEPTED_IMAGES,
}
VIEW_DOCS = {
    "usable_votes": "The votes yes and no of submitted and approved work, whoever gave them.",
    "worker_controls": "Each worker's answers on controls, and how many were right.",
    "worker_repeats": "Each worker's images shown twice on a page, and how many got one answer.",
    "pages": "Each page of work: how long it took, how many votes, how many of them yes.",
    "worker_pages": "Each worker's pages: how many, all or none ticked, timed, too fast.",
    "worker_flags": "Which rule flags which worker: what was found, on how many items, and what "
    "was wanted. Of the rules on seconds, the share of pages that were faster is found.",
    "flagged_workers": "Workers whose votes are left out, and how many rules they break.",
    "superseded_votes": "The votes of experts on images that came back to them in a later round.",
    "counted_votes": "The votes that count: usable, no repeat, of nobody who is flagged, and of "
    "the last round.",
    "selection_frequencies": "Selected and shown, per (image, class).",
    "accepted_images": "In expert mode: what all experts accept in the last round.",
}
