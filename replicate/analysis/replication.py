"""A whole analysis: many models on an original test set and on new ones."""

from collections.abc import Sequence

import numpy as np

from replicate.analysis.bootstrap import Resamples, class_mean_resamples, image_resamples
from replicate.analysis.intervals import Interval, clopper_pearson
from replicate.analysis.measures import moved
from replicate.analysis.replication_data import Analysis, ModelOnSet, Options, Pair, SetSimilarity
from replicate.analysis.replication_pair import compare_pair, percentile
from replicate.analysis.resampling import (
    grouped_design,
    is_balanced,
    plain_design,
    resampled_means,
    stratified_design,
)
from replicate.analysis.scores import Scores
from replicate.analysis.similarity import similarity
from replicate.analysis.similarity import simultaneous_intervals as simultaneous
from replicate.base.errors import UsageError
from replicate.base.randomness import stream


def analyse(original: Scores, others: Sequence[Scores], options: Options) -> Analysis:
    """Analyse new sets beside the original.

    Args:
        original: Scores on the original.
        others: Scores on the new sets; models are paired by name.
        options: How.

    Raises:
        UsageError: A baseline model or a matched item is unknown.

    >>> from replicate.analysis.scores import from_items
    >>> right = np.arange(100)[:, None] < np.array([60, 70, 80, 90])
    >>> sets = [from_items(name, tuple("abcd"), right) for name in ("old", "new")]
    >>> found = analyse(sets[0], sets[1:], Options(resamples=200))
    >>> found.pairs[0].mean_drop, round(found.pairs[0].lines["logit"].fit.slope, 6)
    (0.0, 1.0)
    """
    sets = (original, *others)
    known = {model for scores in sets for model in scores.models}
    if options.baseline is not None and not options.baseline & set(original.models):
        raise UsageError(
            "None of the baseline models is among the models of the original.",
            f"The models are: {', '.join(sorted(known)[:12])}.",
        )
    warnings: list[str] = []
    if options.baseline is not None and options.baseline - known:
        gone = sorted(options.baseline - known)
        warnings.append(f"{len(gone)} baseline models are not there: {', '.join(gone[:10])}")
    drawn = {scores.name: draw(scores, options) for scores in sets}
    likeness = {
        scores.name: SetSimilarity(
            scores.models,
            similarity(scores.items),
            simultaneous(scores.score, drawn[scores.name].accuracy, options.level),
        )
        for scores in sets
        if scores.items is not None and scores.models
    }
    models: dict[str, dict[str, ModelOnSet]] = {}
    for scores in sets:
        like = likeness.get(scores.name)
        for i, model in enumerate(scores.models):
            models.setdefault(model, {})[scores.name] = _on_set(
                scores, i, drawn[scores.name], like, options
            )
    pairs = [compare_pair(original, other, drawn, options) for other in others]
    compared = {name for pair in pairs for name in (*pair.models, *pair.humans)}
    models = {name: on for name, on in sorted(models.items()) if name in compared}
    for pair, other in zip(pairs, others, strict=True):
        _warn_of_pair(pair, original, other, warnings)
    _warn_of_sets(sets, warnings)
    return Analysis(options, sets, models, tuple(pairs), likeness, tuple(warnings), drawn)


def draw(scores: Scores, options: Options) -> Resamples:
    """Resample a set's items; without them, each model's count by itself (binomial)."""
    if scores.influence is not None and scores.models:
        n, design = len(scores.influence), plain_design(len(scores.influence))
        if scores.groups is not None:
            design = grouped_design(scores.groups)
        elif scores.classes is not None and is_balanced(scores.classes):
            design = stratified_design(scores.classes)
        change = resampled_means(
            scores.influence, design, options.resamples, options.seed, scores.name
        )
        return Resamples(scores.score, moved(scores.score, change, n), scores.n)
    if scores.items is not None and scores.models:
        classes = scores.classes
        if scores.weights is not None and classes is not None:
            drawn = class_mean_resamples(
                scores.items, classes, options.seed, scores.name, resamples=options.resamples
            )
            return Resamples(scores.score, drawn.accuracy, scores.n)
        if classes is not None and not is_balanced(classes):
            classes = None
        drawn = image_resamples(
            scores.items,
            options.seed,
            scores.name,
            classes=classes,
            groups=scores.groups,
            resamples=options.resamples,
        )
        return Resamples(scores.score, drawn.accuracy, scores.n)
    accuracy = np.broadcast_to(scores.score, (options.resamples, len(scores.models))).copy()
    # Without a number of items nothing can be drawn; the share itself is then known to no error.
    if scores.binary and len(scores.models):
        generator = stream(options.seed, "bootstrap-counts", scores.name)
        share = np.clip(scores.score, 0, 1)
        accuracy = generator.binomial(scores.n, share, accuracy.shape) / scores.n
    return Resamples(scores.score, accuracy, np.where(scores.n > 0, scores.n, 10**9))


def _on_set(
    scores: Scores, i: int, drawn: Resamples, like: SetSimilarity | None, options: Options
) -> ModelOnSet:
    n = int(scores.n[i]) or None
    share = float(scores.score[i])
    interval = None
    if n is not None and scores.binary and scores.groups is None:
        interval = clopper_pearson(round(float(scores.correct[i])), n, options.level)
    elif scores.drawable:
        interval = percentile(drawn.accuracy[:, i], options.level)
    together = None
    if like is not None:
        ends = np.clip([like.simultaneous.low[i], like.simultaneous.high[i]], 0, 1)
        together = Interval(float(ends[0]), float(ends[1]), options.level)
    known = n is not None and scores.weights is None and scores.influence is None
    correct = float(scores.correct[i]) if known else None
    return ModelOnSet(n, correct, share, interval, together)


def _warn_of_pair(pair: Pair, old: Scores, new: Scores, warnings: list[str]) -> None:
    count = len(pair.baseline)
    totals = any(not side.drawable and np.all(side.n > 0) for side in (old, new))
    if totals:
        warnings.append(
            f"{pair.new}: only totals are known, not which items are right; intervals over images "
            f"take the models' errors as independent of each other"
        )
    where = f"{pair.new}: "
    if len(pair.models) == 0:
        warnings.append(where + "no model has scores on both this set and the original")
        return
    if len(pair.models) < 2:
        warnings.append(where + "one model alone has no line and no ranks (null)")
    elif count < 2:
        warnings.append(where + "a line needs at least two baseline models (null)")
    elif all(line is None for line in pair.lines.values()):
        warnings.append(where + "all baseline models score alike on the original: no line (null)")
    elif count == 2:
        warnings.append(where + "a line through two models fits them by itself: R² says nothing")
    if 2 < count < 10:
        warnings.append(where + f"only {count} models: intervals over models are rough")
    linear = pair.lines.get("logit") or pair.lines.get("linear")
    if linear is not None and linear.fit.n_clipped:
        warnings.append(
            where + f"{linear.fit.n_clipped} models with an accuracy of 0 or 1 were moved by half "
            f"an item for the probit and logit scales"
        )
    if None in (pair.lines.get("probit"), pair.lines.get("logit")) and pair.lines.get("linear"):
        warnings.append(where + "some scores have no place on the probit and logit scales (null)")
    line = pair.lines.get("linear")
    if line is not None and line.influence is not None and count > 4:
        for i in np.flatnonzero(line.influence.influential):
            name = pair.baseline[i]
            slope = line.without[name]
            warnings.append(
                where + f"{name} has much leverage: the linear slope is {line.fit.slope:.3f} with "
                f"it and {slope:.3f} without it"
            )


def _warn_of_sets(sets: Sequence[Scores], warnings: list[str]) -> None:
    original = sets[0].classes
    for other in sets[1:]:
        if original is None or other.classes is None or len(other.classes) < 200:
            continue
        lacking = np.setdiff1d(original, other.classes)
        if lacking.size:
            warnings.append(
                f"{other.name} has only {np.unique(other.classes).size} of the original's "
                f"{np.unique(original).size} classes; --same-classes compares on these alone"
            )
