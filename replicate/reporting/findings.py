"""What the numbers say, in sentences that claim no more than the intervals allow."""

from dataclasses import dataclass

from replicate.analysis.intervals import Interval
from replicate.reporting.data import Comparison, ReportData
from replicate.reporting.words import count, interval, joined, percent, percents, signed


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        topic: A few words to find it by.
        text: One or two sentences.
    """

    topic: str
    text: str


def primary(data: ReportData) -> Comparison | None:
    """The new set that the headline speaks of: the one matched to the original, or the first."""
    for item in data.new_sets:
        if item.set.strategy.startswith("matched"):
            return item
    return data.new_sets[0] if data.new_sets else None


def headline(data: ReportData) -> str:
    """The main finding, in one or two sentences."""
    main = primary(data)
    if main is None:
        return "No new test set has been scored yet, so there is nothing to compare."
    n = len(main.scores)
    who = "The one model" if n == 1 else f"The {n} models"
    made = f" (sampled by {main.set.strategy})" if main.set.strategy else ""
    text = (
        f"{who} of this zoo {_gap_clause(data, main, singular=n == 1)} on “{main.set.name}”{made} "
        f"compared with the original test set."
    )
    if main.inversions is not None and main.inversions.n_pairs > 1:
        text += " " + _order_sentence(main)
    return text


def findings(data: ReportData) -> tuple[Finding, ...]:
    """All findings, the most important first."""
    found: list[Finding] = []
    main = primary(data)
    if main is not None and main.fits:
        found.append(Finding("Progress", _slope_sentence(data, main)))
    if main is not None:
        match = _match_sentence(data, main)
        if match:
            found.append(Finding("The match", match))
    found += [
        Finding(item.set.name, _gap_sentence(data, item))
        for item in data.new_sets
        if item is not main
    ]
    found += [
        Finding(f"Control {item.set.name}", _gap_sentence(data, item)) for item in data.controls
    ]
    if data.exclusions:
        names = sorted({item.model for item in data.exclusions})
        found.append(
            Finding(
                "Left out",
                f"{count(len(names), 'model')} could not be compared on every set: "
                f"{joined(names)}.",
            )
        )
    return tuple(found)


def _level(data: ReportData) -> str:
    return f"{100 * data.level:g} %"


def _gap_clause(data: ReportData, item: Comparison, *, singular: bool = False) -> str:
    gap = item.gap("both")
    s = "s" if singular else ""
    if gap is None:
        score = item.scores[0]
        verb = f"lose{s}" if score.gap >= 0 else f"gain{s}"
        return (
            f"{verb} {percent(abs(score.gap))} points ({_level(data)} interval of the gap "
            f"{percents(score.gap_interval)})"
        )
    gain = gap.estimate < 0 and not gap.interval.contains(0.0)
    shown = Interval(-gap.interval.high, -gap.interval.low) if gain else gap.interval
    where = f"{_level(data)} interval {percents(shown)}, over images and models"
    if gap.interval.contains(0.0):
        mean = percent(gap.estimate)
        return f"show{s} no drop that can be told from chance (mean {mean} points; {where})"
    verb = "gain" if gain else "lose"
    return f"{verb}{s} {percent(abs(gap.estimate))} points of accuracy on average ({where})"


def _gap_sentence(data: ReportData, item: Comparison) -> str:
    gap = item.gap("both")
    if gap is None:
        return f"Mean gap {percent(item.mean_gap)} points, of too few models for an interval."
    text = (
        f"Mean gap {percent(gap.estimate)} points ({_level(data)} interval "
        f"{percents(gap.interval)})"
    )
    if item.set.role != "control":
        if gap.interval.contains(0.0):
            return text + "; not told from zero, which does not prove that it is zero."
        return text + "."
    expected = f" Expected: {item.set.expect}" if item.set.expect else ""
    covers = "covers" if gap.interval.contains(0.0) else "does not cover"
    return f"{text}; the interval {covers} zero.{expected}"


def _order_sentence(item: Comparison) -> str:
    found = item.inversions
    if found is None:
        return ""
    if found.n_inverted == 0:
        return "The order of the models is the same on both."
    changed = f"{found.n_inverted} of {found.n_pairs} pairs of models change places"
    if found.n_resolved == 0:
        return f"{changed}, none of them by more than chance can explain."
    return f"{changed}, {found.n_resolved} of them by more than chance explains on both sets."


def _slope_sentence(data: ReportData, item: Comparison) -> str:
    linear, probit = item.fit("linear"), item.fit("probit")
    line = item.line("linear", "both")
    if linear is None or probit is None:
        return ""
    text = (
        f"One point gained on the original goes with {signed(linear.slope, 2)} points on "
        f"{item.set.name}"
    )
    if line is not None:
        text += f" ({_level(data)} interval {interval(line.slope)}, over images and models)"
    return (
        f"{text}: the slope of the line on the linear scale (R² {signed(linear.r2, 2)}). On the "
        f"probit scale the slope is {signed(probit.slope, 2)}; which of the two is closer to 1 "
        f"is a matter of the scale and of the zoo, not of the models alone."
    )


def _match_sentence(data: ReportData, item: Comparison) -> str:
    held = next((f.heldout for f in data.frequencies if f.name == item.set.name), None)
    if held is None:
        return ""
    people = "simulated workers" if data.simulated else "people"
    text = (
        f"On votes kept out of the sampling, {people} select the original's images in "
        f"{percent(held.original)} % of cases and those of {item.set.name} in "
        f"{percent(held.new)} % (difference {percent(held.difference)} points, {_level(data)} "
        f"interval {percents(held.interval)})"
    )
    if held.interval.contains(0.0):
        return f"{text}: no difference in difficulty can be told from chance."
    if held.difference > 0:
        return f"{text}: the new images are harder for them too, so part of a drop may be that."
    return f"{text}: the new images are easier for them, so a drop is not due to harder images."
