"""The curve of a calibration: what a larger radius finds, and what it finds by mistake."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replicate.base.files import atomic_path, write_text
from replicate.reporting import style


def write_calibration_figure(path: Path, value: Mapping[str, Any]) -> None:
    """Draw recall of every edit, and false matches, by the radius.

    Args:
        path: A file that ends in .svg or .png.
        value: The document of ``replicate duplicates calibrate --json``.
    """
    with style.styled():
        figure, axes = style.new_axes(9.0, 5.0, right=2.5)
        for place, (name, edit) in enumerate(value["edits"].items()):
            recall = edit["recall_by_radius"]
            axes.plot(
                range(len(recall)), recall, label=name,
                color=style.PALETTE[place % len(style.PALETTE)],
                linestyle="-" if place < len(style.PALETTE) else "--",
            )  # fmt: skip
        false = [n / value["n_different_pairs"] for n in value["false_matches_by_radius"]]
        axes.fill_between(range(len(false)), false, color=style.RULE, label="different pairs")
        axes.axvline(value["radius"], color=style.MUTED, linewidth=1)
        axes.set_xlabel(f"Radius in bits of {value['bits']}")
        axes.set_ylabel("Share that the hash proposes")
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlim(0, len(false) - 1)
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
        if path.suffix == ".png":
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format="png", dpi=150)
        else:
            described = "Recall of each edit, and the share of different pairs, by the radius."
            write_text(path, style.to_svg(figure, "calibration", described))
