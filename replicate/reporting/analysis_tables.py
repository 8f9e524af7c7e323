"""An analysis as tables: CSV in full precision, LaTeX as a paper prints them."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from replicate.reporting.further_sections import sections
from replicate.reporting.words import MISSING, signed

Row = Sequence[Any]
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{mark: "\\" + mark for mark in "&%$#_{}"},
    "−": "$-$",
    "–": "--",
    "ρ": r"$\rho$",
    "τ": r"$\tau$",
    "²": "$^2$",
}


def tables(value: Mapping[str, Any]) -> dict[str, tuple[Row, list[Row]]]:
    """Every table of an analysis by name: header and rows.

    The names are ``models``, ``gaps-NEW``, ``classes-NEW``, ``robustness-NEW``, ``lines``,
    ``ranks``, ``similarity``, ``excluded``, and those of the further questions.

    Args:
        value: The document of ``replicate analyze --json``.
    """
    made: dict[str, tuple[Row, list[Row]]] = {"models": (_MODELS, _models(value))}
    for pair in value["pairs"]:
        made[f"gaps-{pair['new']}"] = (("model", "gap", "low", "high"), _gaps(pair))
        made[f"robustness-{pair['new']}"] = (("model", "rho", "low", "high"), _robustness(pair))
        made[f"classes-{pair['new']}"] = (_CLASSES, _classes(pair))
    made["lines"] = (_LINES, [row for pair in value["pairs"] for row in _lines(pair)])
    made["ranks"] = (_RANKS, [_ranks(pair) for pair in value["pairs"]])
    made["similarity"] = (_SIMILARITY, _similarity(value))
    made.update({item.name: (item.header, item.rows) for item in sections(value)})
    made["excluded"] = (
        ("model", "set", "reason"),
        [(item["model"], item["set"], item["reason"]) for item in value["excluded"]],
    )
    return made


_MODELS = ("model", "set", "correct", "n", "score", "low", "high")
_LINES = ("set", "scale", "slope", "intercept", "r2", "models", "resampled", "low", "high")
_CLASSES = ("class", "n_original", "n_new", "gap", "low", "high", "excess", "p_adjusted")
_RANKS = ("set", "models", "spearman", "kendall_tau_b", "pairs", "inverted", "resolved")
_SIMILARITY = ("set", "models", "agreement", "independent", "dominance", "effective_number")


def _two(ends: Sequence[float] | None) -> tuple[float | None, float | None]:
    return (None, None) if ends is None else (ends[0], ends[1])


def _models(value: Mapping[str, Any]) -> list[Row]:
    return [
        (item["name"], name, on["correct"], on["n"], on["accuracy"], *_two(on["ci"]))
        for item in value["models"]
        for name, on in item["sets"].items()
    ]


def _gaps(pair: Mapping[str, Any]) -> list[Row]:
    return [(model, item["gap"], *_two(item["ci"])) for model, item in pair["gaps"].items()]


def _robustness(pair: Mapping[str, Any]) -> list[Row]:
    found = pair["effective_robustness"]
    return [(model, item["rho"], *_two(item["ci"])) for model, item in found.items()]


def _classes(pair: Mapping[str, Any]) -> list[Row]:
    keys = ("class", "n_original", "n_new", "gap")
    return [
        (*(row[key] for key in keys), *_two(row["ci"]), row["excess"], row["p_adjusted"])
        for row in pair["classes"]
    ]


def _lines(pair: Mapping[str, Any]) -> list[Row]:
    return [
        (pair["new"], scale, fit["slope"], fit["intercept"], fit["r2"], fit["n"], kind, *_two(ends))
        for scale, fit in pair["fits"].items()
        if fit is not None
        for kind, ends in fit["ci"].items()
    ]


def _ranks(pair: Mapping[str, Any]) -> Row:
    found = pair["inversions"]
    counts = (found["pairs"], found["inverted"], found["resolved"])
    return (pair["new"], pair["n_models"], pair["spearman"], pair["kendall_tau_b"], *counts)


def _similarity(value: Mapping[str, Any]) -> list[Row]:
    keys = ("n_models", "agreement", "independent", "dominance", "effective_number_of_models")
    return [(name, *(item[key] for key in keys)) for name, item in value["similarity"].items()]


def as_csv(header: Row, rows: Sequence[Row]) -> str:
    """A table as CSV text; what is not known is empty.

    >>> as_csv(("a", "b"), [(0.1, None)]).split()
    ['a,b', '0.1,']
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{x:.10g}" if isinstance(x, float) else x for x in row])
    return buffer.getvalue()


def as_latex(header: Row, rows: Sequence[Row]) -> str:
    r"""A table as LaTeX text (booktabs), numbers with four decimals.

    >>> print(as_latex(("model_name",), [("a_b",)]))
    \begin{tabular}{l}
    \toprule
    model name \\
    \midrule
    a\_b \\
    \bottomrule
    \end{tabular}
    <BLANKLINE>
    """
    kinds = [
        "r" if rows and all(_is_number(row[i]) for row in rows) else "l" for i in range(len(header))
    ]
    lines = [rf"\begin{{tabular}}{{{''.join(kinds)}}}", r"\toprule"]
    lines.append(" & ".join(escape(str(cell).replace("_", " ")) for cell in header) + r" \\")
    lines.append(r"\midrule")
    lines += [" & ".join(escape(_cell(cell)) for cell in row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    return signed(value, 4) if isinstance(value, float) else str(value)


def escape(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> escape("50% of a_b")
    '50\\% of a\\_b'
    """
    return "".join(_LATEX.get(mark, mark) for mark in text)
