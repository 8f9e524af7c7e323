"""How all figures look, and how a figure becomes SVG text.

The palette is Okabe and Ito's, which people with any colour vision can tell apart; families also
differ in their markers. One inch of every figure is drawn at the same size in the report, so that
type is alike throughout.
"""

import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1d2329"
MUTED = "#6b7480"
RULE = "#d5dae0"
ORIGINAL = "#8d97a3"
NEW = "#0072b2"
CONTROL = "#b58900"
ACCENT = "#d55e00"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
FONTS = "'Inter','Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif"

_RC: Any = {
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titley": 1.0,  # given, for finding it costs as much as drawing the axes
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same metrics on every machine
    "font.size": 9.5,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a dollar sign
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9.5,
    "xtick.major.width": 0.7,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9.5,
    "ytick.major.width": 0.7,
}


def new_axes(
    width: float,
    height: float,
    *,
    left: float = 0.62,
    right: float = 0.2,
    bottom: float = 0.55,
    top: float = 0.36,
) -> tuple["Figure", "Axes"]:
    """An empty figure with one pair of axes; use it within `styled`.

    The margins are given, not fitted, so that figures line up beside each other.

    Args:
        width: The figure's width in inches, as all sizes here.
        height: Its height.
        left: Room for the vertical axis.
        right: Room on the right.
        bottom: Room for the horizontal axis.
        top: Room for the title.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    return figure, figure.add_axes(box)


def styled() -> Any:
    """The settings of all figures, as a context manager."""
    import matplotlib as mpl

    return mpl.rc_context(_RC)


def family_styles(families: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Each family's colour and marker, by its place in the alphabet.

    >>> family_styles(["mlp", "cnn", "mlp"])["cnn"]
    ('#0072b2', 'o')
    """
    return {
        family: (PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
        for i, family in enumerate(sorted(set(families)))
    }


def to_svg(figure: "Figure", name: str, description: str) -> str:
    """A figure as SVG text that is the same on every run and fits into an HTML page.

    Args:
        figure: The figure.
        name: Its name; every id in the SVG begins with it, so that many fit on one page.
        description: What it shows, for people who cannot see it.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": f"replicate:{name}"}):
        # Straight to the canvas: savefig draws everything twice.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata=metadata)
    return _tidy(buffer.getvalue(), name, description)


def _tidy(text: str, name: str, description: str) -> str:
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    prefix = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    text = re.sub(r'(xlink:href|href)="#', rf'\1="#{prefix}-', text)
    text = text.replace("'DejaVu Sans', sans-serif", FONTS).replace("'DejaVu Sans'", FONTS)
    label = escape(description, quote=True)
    opening = f'<svg role="img" aria-label="{label}" '
    return text.replace("<svg ", opening, 1).rstrip() + "\n"


def limits(
    values: Sequence[float], pad: float = 0.06, low: float = 0.0, high: float = 1.0
) -> tuple[float, float]:
    """The ends of an axis that shows all values with some room, within [low, high].

    >>> limits([0.5, 0.6], pad=0.1)
    (0.49, 0.61)
    """
    least, most = min(values), max(values)
    room = max(most - least, 0.02) * pad
    return max(low, round(least - room, 10)), min(high, round(most + room, 10))
