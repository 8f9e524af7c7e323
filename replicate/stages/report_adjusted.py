"""The gap at equal selection frequencies, of each new set of a study whose votes allow it."""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy.orm import Session

from replicate.analysis.adjust import Judged, adjusted_gaps, gaps_by_votes
from replicate.analysis.adjust_estimators import ESTIMATORS, RECOMMENDED
from replicate.base.errors import UsageError
from replicate.reporting.by_votes import AdjustedSet
from replicate.reporting.data import ScoredSet
from replicate.sampling.holdout import Ballots, ballots, split_votes
from replicate.stages.score_sets import ORIGINAL, SetsToScore, SetToScore
from replicate.store.queries import Member, counted_votes
from replicate.study import Study

_FEWEST = 2  # votes without which an image says nothing of its true frequency
_FIT_FOR = 0.95  # of a side's images have as many votes as all that are used
_RESAMPLES = 500
_SHOWN = ("naive", "jackknife", RECOMMENDED)
_UNSELECTED = ("uniform", "quota")  # strategies that do not look at what votes say
Counts = Mapping[Member, tuple[int, int]]


def adjusted_sets(
    session: Session,
    study: Study,
    sets: SetsToScore,
    scored: Sequence[ScoredSet],
    parts: Mapping[str, ScoredSet],
) -> tuple[AdjustedSet, ...]:
    """The adjusted gap of every new set, and by votes; with a reason where there is none.

    The new set's votes must have had no part in choosing its images: those that were kept out of
    the drawing are used, and all votes where the strategy does not look at them.

    Args:
        session: An open session.
        study: The study.
        sets: The sets, for their images.
        scored: Right answers on each, the original first.
        parts: Right answers on the part of the original that a set is compared with.
    """
    right = {item.info.name: item for item in scored}
    blocks = {block.name: block for block in study.pipeline.sample}
    votes: Ballots | None = None
    split: dict[int, Counts] = {}
    found = []
    for each in sets.sets:
        block = blocks.get(each.name)
        if each.role != "new" or block is None or each.name not in right:
            continue
        votes = ballots(counted_votes(session)) if votes is None else votes
        if not len(votes.item):
            return ()
        unselected = block.strategy in _UNSELECTED
        if not unselected and block.holdout_votes < _FEWEST:
            found.append(
                AdjustedSet(
                    each.name,
                    reason="its images were chosen by all of their votes, which therefore flatter "
                    f"them; holdout_votes = {_FEWEST} or more in its [[sample]] block keeps some "
                    "out",
                )
            )
            continue
        kept = 0 if unselected else block.holdout_votes
        for k in {0, kept}:
            if k not in split:
                split[k] = _counts(votes, k, study.seed)
        reference = sets.original_of(each.name)
        old = parts.get(each.name, right[ORIGINAL])
        sides = (reference, old, split[0]), (each, right[each.name], split[kept])
        found.append(_adjusted(study, each.name, sides, heldout=not unselected))
    return tuple(found)


def _counts(votes: Ballots, kept: int, seed: int) -> Counts:
    """Selected and shown of each (image, class): of the votes kept out, or of all if none are."""
    matched, aside = split_votes(votes, kept, seed)
    table = aside if kept else matched
    pairs = zip(table.image_id.tolist(), table.class_id.tolist(), strict=True)
    counts = zip(table.selected.tolist(), table.shown.tolist(), strict=True)
    return {Member(*pair): count for pair, count in zip(pairs, counts, strict=True)}


def _adjusted(
    study: Study,
    name: str,
    sides: tuple[tuple[SetToScore, ScoredSet, Counts], ...],
    *,
    heldout: bool,
) -> AdjustedSet:
    shared = set(sides[0][1].models) & set(sides[1][1].models)
    level = study.pipeline.report.level
    names = study.seed, "report", name
    try:
        old, new = (_judged(*side, shared) for side in sides)
        fewest = min(_most(old), _most(new))
        old, new = _at_least(old, fewest), _at_least(new, fewest)
        gaps = adjusted_gaps(
            old, new, *names, resamples=_RESAMPLES, level=level,
            estimators={key: ESTIMATORS[key] for key in _SHOWN},
        )  # fmt: skip
        at = gaps_by_votes(old, new, *names, level=level)
    except UsageError as error:
        return AdjustedSet(name, heldout, reason=error.message.rstrip("."))
    return AdjustedSet(name, heldout, len(old.shown), len(new.shown), gaps, at)


def _judged(each: SetToScore, scored: ScoredSet, counts: Counts, shared: set[str]) -> Judged:
    """The images of a set with votes, and the mean over the models that both sets have."""
    models = [place for place, model in enumerate(scored.models) if model in shared]
    votes = np.array([counts.get(member, (0, 0)) for member in each.members], dtype=np.int64)
    votes = votes.reshape(-1, 2)
    use = votes[:, 1] >= _FEWEST
    if use.sum() < 2:
        raise UsageError(f"Fewer than two images of {each.name} have {_FEWEST} votes.")
    classes = np.unique(np.array(scored.classes), return_inverse=True)[1]
    return Judged(
        votes[use, 0],
        votes[use, 1],
        scored.correct[use][:, models].mean(axis=1),
        classes[use].astype(np.int64),
    )


def _most(images: Judged) -> int:
    """The most votes that nearly every image has."""
    return int(np.quantile(images.shown, 1 - _FIT_FOR, method="lower"))


def _at_least(images: Judged, votes: int) -> Judged:
    use = images.shown >= votes
    stratum = images.stratum
    return Judged(
        images.selected[use],
        images.shown[use],
        images.correct[use],
        None if stratum is None else stratum[use],
    )
