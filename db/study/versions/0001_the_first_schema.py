"""The first schema."""

import sqlalchemy as sa
from alembic import op


revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


VIEWS = {
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
WHERE v.value IN ('yes', 'no') AND a.status IN ('Submitted', 'Approved')
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


def upgrade() -> None:
    op.create_table(
        "duplicate_pairs",
        sa.Column("reference_id", sa.Text(), nullable=False),
        sa.Column("candidate_id", sa.Text(), nullable=False),
        sa.Column("reference_set", sa.Text(), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=False),
        sa.Column("pixel_distance", sa.Float(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reference_id", "candidate_id"),
    )
    op.create_table(
        "hashes",
        sa.Column("prepared_id", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("prepared_id", "algorithm"),
    )
    op.create_table(
        "hits",
        sa.Column("hit_key", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("assignments", sa.Integer(), nullable=False),
        sa.Column("reward", sa.Text(), nullable=False),
        sa.Column("hit_id", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hit_key"),
    )
    op.create_table(
        "images",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("n_bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("image_id"),
    )
    op.create_table(
        "models",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("weights_digest", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "rules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("pipeline_digest", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("failed", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_table(
        "test_sets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("match", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", "revision"),
    )
    op.create_table(
        "assignments",
        sa.Column("assignment_id", sa.Text(), nullable=False),
        sa.Column("hit_key", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hit_key"],
            ["hits.hit_key"],
        ),
        sa.PrimaryKeyConstraint("assignment_id"),
    )
    with op.batch_alter_table("assignments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_assignments_hit_key"), ["hit_key"], unique=False)

    op.create_table(
        "dedup_decisions",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("keep", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("because_of", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.image_id"],
        ),
        sa.PrimaryKeyConstraint("image_id", "class_id"),
    )
    op.create_table(
        "hit_images",
        sa.Column("hit_key", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hit_key"],
            ["hits.hit_key"],
        ),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.image_id"],
        ),
        sa.PrimaryKeyConstraint("hit_key", "slot"),
    )
    op.create_table(
        "predictions",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("set_name", sa.Text(), nullable=False),
        sa.Column("set_digest", sa.Text(), nullable=False),
        sa.Column("preprocessing", sa.Text(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("weights_digest", sa.Text(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=True),
        sa.Column("correct", sa.Integer(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("predictions_digest", sa.Text(), nullable=True),
        sa.Column("exploratory", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model"],
            ["models.name"],
        ),
        sa.PrimaryKeyConstraint("model", "set_name", "set_digest", "preprocessing", "precision"),
    )
    op.create_table(
        "prepared_images",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("prepared_id", sa.Text(), nullable=True),
        sa.Column("display_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.image_id"],
        ),
        sa.PrimaryKeyConstraint("image_id", "steps"),
    )
    op.create_table(
        "queries",
        sa.Column("query_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("window_start", sa.Text(), nullable=True),
        sa.Column("window_end", sa.Text(), nullable=True),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("fetched", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.run_id"],
        ),
        sa.PrimaryKeyConstraint("query_id"),
    )
    op.create_table(
        "set_images",
        sa.Column("set_name", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.image_id"],
        ),
        sa.PrimaryKeyConstraint("set_name", "name"),
    )
    with op.batch_alter_table("set_images", schema=None) as batch_op:
        batch_op.create_index("set_images_by_image", ["image_id"], unique=False)

    op.create_table(
        "test_set_images",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("filled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.image_id"],
        ),
        sa.PrimaryKeyConstraint("name", "revision", "position"),
    )
    op.create_table(
        "candidates",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("query_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("page_url", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("uploaded", sa.Text(), nullable=True),
        sa.Column("taken", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("image_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.image_id"],
        ),
        sa.ForeignKeyConstraint(
            ["query_id"],
            ["queries.query_id"],
        ),
        sa.PrimaryKeyConstraint("source", "source_id", "class_id"),
    )
    with op.batch_alter_table("candidates", schema=None) as batch_op:
        batch_op.create_index("candidates_by_image", ["image_id", "class_id"], unique=False)

    op.create_table(
        "votes",
        sa.Column("assignment_id", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["assignments.assignment_id"],
        ),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.image_id"],
        ),
        sa.PrimaryKeyConstraint("assignment_id", "slot"),
    )
    with op.batch_alter_table("votes", schema=None) as batch_op:
        batch_op.create_index("votes_by_image", ["image_id", "class_id"], unique=False)

    for statement in VIEWS.values():
        op.execute(statement)


def downgrade() -> None:
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
    with op.batch_alter_table("votes", schema=None) as batch_op:
        batch_op.drop_index("votes_by_image")

    op.drop_table("votes")
    with op.batch_alter_table("candidates", schema=None) as batch_op:
        batch_op.drop_index("candidates_by_image")

    op.drop_table("candidates")
    op.drop_table("test_set_images")
    with op.batch_alter_table("set_images", schema=None) as batch_op:
        batch_op.drop_index("set_images_by_image")

    op.drop_table("set_images")
    op.drop_table("queries")
    op.drop_table("prepared_images")
    op.drop_table("predictions")
    op.drop_table("hit_images")
    op.drop_table("dedup_decisions")
    with op.batch_alter_table("assignments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_assignments_hit_key"))

    op.drop_table("assignments")
    op.drop_table("test_sets")
    op.drop_table("runs")
    op.drop_table("rules")
    op.drop_table("models")
    op.drop_table("images")
    op.drop_table("hits")
    op.drop_table("hashes")
    op.drop_table("duplicate_pairs")
