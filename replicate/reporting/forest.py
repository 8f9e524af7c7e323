"""Estimates under each other, each with its interval: a forest plot as SVG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from replicate.analysis.intervals import Interval
from replicate.reporting.words import signed

WIDTH, RIGHT = 640, 14


@dataclass(frozen=True)
class Row:
    """One line of the plot.

    Attributes:
        name: What it is of.
        value: The estimate, finite.
        interval: Its interval; None for none.
        kind: ``baseline`` or ``other``: the look of the point.
    """

    name: str
    value: float
    interval: Interval | None
    kind: str


def forest_svg(rows: Sequence[Row], label: str, factor: float = 1, unit: str = "") -> str:
    """A forest plot whose colours are the page's; zero is marked.

    Every row carries its numbers in a ``<title>``, which browsers show without scripts, and in
    ``data-`` attributes for the page's own script.

    Args:
        rows: From top to bottom.
        label: What the picture shows, for those who cannot see it.
        factor: What values are multiplied by to be shown, such as 100.
        unit: The unit after that, such as " points".

    Returns:
        Empty text without rows.
    """
    if not rows:
        return ""
    room = min(max(10 + 7.1 * max(len(row.name) for row in rows), 70), 300)
    ends = [v for row in rows for v in (row.value, *_ends(row))]
    low, high = min(*ends, 0.0), max(*ends, 0.0)
    span = max(high - low, 1e-3 / factor)

    def x(value: float) -> float:
        at: float = room + (value - low) / span * (WIDTH - RIGHT - room - 10) + 5
        return round(at, 1)

    height = 22 * len(rows) + 38
    parts = [f'<path class="equal" d="M{x(0)} 4V{height - 32}"/>']
    step = nice_step(factor * span)
    first = int(np.ceil(factor * low / step))
    for i in range(first, int(factor * high / step + 1e-9) + 1):
        tick = f"{i * step:g}".replace("-", "−")
        at = x(i * step / factor)
        parts.append(f'<text x="{at}" y="{height - 14}" text-anchor="middle">{tick}</text>')
    parts += [_row(row, 15 + 22 * i, room, x, factor, unit) for i, row in enumerate(rows)]
    return (
        f'<svg class="scatter rho" viewBox="0 0 {WIDTH} {height}" role="img" aria-label='
        f'"{escape(label, quote=True)}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _ends(row: Row) -> tuple[float, ...]:
    return () if row.interval is None else (row.interval.low, row.interval.high)


def _row(
    row: Row, y: int, room: float, x: Callable[[float], float], factor: float, unit: str
) -> str:
    decimals = 2 if factor > 1 else 4
    ends = [signed(factor * end, decimals) for end in _ends(row)]
    ci = f" [{', '.join(ends)}]" if ends else ""
    shown = escape(row.name if len(row.name) < 46 else row.name[:44] + "…")
    words = escape(f"{row.name}: {signed(factor * row.value, decimals)}{unit}{ci}", quote=True)
    both = row.interval
    bar = f'<path class="bar" d="M{x(both.low)} {y}H{x(both.high)}"/>' if both else ""
    return (
        f'<g class="pt {row.kind}" data-name="{escape(row.name, quote=True)}" data-words="{words}" '
        f'tabindex="0"><text x="{room - 6}" y="{y + 4}" text-anchor="end">{shown}</text>{bar}'
        f'<circle cx="{x(row.value)}" cy="{y}" r="4.2"/><title>{words}</title></g>'
    )


def nice_step(span: float) -> float:
    """The distance of ticks: 1, 2 or 5 times a power of ten, some five over the span."""
    rough = span / 6
    power = 10.0 ** int(np.floor(np.log10(rough)))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= rough))
