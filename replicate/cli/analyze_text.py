"""What `replicate analyze` tells people."""

import textwrap
from typing import Any

from replicate.reporting.further_sections import Section, sections
from replicate.reporting.words import count, percent, signed

_SHOWN = 12  # rows of a further question's table


def as_text(value: dict[str, Any]) -> str:
    """The document of ``--json`` as text.

    Args:
        value: The document.
    """
    blocks = [_models(value)]
    blocks += [_pair(pair) for pair in value["pairs"]]
    blocks.append(_similarity(value))
    blocks += [_section(item) for item in sections(value)]
    if value["repaired"]:
        blocks.append(_listed("Repaired", value["repaired"]))
    if value["excluded"]:
        blocks.append(_listed("Left out", value["excluded"]))
    if value["warnings"]:
        blocks.append("\n".join(["Warnings", *(f"  {text}" for text in value["warnings"])]))
    return "\n\n".join(block for block in blocks if block)


def _section(item: Section) -> str:
    rows = [[str(name).replace("_", " ") for name in item.header]]
    rows += [[_plain(cell) for cell in row] for row in item.rows[:_SHOWN]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(item.header))]
    lines = [item.title]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  " + "  ".join(cells))
    if len(item.rows) > _SHOWN:
        lines.append(f"  and {len(item.rows) - _SHOWN} more (--json, --report)")
    return "\n".join([*lines, textwrap.fill(item.text, 96, initial_indent="  ",
                                            subsequent_indent="  ")])  # fmt: skip


def _plain(cell: Any) -> str:
    if cell is None:
        return "–"
    return signed(cell, 4) if isinstance(cell, float) else str(cell)


def _listed(title: str, items: list[dict[str, str]]) -> str:
    rows = [f"  {item['model']} on {item['set']}: {item['reason']}" for item in items]
    return "\n".join([title, *rows])


def _models(value: dict[str, Any]) -> str:
    sets = [value["original"], *(pair["new"] for pair in value["pairs"])]
    models = sorted(
        value["models"],
        key=lambda item: -(item["sets"].get(sets[0], {}).get("accuracy") or float("-inf")),
    )
    if not models:
        return "No model is left to compare."
    wide = max(len("model"), *(len(item["name"]) for item in models))
    lines = [f"{'model':{wide}}" + "".join(f"  {name:>22.22}" for name in sets)]
    for item in models:
        cells = [_cell(item["sets"].get(name)) for name in sets]
        lines.append(f"{item['name']:{wide}}" + "".join(f"  {cell:>22}" for cell in cells))
    return "\n".join(lines)


def _cell(item: dict[str, Any] | None) -> str:
    if item is None or item["accuracy"] is None:
        return "–"
    share = percent(item["accuracy"], 2)
    if item["ci"] is None:
        return share
    return f"{share} [{percent(item['ci'][0], 1)}, {percent(item['ci'][1], 1)}]"


def _ends(ends: list[float] | None, factor: float = 1, decimals: int = 2) -> str:
    if ends is None:
        return "not known"
    return f"{signed(factor * ends[0], decimals)} to {signed(factor * ends[1], decimals)}"


def _pair(pair: dict[str, Any]) -> str:
    title = f"{pair['new']} beside {pair['original']}: {count(pair['n_models'], 'model')}"
    if pair["n_baseline"] != pair["n_models"]:
        title += f", lines fitted on {pair['n_baseline']}"
    lines = [title]
    if pair["mean_drop"] is not None:
        ci = pair["mean_drop_ci"]
        lines.append(
            f"  mean drop {percent(pair['mean_drop'], 2)} points; over images "
            f"{_ends(ci['images'], 100)}, over models {_ends(ci['models'], 100)}, over both "
            f"{_ends(ci['both'], 100)}"
        )
    if pair["equivalence"]:
        equal = pair["equivalence"]
        verdict = "is shown" if equal["equivalent"] else "is not shown"
        lines.append(
            f"  a mean drop within ±{percent(equal['margin'], 2)} points {verdict} "
            f"(TOST p = {equal['p']:.3g})"
        )
    if pair["paired"]:
        lines.append(
            f"  on {pair['paired']['n']} matched items: mean drop "
            f"{percent(pair['paired']['mean_drop'], 2)} points, {_ends(pair['paired']['ci'], 100)}"
        )
    for scale, fit in pair["fits"].items():
        lines.append(f"  {_fit(scale, fit, pair['straightest_scale'])}")
    found = pair["inversions"]
    if pair["spearman"] is not None:
        resolved = found["resolved"]
        told = "resolution not known" if resolved is None else f"{resolved} resolved"
        lines.append(
            f"  Spearman {signed(pair['spearman'], 3)}, Kendall τ_b "
            f"{signed(pair['kendall_tau_b'], 3)}; {found['inverted']} of {found['pairs']} pairs of "
            f"models are inverted, {told}"
        )
    rho = [
        (name, item)
        for name, item in pair["effective_robustness"].items()
        if item["ci"] is not None and (item["ci"][0] > 0 or item["ci"][1] < 0)
    ]
    for name, item in sorted(rho, key=lambda entry: -entry[1]["rho"])[:10]:
        side = "above" if item["rho"] > 0 else "below"
        lines.append(
            f"  {name} is {side} the others' line by {percent(abs(item['rho']), 2)} points "
            f"(ρ {_ends(item['ci'], 100)})"
        )
    return "\n".join(lines)


def _fit(scale: str, fit: dict[str, Any] | None, straightest: str | None) -> str:
    if fit is None:
        return f"{scale:7} no line"
    mark = "  (straightest)" if scale == straightest else ""
    return (
        f"{scale:7} slope {signed(fit['slope'], 4)} (images {_ends(fit['ci']['images'])}; models "
        f"{_ends(fit['ci']['models'])}; both {_ends(fit['ci']['both'])}), intercept "
        f"{signed(fit['intercept'], 4)}, R² "
        f"{'–' if fit['r2'] is None else signed(fit['r2'], 4)}{mark}"
    )


def _similarity(value: dict[str, Any]) -> str:
    lines = []
    for name, item in value["similarity"].items():
        if item["agreement"] is not None:
            lines.append(
                f"{name}: two models are right or wrong together on {percent(item['agreement'])} % "
                f"of the items; independent ones would be on {percent(item['independent'])} %"
            )
    number = value["effective_number_of_models"]
    if number is not None and lines:
        lines.append(f"Effective number of models on the original: {signed(number, 1)}")
    return "\n".join(lines)
