"""`[review]`: how people's reviews of near-duplicates and of test sets count."""

from typing import Annotated, Literal

from pydantic import Field

from replicate.pipeline.base import Table

When = Literal["any", "majority", "all"]


class ReviewConfig(Table):
    """`[review]`: how many people look at pairs and at sets, and what follows from it."""

    reviewers: int = Field(
        1, ge=1, le=20, description="How many people are to look at each pair and each image."
    )
    duplicate_when: When = Field(
        "majority",
        description="When a pair is a near-duplicate by review: if `any` reviewer says so, if a "
        "`majority` of those who looked does, or if `all` do. The last two wait for `reviewers`.",
    )
    exclude_when: When = Field(
        "majority",
        description="When an image is left out of later revisions: if `any` reviewer flags it, "
        "a `majority` of those who looked, or `all`. The last two wait for `reviewers`.",
    )
    horizon: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="A candidate is sampled only if every pair of its up to this pixel distance "
        "was looked at by `reviewers` people. Default: no condition.",
    )
    originals: int = Field(
        12, ge=0, le=100, description="Random original images shown beside each class of a set."
    )
