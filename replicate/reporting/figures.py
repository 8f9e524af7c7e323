"""The report's figures, each one SVG text.

Sets are coloured by their role (original grey, new blue, control ochre), models by their family.
All scatter plots of a report have the same axes, so that sets can be compared at a glance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from replicate.analysis.intervals import wilson
from replicate.reporting.data import Comparison, FunnelStep, ReportData, SetFrequencies
from replicate.reporting.style import (
    ACCENT,
    CONTROL,
    INK,
    MUTED,
    NEW,
    ORIGINAL,
    RULE,
    family_styles,
    limits,
    new_figure,
    styled,
    to_svg,
)
from replicate.reporting.words import percent, percents, reasons, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HALF, WHOLE = 5.3, 10.8


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: Its file's name, without ``.svg``.
        svg: The SVG text.
    """

    name: str
    svg: str


def all_figures(data: ReportData) -> dict[str, Figure]:
    """Every figure of a report, by name; always in the same order.

    The names are ``gaps``, ``accuracy-SET``, ``ranks-SET``, ``frequencies-SET`` and ``funnel``.
    """
    figures: list[Figure] = []
    with styled():
        if data.comparisons:
            figures.append(gap_figure(data))
            ends = _common_limits(data.comparisons)
            figures += [accuracy_figure(data, item, *ends) for item in data.comparisons]
        by_name = {item.name: item for item in data.frequencies}
        original = by_name.get(data.original.name)
        if original is not None:
            figures += [
                frequency_figure(data, original, item)
                for item in data.frequencies
                if item.role != "original"
            ]
        if data.funnel:
            figures.append(funnel_figure(data.funnel))
    return {figure.name: figure for figure in figures}


def _common_limits(
    items: Sequence[Comparison],
) -> tuple[tuple[float, float], tuple[float, float]]:
    x = [v for i in items for s in i.scores for v in _ends(s.correct_original, s.n_original)]
    y = [v for i in items for s in i.scores for v in _ends(s.correct_new, s.n_new)]
    return limits(x), limits(y)


def _ends(k: int, n: int) -> tuple[float, float]:
    found = wilson(k, n)
    return found.low, found.high


def accuracy_figure(
    data: ReportData,
    item: Comparison,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
) -> Figure:
    """New against original accuracy, with Wilson intervals, y = x and the fitted line.

    Args:
        data: The report, for its level.
        item: The set.
        xlim: The ends of the axis of original accuracies, fractions.
        ylim: The ends of the axis of new accuracies, fractions.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(HALF, 4.3)
    axes = figure.add_subplot()
    axes.grid(True)
    ends = np.array([0.0, 1.0])
    axes.plot(100 * ends, 100 * ends, color=MUTED, lw=0.9, ls=(0, (5, 3)), zorder=1.5)
    fit = item.fit("linear")
    if fit is not None:
        x = np.array(xlim)
        axes.plot(100 * x, 100 * fit.predict(x), color=INK, lw=1.3, zorder=2)
    styles = family_styles(score.model.family for score in item.scores)
    for family, (colour, marker) in styles.items():
        _family_points(axes, data, item, family, colour, marker)
    axes.set_xlim(100 * xlim[0], 100 * xlim[1])
    axes.set_ylim(100 * ylim[0], 100 * ylim[1])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_xlabel("Accuracy on the original (%)")
    axes.set_ylabel(f"Accuracy on {item.set.name} (%)")
    axes.set_title(item.set.name)
    axes.legend(loc="upper left", ncols=1 if len(styles) < 6 else 2, borderaxespad=0.2)
    slope = f" The line has slope {signed(fit.slope, 2)}." if fit else ""
    described = (
        f"Accuracy on {item.set.name} against accuracy on the original for "
        f"{len(item.scores)} models.{slope}"
    )
    name = f"accuracy-{item.set.name}"
    return Figure(name, to_svg(figure, name, described))


def _family_points(
    axes: "Axes", data: ReportData, item: Comparison, family: str, colour: str, marker: str
) -> None:
    scores = [score for score in item.scores if score.model.family == family]
    x = np.array([score.original for score in scores])
    y = np.array([score.new for score in scores])
    across = [wilson(score.correct_original, score.n_original, data.level) for score in scores]
    up = [wilson(score.correct_new, score.n_new, data.level) for score in scores]
    axes.errorbar(
        100 * x,
        100 * y,
        xerr=100 * np.array([x - [i.low for i in across], [i.high for i in across] - x]),
        yerr=100 * np.array([y - [i.low for i in up], [i.high for i in up] - y]),
        fmt="none",
        ecolor=colour,
        elinewidth=0.7,
        alpha=0.45,
        zorder=3,
    )
    axes.plot(
        100 * x,
        100 * y,
        ls="",
        marker=marker,
        ms=5.2,
        mfc=colour,
        mec="white",
        mew=0.6,
        label=family,
        zorder=4,
    )


def gap_figure(data: ReportData) -> Figure:
    """The mean gap of the zoo on every set, with its interval over images and models."""
    rows = list(reversed(data.comparisons))
    figure = new_figure(WHOLE, 0.7 + 0.36 * len(rows))
    axes = figure.add_subplot()
    axes.axvline(0, color=MUTED, lw=0.9)
    axes.grid(True, axis="x")
    for place, item in enumerate(rows):
        colour = CONTROL if item.set.role == "control" else NEW
        each = 100 * np.array([score.gap for score in item.scores])
        axes.plot(each, np.full(each.size, place), "|", color=colour, alpha=0.35, ms=9, mew=1)
        gap = item.gap("both")
        if gap is not None:
            ends = (100 * gap.interval.low, 100 * gap.interval.high)
            axes.plot(ends, (place, place), color=colour, lw=2.6, solid_capstyle="butt")
        axes.plot(100 * item.mean_gap, place, "o", ms=7, mfc=colour, mec="white", mew=0.9)
        shown = percents(gap.interval) if gap else "no interval"
        axes.annotate(
            f"{percent(item.mean_gap)}   [{shown}]",
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
        )
    labels = [
        f"{item.set.name} (control)" if item.set.role == "control" else item.set.name
        for item in rows
    ]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Accuracy gap, original − new (percentage points)")
    described = "Mean accuracy gap of the models on every set: " + "; ".join(
        f"{item.set.name} {percent(item.mean_gap)} points" for item in data.comparisons
    )
    return Figure("gaps", to_svg(figure, "gaps", described))


def frequency_figure(data: ReportData, original: SetFrequencies, item: SetFrequencies) -> Figure:
    """Selection frequencies of a set's images, the original's beside them."""
    figure = new_figure(HALF, 3.1)
    axes = figure.add_subplot()
    axes.grid(True, axis="y")
    edges = np.linspace(0, 1, 11)
    for side, place, colour in ((original, -0.021, ORIGINAL), (item, 0.021, NEW)):
        share = histogram(side, edges)
        label = f"{side.name} (mean {percent(float(side.frequency.mean()))} %)"
        axes.bar(edges[:-1] + 0.05 + place, 100 * share, 0.04, color=colour, label=label)
    axes.set_xlim(-0.005, 1.005)
    axes.set_xticks(np.linspace(0, 1, 6))
    who = " (simulated workers)" if data.simulated else ""
    axes.set_xlabel(f"Selection frequency{who}")
    axes.set_ylabel("Share of the images (%)")
    axes.set_title("candidate pool" if item.role == "pool" else item.name)
    axes.legend(loc="upper left", borderaxespad=0.2)
    described = (
        f"Histograms of selection frequencies: the original's mean is "
        f"{percent(float(original.frequency.mean()))} %, that of {item.name} "
        f"{percent(float(item.frequency.mean()))} %."
    )
    name = f"frequencies-{item.name}"
    return Figure(name, to_svg(figure, name, described))


def histogram(item: SetFrequencies, edges: Any) -> Any:
    """The share of a set's images in each bin of selection frequency.

    A bin holds its lower edge and not its upper one; the last holds both.

    Args:
        item: The set's votes.
        edges: The bins' edges, ascending.

    >>> from replicate.reporting.data import SetFrequencies
    >>> votes = SetFrequencies("x", "new", (3, 10, 10), (10, 10, 10))
    >>> histogram(votes, [0.0, 0.3, 1.0]).round(2).tolist()
    [0.0, 1.0]
    """
    # 3 of 10 lies on the edge 0.3, though not in binary: a little is added before binning.
    counts, _ = np.histogram(np.minimum(item.frequency + 1e-9, 1.0), bins=np.asarray(edges))
    return counts / max(len(item.selected), 1)


def funnel_figure(steps: Sequence[FunnelStep]) -> Figure:
    """Candidates left after every step, and those lost on the way."""
    figure = new_figure(WHOLE, 0.5 + 0.42 * len(steps))
    axes = figure.add_subplot()
    most = max(max(step.left + sum(step.lost.values()) for step in steps), 1)
    for row, step in enumerate(steps):
        lost = sum(step.lost.values())
        axes.barh(row, step.left, 0.62, color=NEW)
        axes.barh(row, lost, 0.62, left=step.left, color=ACCENT, alpha=0.28)
        text = f"{step.left:,}" + (f"   lost {lost:,}: {reasons(step.lost)}" if lost else "")
        axes.annotate(
            text,
            (step.left + lost, row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )
    axes.set_yticks(range(len(steps)), [step.name for step in steps])
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.set_xlim(0, most * 1.45)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    for side in ("bottom", "left"):
        axes.spines[side].set_visible(False)
    axes.axvline(0, color=RULE)
    described = "Candidates left after each step: " + ", ".join(
        f"{step.name} {step.left}" for step in steps
    )
    return Figure("funnel", to_svg(figure, "funnel", described))
