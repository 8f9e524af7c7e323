"""The short texts in every export: what it is, how to cite it, whose the images are."""

from collections import Counter
from collections.abc import Mapping, Sequence

from replicate.base.errors import UsageError
from replicate.reporting.export_data import BYTES_MEAN, Column, Export, ExportImage, Licence, Table

PAPER = (
    "B. Recht, R. Roelofs, L. Schmidt, V. Shankar. Do ImageNet Classifiers Generalize to "
    "ImageNet? ICML 2019."
)
SIMULATED = (
    "**The votes behind this set are simulated**: programs gave them, not people. They say nothing "
    "about what people see in these images; do not publish the set as if people had labelled it."
)
EXPLORATORY = (
    "**This set is not frozen**: it is an exploratory export, and it may still change. Do not "
    "report numbers on it as those of a test set."
)
_REASONS = {
    "taken_down": "taken down after the set was frozen",
    "reported_unsafe": "reported as unsafe, and not looked at since",
}
_CLOSED = ("all rights reserved", "unknown")
ATTRIBUTION_COLUMNS = (
    Column("position", "Place in the frozen set, from 0."),
    Column("image_id", "SHA-256 of the file as it was gathered."),
    Column("title", "The image's title."),
    Column("owner", "Whose it is, as the source writes it."),
    Column("licence", "Its licence; 'unknown' where the source says none."),
    Column("licence_url", "The licence's text."),
    Column("page_url", "The page that shows it."),
    Column("source", "Where it was gathered."),
    Column("source_id", "The source's own id."),
    Column("changes", "What was done to the file that is published."),
)


def warnings(export: Export) -> list[str]:
    """What every reader has to know before anything else."""
    found = []
    if export.frozen_at is None:
        found.append(EXPLORATORY)
    if export.simulated:
        found.append(SIMULATED)
    return found


def left_out_lines(export: Export) -> list[str]:
    """A sentence for each reason that images of the set are not published."""
    lines = []
    for reason, ids in sorted(export.left_out.items()):
        if not ids:
            continue
        many = len(ids) != 1
        why = _REASONS.get(reason, reason)
        lines.append(
            f"{len(ids)} image{'s' if many else ''} of the set {'are' if many else 'is'} not here "
            f"({why}); `export.json` lists {'them' if many else 'it'}. Results on what is left are "
            "not comparable to the digit with results on the whole set."
        )
    return lines


def lost_classes(export: Export) -> list[str]:
    """Classes without an image here: readers that number folders would shift the others."""
    present = {item.class_id for item in export.present}
    lost = [item.class_id for item in export.classes if item.class_id not in present]
    if not lost:
        return []
    some = ", ".join(lost[:10]) + (", …" if len(lost) > 10 else "")
    return [
        f"No image of {len(lost)} of the study's {len(export.classes)} classes is here ({some}). "
        "Readers that number the folders they find give the classes after them other numbers than "
        "the labels of `classes.csv`."
    ]


def citation(export: Export) -> str:
    """``CITATION.md``: how to cite the set, and the method."""
    version = export.versions.get("replicate", "unknown")
    frozen = f"frozen {export.frozen_at[:10]}" if export.frozen_at else "not frozen"
    lines = [
        f"# How to cite {export.full_name}",
        "",
        *(line + "\n" for line in warnings(export)),
        "Name the set with its revision and digest, so that others can check that theirs is the "
        "same:",
        "",
        f"> {export.study}: {export.full_name}, {len(export.images)} images, {frozen}. Set digest "
        f"{export.digest}. Manifest digest {export.manifest_digest}. Made with replicate-testsets "
        f"{version}.",
        "",
        "and the method:",
        "",
        f"> {PAPER}",
        "",
        "```bibtex",
        bibtex(export).rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def bibtex(export: Export) -> str:
    """The set and the method as BibTeX."""
    year = (export.frozen_at or export.created_at)[:4]
    key = "".join(c if c.isalnum() else "_" for c in f"{export.study}_{export.full_name}")
    return (
        f"@misc{{{key},\n"
        f"  title = {{{export.study}: test set {export.full_name}}},\n"
        f"  year = {{{year}}},\n"
        f"  note = {{Set digest {export.digest}; replicates {export.original}"
        f"{'; votes simulated' if export.simulated else ''}}}\n"
        "}\n"
        "@inproceedings{recht2019imagenet,\n"
        "  title = {Do {ImageNet} Classifiers Generalize to {ImageNet}?},\n"
        "  author = {Recht, Benjamin and Roelofs, Rebecca and Schmidt, Ludwig and Shankar, "
        "Vaishaal},\n"
        "  booktitle = {International Conference on Machine Learning},\n"
        "  year = {2019}\n"
        "}\n"
    )


LOADING = {
    "imagefolder": """```python
from torchvision.datasets import ImageFolder
data = ImageFolder("{here}")          # labels: the order of the folders
```

Within a class files sort in the set's order; `images.csv` has the order over all classes.""",
    "webdataset": """```python
import glob, webdataset
data = webdataset.WebDataset(sorted(glob.glob("{here}/*.tar")), shardshuffle=False).decode("pil")
sample = next(iter(data))             # sample["png"] or ["jpg"], sample["cls"], sample["json"]
```""",
    "parquet": """```python
import pandas, glob
data = pandas.concat(map(pandas.read_parquet, sorted(glob.glob("{here}/images-*.parquet"))))
data["bytes"], data["label"]          # each image's file, and its class's place in classes.csv
```""",
    "croissant": """```python
import itertools, mlcroissant
records = mlcroissant.Dataset("{here}/croissant.json").records("images")
first = next(iter(records))           # first["images/image"], first["images/label"]
```""",
}


def readme(export: Export, kind: str, tables: Sequence[Table]) -> str:
    """``README.md`` of an export: what it is, how it is read, and what its tables say."""
    lines = [f"# {export.full_name}", ""]
    for line in [*warnings(export), *left_out_lines(export), *lost_classes(export)]:
        lines += [line, ""]
    lines += [
        f"A test set of the study *{export.study}*, made as {export.original} was made. "
        f"{len(export.images)} images of {len(export.present)} classes; strategy "
        f"`{export.strategy}`; the bytes published are {BYTES_MEAN[export.which_bytes]} "
        f"(`{export.steps}`).",
        "",
        f"- Set digest: `{export.digest}`",
        f"- Manifest digest: `{export.manifest_digest}`",
        f"- Frozen: {export.frozen_at or 'no'}",
        "",
    ]
    if kind == "all":
        lines += ["Each folder here is an export of its own, and can be passed on alone.", ""]
    if kind in LOADING:
        lines += ["## Load it", "", LOADING[kind].replace("{here}", "."), ""]
    lines += [
        "## Check it",
        "",
        "`replicate verify .` recomputes every digest and says which files were changed, are "
        "missing, or do not belong here. `set.json` is the frozen set's manifest; `export.json` "
        "names every file with its SHA-256.",
        "",
        "## Cite it",
        "",
        "See `CITATION.md`."
        + (" Whose the images are: `ATTRIBUTION.md`." if kind in (*LOADING, "attribution") else ""),
        "",
    ]
    for table in tables:
        lines += table_lines(table)
    return "\n".join(lines)


def table_lines(table: Table) -> list[str]:
    """What a table's rows and columns are, as Markdown."""
    return [
        f"## `{table.name}.csv`",
        "",
        f"{table.about} {len(table.rows)} rows.",
        "",
        "| column | meaning |",
        "|---|---|",
        *(f"| `{column.name}` | {column.meaning} |" for column in table.columns),
        "",
    ]


def attribution_table(export: Export) -> Table:
    """Whose each image is, and its licence."""
    changes = "none" if export.which_bytes == "gathered" else f"prepared by {export.steps}"
    if export.which_bytes == "display":
        changes += "; then scaled for display"
    rows = [
        [
            image.position, image.image_id, plain(image.title), plain(image.owner),
            image.licence.name, image.licence.url, image.page_url, image.source, image.source_id,
            changes,
        ]
        for image in export.images
    ]  # fmt: skip
    about = (
        "One image of the set: whose it is and its licence. Titles and owners that begin with "
        "= + - or @ have an apostrophe in front, so that no spreadsheet runs them."
    )
    return Table("attribution", about, ATTRIBUTION_COLUMNS, rows)


def attribution(export: Export) -> str:
    """``ATTRIBUTION.md``: the licences, and each image's credit line."""
    lines = [f"# Whose the images of {export.full_name} are", ""]
    for line in warnings(export):
        lines += [line, ""]
    lines += [
        "Replicate and the makers of this set claim no right to the images. Each is under the "
        "licence that its owner gave it at the source; `attribution.csv` has the same as a table.",
        "",
        "| licence | images |",
        "|---|---|",
    ]
    for licence, count in licences(export.images).items():
        lines.append(f"| {_link(licence.name, licence.url)} | {count} |")
    lines += ["", *(f"{note}\n" for note in licence_notes(export)), "## The images", ""]
    for image in export.images:
        title = _escape(image.title) or "untitled"
        owner = _escape(image.owner) or "owner unknown"
        lines.append(
            f"- {image.position}: {_link(title, image.page_url)}, by {owner}, "
            f"{_link(image.licence.name, image.licence.url)}"
        )
    return "\n".join([*lines, ""])


def licence_notes(export: Export) -> list[str]:
    """What the owners' licences may not allow of this export, a sentence each."""
    found = []
    closed = sum(image.licence.name.lower() in _CLOSED for image in export.images)
    if closed:
        found.append(
            f"{closed} of the images have all rights reserved, or no known licence: publishing "
            "them may need their owners' permission."
        )
    unchanged = sum("-ND" in image.licence.name for image in export.images)
    if unchanged and export.which_bytes != "gathered":
        found.append(
            f"{unchanged} of the images are under licences that allow no changed copies to be "
            "shared (ND), and the bytes published here are changed ones; those as they were "
            "gathered: `replicate export --bytes gathered`."
        )
    return found


def licences(images: Sequence[ExportImage]) -> Mapping[Licence, int]:
    """How many images are under each licence, the most frequent first."""
    counts = Counter(image.licence for image in images)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0].name)))


def plain(text: str) -> str:
    """A stranger's text that no spreadsheet takes for a formula.

    >>> plain("=1+1"), plain("zero")
    ("'=1+1", 'zero')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and text else text


def _escape(text: str) -> str:
    """A stranger's text as Markdown that means nothing but itself."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-.!|" else c for c in " ".join(text.split()))


def _link(text: str, url: str) -> str:
    safe = url.startswith(("https://", "http://")) and not any(c in url for c in " <>()\n")
    return f"[{text}]({url})" if safe else text


def need_table(export: Export, name: str) -> Table:
    """A further table of the study.

    Raises:
        UsageError: It would have no row.
    """
    table = export.tables(name)
    if not table.rows:
        raise UsageError(f"There is nothing to write into {name}.csv.")
    return table
