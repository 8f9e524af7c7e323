"""The adjusted gap against 1 / votes, as a figure: what votes' noise still moves."""

from collections.abc import Sequence

from replicate.analysis.adjust import AtVotes
from replicate.analysis.adjust_estimators import RECOMMENDED
from replicate.reporting.style import ACCENT, MUTED, NEW, new_axes, styled, to_svg

_LOOKS = {
    "naive": ("images of equal observed frequency", MUTED, "s"),
    "jackknife": ("jackknife", ACCENT, "^"),
    RECOMMENDED: ("mixture", NEW, "o"),
}
_APART = 0.006  # so that intervals at the same number of votes do not hide each other


def by_votes_svg(
    found: Sequence[AtVotes], name: str = "gap-by-votes", *, simulated: bool = False
) -> str:
    """The gap by 1 / votes, by three estimators, in points, with intervals: SVG text.

    Args:
        found: From `replicate.analysis.adjust.gaps_by_votes`.
        name: The figure's name.
        simulated: Whether simulated workers gave the votes; the axis says so.
    """
    with styled():
        figure, axes = new_axes(7.2, 4.0, top=0.5)
        axes.grid(True, axis="y")
        axes.axhline(0.0, color=MUTED, lw=0.9, ls=(0, (5, 3)))
        for place, (key, (label, colour, marker)) in enumerate(_LOOKS.items()):
            gaps = [at.estimators[key] for at in found]
            x = [1 / at.votes + _APART * (place - 1) for at in found]
            low = [100 * gap.interval.low for gap in gaps]
            high = [100 * gap.interval.high for gap in gaps]
            axes.vlines(x, low, high, color=colour, lw=1.0, alpha=0.6)
            axes.plot(
                x, [100 * gap.gap for gap in gaps], color=colour, marker=marker, ms=4.8, lw=1.2,
                label=label,
            )  # fmt: skip
        axes.set_xlim(0.0, max(1 / at.votes for at in found) + 0.03)
        axes.set_xticks([1 / at.votes for at in found], [f"1/{at.votes}" for at in found])
        who = " of simulated workers" if simulated else ""
        axes.set_xlabel(f"1 / votes{who} an image (left: ever more votes)")
        axes.set_ylabel("Adjusted gap (points)")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, borderaxespad=0.2)
        last = found[-1]
        best = 100 * last.estimators[RECOMMENDED].gap
        described = (
            f"The adjusted gap at {', '.join(str(at.votes) for at in found)} votes an image; with "
            f"all {last.votes}{who} the estimate by mixture is {best:.1f} points."
        )
        return to_svg(figure, name, described)
