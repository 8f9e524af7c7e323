"""What people's reviews mean for later stages."""

from sqlalchemy.orm import Session

from replicate.store import reviews
from replicate.store.queries import pool
from replicate.store.reviews import Item, Pair
from replicate.study import Study

BEYOND_HORIZON = "not_reviewed"


def left_out(session: Session, study: Study) -> dict[Item, str]:
    """The (image, class) that reviews keep out of test sets drawn from now on.

    Returns:
        By (image id, class id) the reason: ``review_`` and the reviewers' reason, or
        ``not_reviewed``: not all pairs up to `[review] horizon` were looked at.
    """
    config = study.pipeline.review
    found = {}
    if config.horizon is not None:
        horizons = reviews.horizons(session, config.reviewers)
        for member in pool(session):
            horizon = horizons.get(member.image_id)
            if horizon is not None and horizon.distance <= config.horizon:
                found[member.image_id, member.class_id] = BEYOND_HORIZON
    excluded = reviews.excluded(session, config.exclude_when, config.reviewers)
    return found | {item: f"review_{reason}" for item, reason in excluded.items()}


def pair_verdicts(session: Session, study: Study) -> dict[Pair, str]:
    """What reviewers say together of near-duplicate pairs: same, different or unsure."""
    config = study.pipeline.review
    return reviews.verdicts(session, config.duplicate_when, config.reviewers)
