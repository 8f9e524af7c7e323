"""The card of a Hugging Face data-set folder: its metadata and its text."""

import json
from collections.abc import Sequence
from typing import Any

from replicate.reporting import export_words as words
from replicate.reporting.export_data import Export, Table
from replicate.reporting.export_parquet import SPLIT, class_names
from replicate.reporting.export_texts import (
    bibtex,
    left_out_lines,
    licence_notes,
    licences,
    table_lines,
    warnings,
)

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


def card(export: Export, tables: Sequence[Table]) -> str:
    """``README.md`` of the folder; `datasets.load_dataset` takes files and classes from its head.

    Args:
        export: The set.
        tables: The tables beside it, whose columns are explained.
    """
    lines = [*_head(export), f"# {export.full_name}", ""]
    for line in [*warnings(export), *left_out_lines(export)]:
        lines += [f"> {line}", ""]
    lines += [words.purpose(export), ""]
    lines += ["```python", "import datasets", f'data = datasets.load_dataset(".", split="{SPLIT}")']
    lines += ['data[0]["image"], data.features["label"].int2str(data[0]["label"])', "```", ""]
    lines += _section("What is in it", words.composition(export))
    if votes := words.votes_per_image(export):
        lines += _section("", [votes])
    lines += _section(
        "How it was made",
        [*words.gathering(export), *words.near_duplicates(export), *words.preparation(export)],
    )
    lines += _section("", words.annotation(export))
    lines += _section("", words.sampling(export))
    lines += _section("Biases", words.biases(export), bullets=True)
    lines += _section("Limits", words.limitations(export), bullets=True)
    lines += _section(
        "Licences",
        [
            "Each image is under its owner's licence: "
            + ", ".join(f"{item.name} ({n})" for item, n in licences(export.images).items())
            + ". `ATTRIBUTION.md` and `attribution.csv` name every owner.",
            *licence_notes(export),
        ],
    )
    lines += [
        "## Check and cite",
        "",
        f"Set digest `{export.digest}`; manifest digest `{export.manifest_digest}`. `replicate "
        "verify .` recomputes every digest.",
        "",
        "```bibtex",
        bibtex(export).rstrip(),
        "```",
        "",
    ]
    for table in tables:
        lines += table_lines(table)
    return "\n".join(lines)


def _section(title: str, sentences: Sequence[str], *, bullets: bool = False) -> list[str]:
    if not sentences:
        return []
    head = [f"## {title}", ""] if title else []
    if bullets:
        return [*head, *(f"- {sentence}" for sentence in sentences), ""]
    return [*head, " ".join(sentences), ""]


def _head(export: Export) -> list[str]:
    """The metadata: YAML, whose values are written as JSON, which YAML includes."""
    values: dict[str, Any] = {
        "pretty_name": f"{export.study}: {export.full_name}",
        "license": "other",
        "license_name": "per-image",
        "license_link": "ATTRIBUTION.md",
        "task_categories": ["image-classification"],
        "size_categories": [_size(len(export.images))],
        "annotations_creators": ["machine-generated" if export.simulated else "crowdsourced"],
        "tags": ["replication", "test-set", export.strategy]
        + (["simulated-annotations"] if export.simulated else []),
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": SPLIT, "path": f"data/{SPLIT}-*.parquet"}],
            }
        ],
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return ["---", *lines, *_dataset_info(export), "---", ""]


def _dataset_info(export: Export) -> list[str]:
    """The features as the card describes them; the parquet files say the same themselves."""
    names = {str(index): name for index, name in enumerate(class_names(export))}
    simple = {
        "class_id": "string", "position": "int64", "image_id": "string", "sha256": "string",
        "stratum": "string", "filled": "bool", "selected": "int64", "shown": "int64",
        "licence": "string", "owner": "string", "page_url": "string",
    }  # fmt: skip
    features = [
        {"name": "image", "dtype": "image"},
        {"name": "label", "dtype": {"class_label": {"names": names}}},
        *({"name": name, "dtype": dtype} for name, dtype in simple.items()),
    ]
    return [f"dataset_info: {json.dumps({'features': features}, ensure_ascii=False)}"]


def _size(count: int) -> str:
    return next((name for most, name in SIZES if count < most), "n>1M")
