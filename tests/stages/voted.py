"""A pool of which every image has ten votes, and pipelines that draw sets from it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from stages.pools import Pool, make_pool

from replicate.base.randomness import uniform
from replicate.store.queries import set_members
from replicate.store.tables import Assignment, DedupDecision, Hit, Vote
from replicate.study import open_study

BLOCK = """
[[sample]]
name = "{name}"
strategy = "{strategy}"
per_class = {per_class}
min_votes = 5
holdout_votes = 3
min_original_images = 10
{more}
"""
N, VOTERS = 500, 10


def make_voted_pool(folder: Path) -> Pool:
    """Five hundred candidates and the original, each looked at by ten people."""
    pool = make_pool(folder, N, train=False)
    with pool.study.session() as session:
        members = [
            (image_id, pool.truth[photo].tagged_class, pool.truth[photo].kind)
            for photo, image_id in pool.images.items()
        ]
        session.execute(
            insert(DedupDecision),
            [{"image_id": i, "class_id": c, "keep": True} for i, c, _ in members],
        )
        judged = [(i, c, kind != "mistagged") for i, c, kind in members]
        judged += [(m.image_id, m.class_id, True) for m in set_members(session, "original")]
        _vote(session, judged)
    return pool


def _vote(session: Any, judged: list[tuple[str, str, bool]]) -> None:
    """Ten people look at every image; the image itself decides how many of them select it."""
    moment = datetime(2026, 2, 1, tzinfo=UTC)
    session.execute(
        insert(Hit),
        [
            {
                "hit_key": "h",
                "class_id": "0",
                "number": 0,
                "assignments": VOTERS,
                "reward": "0.10",
                "status": "complete",
            }
        ],
    )
    session.execute(
        insert(Assignment),
        [
            {
                "assignment_id": f"a{j}",
                "hit_key": "h",
                "worker_id": f"w{j}",
                "status": "Approved",
                "submitted_at": moment,
                "answer": "{}",
                "simulated": True,
            }
            for j in range(VOTERS)
        ],
    )
    rows = []
    for slot, (image_id, class_id, right) in enumerate(judged):
        ease = 1 - (1 - uniform(1, image_id)) ** 2 if right else 0.1
        rows += [
            {
                "assignment_id": f"a{j}",
                "slot": f"i{slot}",
                "image_id": image_id,
                "class_id": class_id,
                "worker_id": f"w{j}",
                "role": "candidate",
                "value": "yes" if uniform(2, image_id, j) < ease else "no",
            }
            for j in range(VOTERS)
        ]
    session.execute(insert(Vote), rows)


def configure(pool: Pool, *blocks: tuple[str, str, int, str]) -> None:
    """Replace the sets of the pipeline file: name, strategy, images a class, further keys."""
    path = pool.study.root / "pipeline.toml"
    text = path.read_text()
    before = text[: text.index("[[sample]]")]
    after = text[text.index("[score]") :]
    wanted = [
        BLOCK.format(name=name, strategy=strategy, per_class=n, more=more)
        for name, strategy, n, more in blocks
    ]
    path.write_text(before + "\n".join(wanted) + "\n" + after)
    pool.study.close()
    pool.study = open_study(pool.study.root)
