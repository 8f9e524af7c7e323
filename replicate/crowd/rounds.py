"""Labelling by a few people who see everything: no image twice in a round, disputes once more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from replicate.crowd.answers import Vote
from replicate.crowd.composition import HitPlan, plan_key


def without_repeats(
    plans: Sequence[HitPlan], shown: Iterable[str], terms: Mapping[str, Any]
) -> list[HitPlan]:
    """Pages without the controls that their readers have seen on an earlier one.

    Candidates stay where they are, and so does an image that a page itself shows twice. A page
    that would have no candidate left is none.

    Args:
        plans: The pages, in order.
        shown: The images of earlier pages of the class and round.
        terms: What else the work consists of, as for `compose`.
    """
    seen = set(shown)
    kept = []
    for plan in plans:
        judged = {slot.image_id for slot in plan.slots if slot.role == "candidate"}
        slots = tuple(s for s in plan.slots if s.image_id in judged or s.image_id not in seen)
        seen |= {slot.image_id for slot in plan.slots}
        if slots:
            key = plan_key(plan.class_id, slots, terms)
            kept.append(replace(plan, slots=slots, key=key))
    return kept


def disputed(votes: Iterable[tuple[str, Vote]]) -> set[str]:
    """The images on which people said different things.

    Args:
        votes: Image and vote: yes, no or broken, of one class and one round.

    >>> sorted(disputed([("a", "yes"), ("a", "no"), ("b", "no"), ("b", "no"), ("c", "yes")]))
    ['a']
    """
    said: dict[str, set[Vote]] = {}
    for image, vote in votes:
        said.setdefault(image, set()).add(vote)
    return {image for image, found in said.items() if len(found) > 1}
