"""Further questions to an analysis, each asked only where its material is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.analysis.adjust import AdjustedGaps, Judged, adjusted_gaps
from replicate.analysis.bootstrap import on_scale
from replicate.analysis.by_frequency import Bin, accuracy_by_frequency
from replicate.analysis.cross_sets import CrossSets, cross_sets
from replicate.analysis.families import FamilyLine, family_line
from replicate.analysis.fits import Scale
from replicate.analysis.relative import Relative, relative_robustness
from replicate.analysis.replication_data import Analysis, Pair
from replicate.analysis.reuse import ReuseBounds, reuse_bounds
from replicate.analysis.scores import Scores
from replicate.analysis.shift_kinds import KindsTogether, kinds_together
from replicate.analysis.subgroups import ClassGap, class_gaps
from replicate.analysis.transfers import Transfer, transfer
from replicate.base.errors import UsageError

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Material:
    """What is known beside the scores; what is empty is not asked about.

    Attributes:
        families: Model → its family.
        standards: Model → the standard model that it was made from.
        kinds: New set → the kinds of shift that it is, such as natural and benign.
        trained_on: Model → the set that it was trained on.
        tasks: Whether the new sets are other tasks, that models were transferred to.
        subgroups: Set → each item's subgroup, shape (n,).
        votes: Set → selected and shown of each item, two arrays of shape (n,).
    """

    families: Mapping[str, str] = field(default_factory=dict)
    standards: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trained_on: Mapping[str, str] = field(default_factory=dict)
    tasks: bool = False
    subgroups: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    votes: Mapping[str, tuple[Counts, Counts]] = field(default_factory=dict)


@dataclass(frozen=True)
class FurtherPair:
    """What is asked of one new set beside the original.

    Attributes:
        families: Scale → the line with families as units.
        relative: Models beside their standard counterparts.
        subgroups: The gap of every subgroup.
        adjusted: The mean gap at equal selection frequencies; None without votes.
        unadjusted: Why there is none, where votes are given; None otherwise.
    """

    families: Mapping[Scale, FamilyLine]
    relative: tuple[Relative, ...]
    subgroups: tuple[ClassGap, ...]
    adjusted: AdjustedGaps | None
    unadjusted: str | None


@dataclass(frozen=True)
class Further:
    """All answers.

    Attributes:
        pairs: One a new set, in the order of the analysis.
        reuse: Set → bounds on what reuse can have done; sets whose size is not known are absent.
        by_frequency: Set → accuracy by bin of selection frequency.
        mean_frequency: Set → mean selection frequency of its items.
        kinds: Kinds of shift side by side.
        cross: The matrix of training and test sets; None without training sets.
        transfer: Source against transfer accuracy; None if the sets are no tasks.
    """

    pairs: tuple[FurtherPair, ...]
    reuse: Mapping[str, ReuseBounds]
    by_frequency: Mapping[str, tuple[Bin, ...]]
    mean_frequency: Mapping[str, float]
    kinds: tuple[KindsTogether, ...]
    cross: CrossSets | None
    transfer: Transfer | None


def further(found: Analysis, material: Material) -> Further:
    """Answer what the material allows.

    Args:
        found: The analysis.
        material: What is known beside its scores.

    Raises:
        UsageError: Subgroups or votes do not fit the items of their set.

    >>> from replicate.analysis.replication import analyse
    >>> from replicate.analysis.replication_data import Options
    >>> from replicate.analysis.scores import from_items
    >>> right = np.arange(100)[:, None] < np.array([60, 70, 80, 90])
    >>> sets = [from_items(name, tuple("abcd"), right) for name in ("old", "new")]
    >>> told = further(analyse(sets[0], sets[1:], Options(resamples=100)), Material())
    >>> told.pairs[0].adjusted is None, sorted(told.reuse)
    (True, ['new', 'old'])
    """
    sets = {scores.name: scores for scores in found.sets}
    judged = {name: _judged(sets[name], votes) for name, votes in material.votes.items()}
    pairs = tuple(
        FurtherPair(
            _families(found, pair, material),
            _relative(found, pair, material),
            _subgroups(sets[pair.original], sets[pair.new], pair, material, found.options.level),
            *_adjusted(found, pair, judged),
        )
        for pair in found.pairs
    )
    rho = {
        pair.new: {model: value[0] for model, value in pair.robustness.items()}
        for pair in found.pairs
    }
    return Further(
        pairs,
        _reuse(found),
        {
            name: accuracy_by_frequency(item.selected, item.shown, item.correct)
            for name, item in judged.items()
        },
        {name: float((item.selected / item.shown).mean()) for name, item in judged.items()},
        _kinds(found, rho, material),
        cross_sets(
            material.trained_on,
            {s.name: dict(zip(s.models, map(float, s.score), strict=True)) for s in found.sets},
        )
        if material.trained_on
        else None,
        _transfer(found) if material.tasks else None,
    )


def _judged(scores: Scores, votes: tuple[Counts, Counts]) -> Judged:
    selected, shown = votes
    if scores.items is None:
        raise UsageError(f"Frequencies of {scores.name} need its items' scores, not totals.")
    if not len(selected) == len(shown) == len(scores.items):
        raise UsageError(
            f"There are frequencies of {len(selected)} items for the {len(scores.items)} of "
            f"{scores.name}.",
            "Give one row an item, in the order of the labels.",
        )
    seen = shown > 0
    mean = np.asarray(scores.items[seen]).mean(axis=1, dtype=np.float64)
    return Judged(selected[seen], shown[seen], mean)


def _families(found: Analysis, pair: Pair, material: Material) -> dict[Scale, FamilyLine]:
    known = [name for name in pair.baseline if name in material.families]
    if len({material.families[name] for name in known}) < 2:
        return {}
    old, new = (
        next(s for s in found.sets if s.name == name).columns(tuple(known))
        for name in (pair.original, pair.new)
    )
    lines: dict[Scale, FamilyLine] = {}
    for scale, line in pair.lines.items():
        if line is None:
            continue
        u, v = (on_scale(s.score, np.where(s.n > 0, s.n, 10**9), scale) for s in (old, new))
        lines[scale] = family_line(
            u, v, [material.families[name] for name in known], found.options.seed, pair.new, scale,
            resamples=found.options.resamples, level=found.options.level,
        )  # fmt: skip
    return lines


def _relative(found: Analysis, pair: Pair, material: Material) -> tuple[Relative, ...]:
    wanted = {m: s for m, s in material.standards.items() if m in pair.models and s in pair.models}
    if not wanted:
        return ()
    names = tuple(sorted({*wanted, *wanted.values()}))
    sides = []
    for name in (pair.original, pair.new):
        scores = next(s for s in found.sets if s.name == name)
        sides.append(found.drawn[name].columns([scores.models.index(model) for model in names]))
    rho = {model: value[0] for model, value in pair.robustness.items()}
    return relative_robustness(sides[0], sides[1], names, wanted, rho, found.options.level)


def _subgroups(
    old: Scores, new: Scores, pair: Pair, material: Material, level: float
) -> tuple[ClassGap, ...]:
    if old.name not in material.subgroups or new.name not in material.subgroups:
        return ()
    sides = []
    for scores in (old, new):
        labels = material.subgroups[scores.name]
        if scores.items is None or len(labels) != len(scores.items):
            raise UsageError(
                f"There are {len(labels)} subgroups, not one an item of {scores.name}."
            )
        side = scores.columns(pair.models)
        sides.append(Scores(side.name, side.models, side.score, side.n, side.items, labels))
    return class_gaps(sides[0], sides[1], level)


def _adjusted(
    found: Analysis, pair: Pair, judged: Mapping[str, Judged]
) -> tuple[AdjustedGaps | None, str | None]:
    if pair.original not in judged or pair.new not in judged:
        return None, None
    options = found.options
    try:
        gaps = adjusted_gaps(
            judged[pair.original], judged[pair.new], options.seed, pair.new,
            resamples=min(options.resamples, 2000), level=options.level,
        )  # fmt: skip
    except UsageError as error:
        return None, error.message
    return gaps, None


def _reuse(found: Analysis) -> dict[str, ReuseBounds]:
    bounds = {}
    for scores in found.sets:
        n = int(scores.n.max(initial=0))
        if n == 0 or not scores.models:
            continue
        share = float(scores.score.mean())
        like = found.similarity.get(scores.name)
        bounds[scores.name] = reuse_bounds(
            n,
            len(scores.models),
            accuracy=share if 0 < share < 1 else None,
            effective_number=like.simultaneous.effective_number if like else None,
            level=found.options.level,
        )
    return bounds


def _kinds(
    found: Analysis, rho: Mapping[str, Mapping[str, float]], material: Material
) -> tuple[KindsTogether, ...]:
    """Each attribute's kinds by themselves: natural beside synthetic, benign beside adversarial."""
    width = max((len(kinds) for kinds in material.kinds.values()), default=0)
    options = found.options
    together: list[KindsTogether] = []
    for place in range(width):
        kind = {name: kinds[place] for name, kinds in material.kinds.items() if place < len(kinds)}
        together += kinds_together(
            rho, kind, options.seed, resamples=options.resamples, level=options.level
        )
    return tuple(together)


def _transfer(found: Analysis) -> Transfer:
    tables = {
        s.name: {
            model: (float(share), int(n))
            for model, share, n in zip(s.models, s.score, s.n, strict=True)
        }
        for s in found.sets
    }
    source = tables.pop(found.sets[0].name)
    options = found.options
    return transfer(source, tables, options.seed, resamples=options.resamples, level=options.level)
