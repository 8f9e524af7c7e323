"""The figures of an analysis: SVG that a page can restyle, and files for a paper."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from replicate.analysis.fits import SCALES, Scale, from_scale, to_scale
from replicate.analysis.replication_data import Analysis, ModelOnSet, Pair
from replicate.reporting.forest import Row, forest_svg, nice_step
from replicate.reporting.words import percent

WIDTH, HEIGHT = 640, 470
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 46
_ROUND = (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 92, 94, 95, 96, 97, 98, 99, 99.5, 99.9)


@dataclass(frozen=True)
class Point:
    """One model in a scatter plot.

    Attributes:
        name: The model.
        kind: ``baseline``, ``other`` (not fitted) or ``human``.
        x: On the original.
        y: On the new set.
    """

    name: str
    kind: str
    x: ModelOnSet
    y: ModelOnSet


def points_of(found: Analysis, pair: Pair) -> tuple[Point, ...]:
    """The models of a pair, those that are fitted first."""
    fitted, people = set(pair.baseline), set(pair.humans)
    points = [
        Point(
            name,
            "human" if name in people else "baseline" if name in fitted else "other",
            found.models[name][pair.original],
            found.models[name][pair.new],
        )
        for name in (*pair.models, *pair.humans)
    ]
    return tuple(sorted(points, key=lambda p: ("baseline", "other", "human").index(p.kind)))


def scales_of(found: Analysis, pair: Pair) -> tuple[Scale, ...]:
    """The scales on which every model of the pair has a place."""
    values = [side.accuracy for p in points_of(found, pair) for side in (p.x, p.y)]
    if not values or min(values) < 0 or max(values) > 1:
        return ("linear",)
    return SCALES


def scatter_svg(found: Analysis, pair: Pair, scale: Scale) -> str:
    """New against original scores as SVG text whose colours are the page's.

    Every point carries its name and numbers in a ``<title>``, which browsers show without
    scripts, and in ``data-`` attributes for the page's own script.
    """
    points = points_of(found, pair)
    axis = _Axes(points, scale)
    body = [_grid(axis), _lines(axis, pair, scale)]
    body += [_point(axis, point) for point in points]
    label = (
        f"Scores on {pair.new} against {pair.original} for {len(points)} models, on the "
        f"{scale} scale."
    )
    names = (
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" '
        f'text-anchor="middle">{escape(pair.original)} (%)</text>'
        f'<text class="axis" transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(pair.new)} (%)</text>'
    )
    if not axis.fractions:
        names = names.replace(" (%)", "")
    return (
        f'<svg class="scatter" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label, quote=True)}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(body)}{names}</svg>"
    )


class _Axes:
    """Where scores lie on the drawing."""

    def __init__(self, points: Sequence[Point], scale: Scale) -> None:
        self.scale = scale
        values = [side.accuracy for p in points for side in (p.x, p.y)]
        self.fractions = not values or (min(values) >= 0 and max(values) <= 1)
        sides = [[p.x for p in points], [p.y for p in points]]
        self.ends = [self._ends(side) for side in sides]
        self.x = self._place(self.ends[0], LEFT, WIDTH - RIGHT)
        self.y = self._place(self.ends[1], HEIGHT - BOTTOM, TOP)

    def inner(self, value: float, n: int | None = None) -> float:
        """A score that the scale has a place for."""
        if self.scale == "linear":
            return value
        edge = 0.5 / n if n else 5e-4
        return min(max(value, edge), 1 - edge)

    def _ends(self, side: Sequence[ModelOnSet]) -> tuple[float, float]:
        low = [self.inner(m.interval.low if m.interval else m.accuracy, m.n) for m in side]
        high = [self.inner(m.interval.high if m.interval else m.accuracy, m.n) for m in side]
        if not low:
            return 0.0, 1.0
        ends = to_scale([min(low), max(high)], self.scale)
        room = max(float(ends[1] - ends[0]), 0.02) * 0.05
        least, most = float(ends[0]) - room, float(ends[1]) + room
        if self.scale == "linear" and self.fractions:
            return max(least, 0.0), min(most, 1.0)
        return least, most

    def _place(self, ends: tuple[float, float], start: float, stop: float) -> Callable[..., float]:
        def place(value: float) -> float:
            at = float(to_scale(value, self.scale))
            return round(start + (at - ends[0]) / (ends[1] - ends[0]) * (stop - start), 1)

        return place

    def ticks(self, side: int) -> list[float]:
        """Round scores on an axis: 0 for the horizontal one, 1 for the vertical one."""
        low, high = (float(from_scale(end, self.scale)) for end in self.ends[side])
        if self.scale == "linear":
            step = nice_step(high - low)
            count = int((high - np.ceil(low / step - 1e-9) * step) / step + 1e-9) + 1
            return [round((np.ceil(low / step - 1e-9) + i) * step, 10) for i in range(count)]
        inside = [v / 100 for v in _ROUND if low <= v / 100 <= high]
        ends = self.ends[side]
        kept: list[float] = []
        for value in inside:  # none too near the one before
            at = float(to_scale(value, self.scale))
            if not kept or at - float(to_scale(kept[-1], self.scale)) > (ends[1] - ends[0]) / 11:
                kept.append(value)
        return kept


def _text(value: float, fractions: bool) -> str:
    return f"{100 * value:.6g}" if fractions else f"{value:.6g}"


def _grid(axis: _Axes) -> str:
    parts = []
    for value in axis.ticks(0):
        x = axis.x(value)
        parts.append(f'<path class="grid" d="M{x} {TOP}V{HEIGHT - BOTTOM}"/>')
        label = _text(value, axis.fractions)
        parts.append(
            f'<text x="{x}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{label}</text>'
        )
    for value in axis.ticks(1):
        y = axis.y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        label = _text(value, axis.fractions)
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4}" text-anchor="end">{label}</text>')
    return "".join(parts)


def _lines(axis: _Axes, pair: Pair, scale: Scale) -> str:
    """The line of equal scores, and the fitted line, cut at the drawing's edges."""
    u = np.linspace(*axis.ends[0], 120)
    parts = []
    line = pair.lines.get(scale)
    curves = [("equal", u)]
    if line is not None:
        curves.append(("fit", line.fit.slope * u + line.fit.intercept))
    for name, v in curves:
        inside = (v >= axis.ends[1][0]) & (v <= axis.ends[1][1])
        if inside.sum() < 2:
            continue
        x = from_scale(u[inside], scale)
        y = from_scale(v[inside], scale)
        path = "L".join(f"{axis.x(a)} {axis.y(b)}" for a, b in zip(x, y, strict=True))
        parts.append(f'<path class="{name}" d="M{path}"/>')
    return "".join(parts)


def describe(point: Point, fractions: bool = True) -> str:
    """A point in words.

    >>> describe(Point("a", "baseline", ModelOnSet(2, 1, 0.5, None), ModelOnSet(4, 1, 0.25, None)))
    'a: 50.00 → 25.00'
    """
    if fractions:
        return f"{point.name}: {percent(point.x.accuracy, 2)} → {percent(point.y.accuracy, 2)}"
    return f"{point.name}: {point.x.accuracy:.4g} → {point.y.accuracy:.4g}"


def _point(axis: _Axes, point: Point) -> str:
    x = axis.x(axis.inner(point.x.accuracy, point.x.n))
    y = axis.y(axis.inner(point.y.accuracy, point.y.n))
    bars = ""
    for side, vertical in ((point.x, False), (point.y, True)):
        if side.interval is None:
            continue
        place = axis.y if vertical else axis.x
        a, b = (place(axis.inner(end, side.n)) for end in (side.interval.low, side.interval.high))
        bars += f'<path class="bar" d="M{x} {a}V{b}"/>' if vertical else (
            f'<path class="bar" d="M{a} {y}H{b}"/>'
        )  # fmt: skip
    words = escape(describe(point, axis.fractions), quote=True)
    mark = {
        "baseline": f'<circle cx="{x}" cy="{y}" r="4.6"/>',
        "other": f'<path d="M{x} {y - 5.6}l5.6 5.6l-5.6 5.6l-5.6 -5.6z"/>',
        "human": f'<path d="M{x - 4.6} {y - 4.6}h9.2v9.2h-9.2z"/>',
    }[point.kind]
    return (
        f'<g class="pt {point.kind}" data-name="{escape(point.name, quote=True)}" '
        f'data-words="{words}" tabindex="0">{bars}{mark}<title>{words}</title></g>'
    )


def robustness_svg(pair: Pair, most: int = 60) -> str:
    """Effective robustness of every model with its interval, the highest first."""
    rows = [
        Row(name, rho, both, "baseline")
        for name, (rho, both, _) in pair.robustness.items()
        if np.isfinite(rho)
    ]
    rows.sort(key=lambda row: -row.value)
    if len(rows) > most:  # the ends are what one looks for
        rows = rows[: most // 2] + rows[-most // 2 :]
    return forest_svg(rows, f"Effective robustness of {len(rows)} models", 100, " points")


def paper_files(found: Analysis, pair: Pair, scale: Scale, stem: Path) -> list[Path]:
    """Write the scatter plot at the width of a column (3.3 inches), as SVG and PDF."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    from replicate.base.files import write_bytes, write_text
    from replicate.reporting.style import styled, to_svg

    with styled():
        figure = _paper_figure(found, pair, scale)
        buffer = io.BytesIO()
        canvas: Any = FigureCanvasPdf(figure)
        canvas.print_pdf(buffer, metadata={"CreationDate": None, "Producer": None, "Creator": None})
        text = f"Scores on {pair.new} against {pair.original}, {scale} scale."
        svg = to_svg(figure, stem.name, text)
    write_bytes(stem.with_name(stem.name + ".pdf"), buffer.getvalue())
    write_text(stem.with_name(stem.name + ".svg"), svg)
    return [stem.with_name(stem.name + ending) for ending in (".pdf", ".svg")]


def _paper_figure(found: Analysis, pair: Pair, scale: Scale) -> Any:
    from replicate.reporting.style import ACCENT, INK, MUTED, NEW, new_axes

    points = points_of(found, pair)
    axis = _Axes(points, scale)
    figure, axes = new_axes(3.3, 2.7, left=0.55, right=0.1, bottom=0.48, top=0.1)
    axes.grid(True)
    u = np.array(axis.ends[0])
    axes.plot(u, u, color=MUTED, lw=0.8, ls=(0, (5, 3)))
    line = pair.lines.get(scale)
    if line is not None:
        axes.plot(u, line.fit.slope * u + line.fit.intercept, color=INK, lw=1.1)
    looks = {"baseline": ("o", NEW), "other": ("D", ACCENT), "human": ("s", "#009e73")}
    for point in points:
        marker, colour = looks[point.kind]
        x, y = (
            to_scale(axis.inner(side.accuracy, side.n), scale) for side in (point.x, point.y)
        )  # fmt: skip
        axes.plot(x, y, marker, ms=3.6, mfc=colour, mec="white", mew=0.4)
        if point.y.interval is not None:
            low, high = point.y.interval.low, point.y.interval.high
            bar = to_scale([axis.inner(low, point.y.n), axis.inner(high, point.y.n)], scale)
            axes.plot([x, x], bar, color=colour, lw=0.6, alpha=0.5)
    for side, of_axis in ((0, axes.xaxis), (1, axes.yaxis)):
        ticks = axis.ticks(side)
        of_axis.set_ticks(
            to_scale(ticks, scale), [_text(value, axis.fractions) for value in ticks]
        )  # fmt: skip
    axes.tick_params(labelsize=7.5)
    axes.set_xlim(*axis.ends[0])
    axes.set_ylim(*axis.ends[1])
    unit = " (%)" if axis.fractions else ""
    axes.set_xlabel(pair.original + unit, fontsize=8)
    axes.set_ylabel(pair.new + unit, fontsize=8)
    return figure
