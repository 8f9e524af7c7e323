"""The gap at equal selection frequencies, of each new set of a study whose votes allow it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from replicate.analysis.adjust import Judged, adjusted_gaps, gaps_by_votes
from replicate.analysis.adjust_estimators import ESTIMATORS, RECOMMENDED
from replicate.analysis.adjust_workers import SingleVotes
from replicate.base.errors import UsageError
from replicate.reporting.by_votes import AdjustedSet
from replicate.reporting.data import ScoredSet
from replicate.sampling.holdout import Ballots, ballots, set_aside
from replicate.stages.score_sets import ORIGINAL, SetsToScore, SetToScore
from replicate.store.queries import counted_votes
from replicate.study import Study

_FEWEST = 2  # votes without which an image says nothing of its true frequency
_FIT_FOR = 0.95  # of a side's images have as many votes as all that are used
_RESAMPLES = 500
_SHOWN = ("naive", "jackknife", RECOMMENDED)
_UNSELECTED = ("uniform", "quota")  # strategies that do not look at what votes say
Counts = npt.NDArray[np.int64]


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
    split: dict[int, _Part] = {}
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
                split[k] = _Part.of(votes, set_aside(votes, k, study.seed) if k else None)
        reference = sets.original_of(each.name)
        old = parts.get(each.name, right[ORIGINAL])
        sides = (reference, old, split[0]), (each, right[each.name], split[kept])
        found.append(_adjusted(study, each.name, sides, heldout=not unselected))
    return tuple(found)


@dataclass(frozen=True)
class _Part:
    """Some of a study's votes: those kept out of a drawing, or all.

    Attributes:
        rows: The place of each (image, class) in what follows.
        worker: Who gave each vote, in the order of their (image, class), shape (votes,).
        yes: Whether the worker selected the image, likewise.
        shown: Votes of each (image, class), shape (n,).
    """

    rows: Mapping[tuple[str, str], int]
    worker: Counts
    yes: npt.NDArray[np.bool_]
    shown: Counts

    @classmethod
    def of(cls, votes: Ballots, places: Counts | None) -> "_Part":
        """The votes at these places; all of them if nothing is said."""
        if places is None:
            places = np.arange(len(votes.item))
        places = places[np.argsort(votes.item[places], kind="stable")]
        pairs = zip(votes.seen.image_id.tolist(), votes.seen.class_id.tolist(), strict=True)
        return cls(
            {pair: row for row, pair in enumerate(pairs)},
            votes.worker[places],
            votes.yes[places],
            np.bincount(votes.item[places], minlength=len(votes.seen)),
        )

    def of_images(self, rows: Counts) -> SingleVotes:
        """The votes on some images, which are counted from 0 in this order."""
        shown = self.shown[rows]
        begin = (np.cumsum(self.shown) - self.shown)[rows]
        image = np.repeat(np.arange(len(rows)), shown)
        within = np.arange(len(image)) - (np.cumsum(shown) - shown)[image]
        at = begin[image] + within
        return SingleVotes(image, self.worker[at], self.yes[at])


def _adjusted(
    study: Study,
    name: str,
    sides: tuple[tuple[SetToScore, ScoredSet, _Part], ...],
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
        at = gaps_by_votes(old, new, *names, level=level)
        if not _several_workers(old, new):  # one says nothing of how they differ
            old, new = replace(old, votes=None), replace(new, votes=None)
        gaps = adjusted_gaps(
            old, new, *names, resamples=_RESAMPLES, level=level,
            estimators={key: ESTIMATORS[key] for key in _SHOWN},
        )  # fmt: skip
    except UsageError as error:
        return AdjustedSet(name, heldout, reason=error.message.rstrip("."))
    return AdjustedSet(name, heldout, len(old.shown), len(new.shown), gaps, at)


def _judged(each: SetToScore, scored: ScoredSet, part: _Part, shared: set[str]) -> Judged:
    """The images of a set with votes, and the mean over the models that both sets have."""
    models = [place for place, model in enumerate(scored.models) if model in shared]
    pairs = [(member.image_id, member.class_id) for member in each.members]
    rows = np.array([part.rows.get(pair, -1) for pair in pairs], dtype=np.int64)
    classes = np.unique(np.array(scored.classes), return_inverse=True)[1]
    use = (rows >= 0) & (part.shown[rows] >= _FEWEST)
    if use.sum() < 2:
        raise UsageError(f"Fewer than two images of {each.name} have {_FEWEST} votes.")
    votes = part.of_images(rows[use])
    return Judged(
        *votes.counts(int(use.sum())),
        scored.correct[use][:, models].mean(axis=1),
        classes[use].astype(np.int64),
        votes,
    )


def _most(images: Judged) -> int:
    """The most votes that nearly every image has."""
    return int(np.quantile(images.shown, 1 - _FIT_FOR, method="lower"))


def _at_least(images: Judged, votes: int) -> Judged:
    use = images.shown >= votes
    stratum, single = images.stratum, images.votes
    if single is not None:
        kept = use[single.image]
        place = np.cumsum(use) - 1
        single = SingleVotes(place[single.image[kept]], single.worker[kept], single.yes[kept])
    return Judged(
        images.selected[use],
        images.shown[use],
        images.correct[use],
        None if stratum is None else stratum[use],
        single,
    )


def _several_workers(*sides: Judged) -> bool:
    votes = [side.votes.worker for side in sides if side.votes is not None]
    return len(np.unique(np.concatenate(votes))) > 1
