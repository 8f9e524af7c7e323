"""The report's figures, each one SVG text.

Sets are coloured by their role (original grey, new blue, control ochre), models by their family.
All scatter plots of a report have the same axes, so that sets can be compared at a glance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from replicate.analysis.intervals import wilson_bounds
from replicate.reporting.adjusted import by_votes_svg
from replicate.reporting.data import Comparison, FunnelStep, ModelScore, ReportData, SetFrequencies
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
    new_axes,
    styled,
    to_svg,
)
from replicate.reporting.words import percent, percents, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HALF, WHOLE = 5.3, 10.8
EDGES = np.linspace(0, 1, 11)
LONGEST_NAME = 24  # characters of a model's name beside the lines of its places
RANKED = 40


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

    The names are ``gaps``, ``accuracy-SET``, ``ranks-SET``, ``frequencies-SET``, ``by-votes-SET``
    and ``funnel``.
    """
    figures: list[Figure] = []
    with styled():
        if data.comparisons:
            figures.append(gap_figure(data))
            ends = _common_limits(data)
            figures += [accuracy_figure(data, item, *ends) for item in data.comparisons]
            figures += [rank_figure(item) for item in data.new_sets]
        by_name = {item.name: item for item in data.frequencies}
        original = by_name.get(data.original.name)
        if original is not None:
            most = max(float(histogram(item).max()) for item in data.frequencies)
            figures += [
                frequency_figure(data, original, item, most)
                for item in data.frequencies
                if item.role != "original"
            ]
        figures += [
            Figure(name, by_votes_svg(item.at, name, simulated=data.simulated))
            for item in data.adjusted
            if item.at and item.gaps and item.gaps.recommended
            for name in [f"by-votes-{item.name}"]
        ]
        if data.funnel:
            figures.append(funnel_figure(data.funnel))
    return {figure.name: figure for figure in figures}


def _common_limits(
    data: ReportData,
) -> tuple[tuple[float, float], tuple[float, float]]:
    scores = [score for item in data.comparisons for score in item.scores]
    ends = []
    for side in ("original", "new"):
        low, high = wilson_bounds(*_counts(scores, side), data.level)
        ends.append(limits([float(low.min()), float(high.max())]))
    return ends[0], ends[1]


def _counts(scores: Sequence[ModelScore], side: str) -> tuple[list[int], list[int]]:
    if side == "original":
        return [s.correct_original for s in scores], [s.n_original for s in scores]
    return [s.correct_new for s in scores], [s.n_new for s in scores]


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

    figure, axes = new_axes(HALF, 4.4)
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
    x = 100 * np.array([score.original for score in scores])
    y = 100 * np.array([score.new for score in scores])
    k, n = _counts(scores, "original")
    low, high = wilson_bounds(k, n, data.level)
    axes.hlines(y, 100 * low, 100 * high, color=colour, lw=0.7, alpha=0.45, zorder=3)
    k, n = _counts(scores, "new")
    low, high = wilson_bounds(k, n, data.level)
    axes.vlines(x, 100 * low, 100 * high, color=colour, lw=0.7, alpha=0.45, zorder=3)
    axes.plot(
        x,
        y,
        ls="",
        marker=marker,
        ms=5.2,
        mfc=colour,
        mec="white",
        mew=0.6,
        label=family,
        clip_on=False,
        zorder=4,
    )


def rank_figure(item: Comparison) -> Figure:
    """The models' places on the original (left) and on a set (right), joined by lines.

    Of a large zoo only the best `RANKED` models on the original are shown.
    """
    scores = item.scores[:RANKED]
    height = 0.8 + 0.205 * len(scores)
    names = short_names([score.model.name for score in scores])
    room = _label_room(names)
    figure, axes = new_axes(HALF, height, left=room, right=room, bottom=0.1, top=0.62)
    gap = 0.1 / (HALF - 2 * room)
    styles = family_styles(score.model.family for score in item.scores)
    # Models that share a place are listed below each other, in the order of their names.
    after = sorted(scores, key=lambda score: (score.rank_new, score.rank_original))
    for place, (name, score) in enumerate(zip(names, scores, strict=True)):
        left = f"{name}\u2002{score.rank_original}"
        right = f"{score.rank_new}\u2002{name}"
        axes.text(-gap, place, left, ha="right", va="center_baseline", fontsize=8.5)
        other = after.index(score)
        axes.text(1 + gap, other, right, ha="left", va="center_baseline", fontsize=8.5)
    for family, (colour, marker) in styles.items():
        own = [i for i, score in enumerate(scores) if score.model.family == family]
        ends = np.array([own, [after.index(scores[i]) for i in own]])
        moved = np.abs(ends[0] - ends[1]) > 1
        look = {"color": colour, "marker": marker, "ms": 4.8, "mec": "white", "mew": 0.5}
        for chosen, width in ((moved, 1.7), (~moved, 0.7)):
            lines: list[Any] = axes.plot((0, 1), ends[:, chosen], lw=width, clip_on=False)
            for line in lines:
                line.set(**look)
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_axis_off()
    for x, text, align in ((0, "original", "right"), (1, item.set.name, "left")):
        axes.annotate(
            text,
            (x, 1),
            xycoords="axes fraction",
            xytext=(0, 9),
            textcoords="offset points",
            ha=align,
            weight="bold",
        )
    figure_name = f"ranks-{item.set.name}"
    described = f"Places of {len(scores)} models on the original and on {item.set.name}."
    return Figure(figure_name, to_svg(figure, figure_name, described))


def short_names(names: Sequence[str]) -> list[str]:
    """Models' names without the scheme that all of them share, long ones without their middle.

    >>> short_names(["small:mlp", "small:cnn"]), short_names(["small:mlp", "timm:vit"])
    (['mlp', 'cnn'], ['small:mlp', 'timm:vit'])
    >>> short_names(["timm:vit_base_patch16_clip_224.openai_ft_in12k_in1k"])
    ['vit_base_pat…_in12k_in1k']
    """
    schemes = {name.partition(":")[0] for name in names if ":" in name}
    shared = len(schemes) == 1 and all(":" in name for name in names)
    shown = [name.partition(":")[2] if shared else name for name in names]
    half = LONGEST_NAME // 2
    return [
        f"{name[:half]}…{name[half + 1 - LONGEST_NAME :]}" if len(name) > LONGEST_NAME else name
        for name in shown
    ]


def _label_room(labels: Sequence[str]) -> float:
    """Inches that hold the longest of the labels."""
    return 0.35 + 0.072 * max(len(label) for label in labels)


def gap_figure(data: ReportData) -> Figure:
    """The mean gap of the zoo on every set, with its interval over images and models."""
    rows = list(reversed(data.comparisons))
    labels = [
        f"{item.set.name} (control)" if item.set.role == "control" else item.set.name
        for item in rows
    ]
    figure, axes = new_axes(
        WHOLE, 0.9 + 0.38 * len(rows), left=_label_room(labels), right=1.9, top=0.3
    )
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
            f"{percent(item.mean_gap)}  [{shown}]",
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(rows)), labels)
    axes.annotate(
        "mean  [interval]",
        (1.0, 1.0),
        xycoords="axes fraction",
        xytext=(8, 4),
        textcoords="offset points",
        color=MUTED,
    )
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Accuracy gap, original − new (percentage points)")
    described = "Mean accuracy gap of the models on every set: " + "; ".join(
        f"{item.set.name} {percent(item.mean_gap)} points" for item in data.comparisons
    )
    return Figure("gaps", to_svg(figure, "gaps", described))


def frequency_figure(
    data: ReportData, original: SetFrequencies, item: SetFrequencies, most: float
) -> Figure:
    """Selection frequencies of a set's images, the original's beside them.

    Args:
        data: The report, for whether workers are simulated.
        original: The original's votes.
        item: The set's votes.
        most: The highest bar of all sets, so that all have the same axis.
    """
    figure, axes = new_axes(HALF, 3.2, top=0.62)
    axes.grid(True, axis="y")
    for side, place, colour in ((original, -0.021, ORIGINAL), (item, 0.021, NEW)):
        share = histogram(side)
        label = f"{side.name} (mean {percent(float(side.frequency.mean()))} %)"
        axes.bar(EDGES[:-1] + 0.05 + place, 100 * share, 0.04, color=colour, label=label)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, min(100.0, 105 * most))  # the same for all sets
    axes.set_xticks(np.linspace(0, 1, 6))
    who = " (simulated workers)" if data.simulated else ""
    axes.set_xlabel(f"Selection frequency{who}")
    axes.set_ylabel("Share of the images (%)")
    axes.set_title("candidate pool" if item.role == "pool" else item.name, pad=26)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, borderaxespad=0.2)
    described = (
        f"Histograms of selection frequencies: the original's mean is "
        f"{percent(float(original.frequency.mean()))} %, that of {item.name} "
        f"{percent(float(item.frequency.mean()))} %."
    )
    name = f"frequencies-{item.name}"
    return Figure(name, to_svg(figure, name, described))


def histogram(item: SetFrequencies) -> npt.NDArray[np.float64]:
    """The share of a set's images in each tenth of selection frequency.

    A bin holds its lower edge and not its upper one; the last holds both.

    >>> votes = SetFrequencies("x", "new", (0, 3, 9, 10), (10, 10, 10, 10))
    >>> histogram(votes).tolist()
    [0.25, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]
    """
    # 3 of 10 lies on the edge 0.3, though not in binary: a little is added before binning.
    counts, _ = np.histogram(np.minimum(item.frequency + 1e-9, 1.0), bins=EDGES)
    return np.asarray(counts / max(len(item.selected), 1), dtype=np.float64)


def funnel_figure(steps: Sequence[FunnelStep]) -> Figure:
    """Candidates left after every step, and those lost on the way."""
    names = [step.name for step in steps]
    figure, axes = new_axes(
        WHOLE, 0.2 + 0.4 * len(steps), left=_label_room(names), right=2.2, top=0.05, bottom=0.1
    )
    most = max(max(step.left + sum(step.lost.values()) for step in steps), 1)
    for row, step in enumerate(steps):
        lost = sum(step.lost.values())
        axes.barh(row, step.left, 0.62, color=NEW)
        axes.barh(row, lost, 0.62, left=step.left, color=ACCENT, alpha=0.28)
        axes.annotate(
            f"{step.left:,} left" + (f" · {lost:,} lost" if lost else ""),
            (step.left + lost, row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )
    axes.set_yticks(range(len(steps)), names)
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.set_xlim(0, most)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    for side in ("bottom", "left"):
        axes.spines[side].set_visible(False)
    axes.axvline(0, color=RULE)
    described = "Candidates left after each step: " + ", ".join(
        f"{step.name} {step.left}" for step in steps
    )
    return Figure("funnel", to_svg(figure, "funnel", described))
