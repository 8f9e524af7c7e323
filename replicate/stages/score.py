"""score: the zoo is trained where it must be, and scored on every set.

A set is frozen before any model sees it: one that is not is refused, unless the user says that
the run is exploratory.
"""

from replicate.base.errors import UsageError
from replicate.stages.common import Context, Tally, stage
from replicate.stages.score_sets import refuse_unfrozen, sets_to_score, zoo_of
from replicate.stages.score_small import score_small


@stage("score")
def score(context: Context) -> Tally:
    """Train what is not trained, score what is not scored."""
    study, config = context.study, context.study.pipeline.score
    zoo = zoo_of(study)
    if config.device != "cpu" and not zoo.others:
        raise UsageError(
            f"[score] device = {config.device!r}: models of the scheme small: run on the CPU.",
            'Say device = "cpu", or leave it out.',
        )
    with study.session() as session:
        sets = sets_to_score(session, study)
    refuse_unfrozen(sets, context.options.exploratory)
    if sets.subsets and zoo.small:
        raise UsageError(
            f"[score] restrict: the set {next(iter(sets.subsets))!r} lacks some of the original's"
            " classes, and models of the scheme small: always choose among all.",
            "Leave restrict out, or score such sets in a study without small: models.",
        )
    others: list[str] = []
    if zoo.others:
        # Late: a study of small models alone does not load what the other schemes need.
        from replicate.stages.score_others import score_others
        from replicate.zoo.schemes import expand_names

        others = expand_names(zoo.others, study.root)
    tally = Tally(
        details={
            "models": len(zoo.small) + len(others),
            "bytes": "prepared",
            "sets": {
                each.name: {"n": len(each.members), "frozen": each.frozen} for each in sets.sets
            },
        }
    )
    if sets.missing:
        tally.notes.append(f"Not drawn, so not scored: {', '.join(sets.missing)}.")
    if zoo.small:
        score_small(context, sets, zoo.small, tally)
    if others:
        score_others(context, sets, others, tally)
    tally.notes.sort()
    return tally
